"""`leadbus chaos soak`: minutes of traffic while everything in the house is killed at random."""

import asyncio
import shutil
import tempfile
from pathlib import Path
from random import SystemRandom
from typing import Annotated, Literal

import typer

from ops.cli.answers import Exit, write_json
from ops.cli.demo import EXAMPLE_TENANTS
from ops.cli.environment import environment

SHOWN = 20


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(soak)


def soak(
    minutes: Annotated[float, typer.Option(min=0.1, max=24 * 60, help="How long to disturb.")] = 30.0,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Repeats the disturbances of a run; drawn if not given.")
    ] = None,
    rate: Annotated[float, typer.Option(min=0.1, max=100, help="Leads a second; each posts two webhooks or so.")] = 2.0,
    store: Annotated[str, typer.Option(help="`sqlite`, or `emulator` for the Spanner emulator.")] = "sqlite",
    calm: Annotated[bool, typer.Option("--calm", help="Disturb nothing: the same traffic for comparison.")] = False,
    keep: Annotated[Path | None, typer.Option("--keep", help="Keep logs, store and traces in this folder.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the result here (`-` prints).")] = None,
) -> None:
    """Post signed webhooks at a real Kafka while gateway, broker and daemons are killed, stopped and frozen at random
    and the vendors misbehave; then wait until all has settled, and account for everything. Exit code 1 on findings.

    Example: `leadbus chaos soak --minutes 3 --seed 7 --json -`
    """
    from rich.console import Console

    from ops.chaos.soak.report import Order
    from ops.chaos.soak.run import run_soak

    if store not in ("sqlite", "emulator"):
        raise typer.BadParameter("say sqlite or emulator", param_hint="--store")
    kind: Literal["sqlite", "emulator"] = "emulator" if store == "emulator" else "sqlite"
    folder = keep or Path(tempfile.mkdtemp(prefix="leadbus-soak-"))
    drawn = SystemRandom().randrange(100_000) if seed is None else seed
    order = Order(minutes, drawn, rate, kind, folder, EXAMPLE_TENANTS, calm)
    result, ended = None, False
    try:
        with environment("the soak cannot run"):
            result = asyncio.run(run_soak(Console(stderr=True), order))
        ended = True
    except KeyboardInterrupt:
        ended = True
        raise typer.Exit(130) from None
    finally:
        fine = result is not None and not result["findings"]
        if keep is None and (fine or (result is None and ended)):
            shutil.rmtree(folder, ignore_errors=True)
        elif not fine:
            typer.echo(f"leadbus: logs, store and traces are in {folder}; repeat with --seed {drawn}", err=True)
    write_json(result, json_file)
    for finding in result["findings"][:SHOWN]:
        typer.echo(f"leadbus: {finding}", err=True)
    raise typer.Exit(Exit.FINDINGS if result["findings"] else Exit.FINE)
