"""`leadbus ops` and `leadbus chaos`: outages, and making them happen."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from ops.cli import chaos_runtime, chaos_soak, parked, status
from ops.cli.answers import Exit, fail, write_json
from ops.cli.running import DaemonName

app = typer.Typer(help="Operators: topics, parked records.", no_args_is_help=True)
chaos_app = typer.Typer(help="Fault runs: kill parts and show that nothing is lost or doubled.", no_args_is_help=True)

Bootstrap = Annotated[str, typer.Option("--kafka", envvar="LEADBUS_KAFKA_BOOTSTRAP", help="host:port of the brokers.")]
Prefix = Annotated[str, typer.Option("--prefix", envvar="LEADBUS_TOPIC_PREFIX", help="Prefix of the topics' names.")]
StoreUrl = Annotated[str, typer.Option("--store", envvar="LEADBUS_STORE_URL", help="spanner://… or sqlite:///…")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.callback()
def _group() -> None:
    """Operators: topics, parked records."""


@app.command()
def topics(
    kafka: Bootstrap,
    create: Annotated[bool, typer.Option("--create", help="Create the topics that are missing.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Only look (the default).")] = False,
    prefix: Prefix = "",
    replication: Annotated[int, typer.Option(min=1, envvar="LEADBUS_REPLICATION", help="Copies of each record.")] = 3,
    as_json: AsJson = False,
) -> None:
    """Check that every topic is there with its partitions, or create what is missing. Exit code 1 on findings.

    Example: `leadbus ops topics --create --kafka localhost:9092 --replication 1`
    """
    from ops.topics import TopicsUnreachable, check_topics, create_topics

    if create and check:
        fail("say --create or --check, not both", Exit.USAGE)
    try:
        created = create_topics(kafka, prefix=prefix, replication=replication) if create else []
        findings = check_topics(kafka, prefix=prefix)
    except TopicsUnreachable as error:
        fail(str(error))
    if as_json:
        write_json({"created": created, "findings": findings}, None)
    else:
        for name in created:
            typer.echo(f"created {name}")
        for finding in findings:
            typer.echo(finding)
        typer.echo("every topic is as it should be" if not findings else f"{len(findings)} findings")
    raise typer.Exit(Exit.FINDINGS if findings else Exit.FINE)


@chaos_app.callback()
def _chaos_group() -> None:
    """Fault runs: kill parts and show that nothing is lost or doubled."""


@chaos_app.command()
def kill(
    daemon: Annotated[list[DaemonName] | None, typer.Option(help="Which daemons; every one when not given.")] = None,
    failpoint: Annotated[
        str | None, typer.Option(help="Die at this failpoint (name[:nth]) instead of in the middle of its work.")
    ] = None,
    worst: Annotated[bool, typer.Option("--worst", help="Also kill each daemon at its worst moments.")] = False,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the result here (`-` prints).")] = None,
) -> None:
    """kill -9 a daemon in the middle of a demo day, start it again, and compare what ends in the CRMs with an
    undisturbed day. Exit code 1 when anything was lost, doubled or different.

    Example: `leadbus chaos kill --daemon delivery --failpoint after_vendor_answer_before_done:5`
    """
    from rich.console import Console

    from ops.chaos.kill import FAILPOINTS, NeverHappened, run_kills

    names = [name.value for name in (daemon or list(DaemonName))]
    kills: list[tuple[str, str | None]] = [(name, failpoint) for name in names]
    if worst:
        kills += [pair for pair in FAILPOINTS if pair[0] in names]
    try:
        result = asyncio.run(run_kills(Console(stderr=True), kills))
    except NeverHappened as error:
        fail(str(error))
    write_json(result, json_file)
    raise typer.Exit(Exit.FINDINGS if result["lost"] or result["duplicates"] or result["different"] else Exit.FINE)


chaos_soak.register(chaos_app)
chaos_runtime.register(chaos_app)
status.register(app)
app.add_typer(parked.app, name="parked")
