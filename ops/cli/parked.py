"""`leadbus ops parked`: what waits for a person, a repair, a budget or a date; and letting it go."""

import asyncio
import getpass
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from ops.cli.answers import Exit, fail, write_json
from ops.cli.environment import environment
from schemas.headers import Release

if TYPE_CHECKING:
    from connectors.store.seam import FullStore
    from ops.parked import Found, Wanted

T = TypeVar("T")

app = typer.Typer(help="Parked records: what waits, and letting it go.", invoke_without_command=True)

StoreUrl = Annotated[str, typer.Option("--store", envvar="LEADBUS_STORE_URL", help="spanner://… or sqlite:///…")]
Bootstrap = Annotated[str, typer.Option("--kafka", envvar="LEADBUS_KAFKA_BOOTSTRAP", help="host:port of the brokers.")]
Prefix = Annotated[str, typer.Option("--prefix", envvar="LEADBUS_TOPIC_PREFIX", help="Prefix of the topics' names.")]
Tenant = Annotated[str | None, typer.Option("--tenant", help="Only this tenant.")]
Stage = Annotated[str | None, typer.Option("--stage", help="Only what this daemon parked: routing, delivery, …")]
Reason = Annotated[str | None, typer.Option("--reason", help="Only what was parked for this reason.")]
Connector = Annotated[str | None, typer.Option("--connector", help="Only what waits for this connector.")]
ParkId = Annotated[str | None, typer.Option("--park-id", help="Only this one.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]

MANY = 200
"""Rows from which on there is a progress bar."""


@app.callback()
def parked(
    context: typer.Context,
    store: Annotated[
        str | None, typer.Option("--store", envvar="LEADBUS_STORE_URL", help="spanner://… or sqlite:///…")
    ] = None,
    tenant: Tenant = None,
    as_json: AsJson = False,
) -> None:
    """List what waits for a person, a repaired connector, a budget or a date. The same as `leadbus ops parked list`.

    Example: `leadbus ops parked --tenant summit-roofing`
    """
    if context.invoked_subcommand is None:
        if not store:
            fail("say --store or set LEADBUS_STORE_URL", Exit.USAGE)
        _list(store, tenant, None, None, None, released=False, as_json=as_json)


@app.command("list")
def listing(
    store: StoreUrl,
    tenant: Tenant = None,
    stage: Stage = None,
    reason: Reason = None,
    connector: Connector = None,
    released: Annotated[bool, typer.Option("--released", help="What was released instead.")] = False,
    as_json: AsJson = False,
) -> None:
    """List what waits, oldest first within each tenant.

    Example: `leadbus ops parked list --reason crm_auth_broken --connector hubspot`
    """
    _list(store, tenant, stage, reason, connector, released=released, as_json=as_json)


@app.command()
def show(
    park_id: Annotated[str, typer.Argument(help="As `leadbus ops parked list --json` says it.")],
    store: StoreUrl,
    tenant: Tenant = None,
    as_json: AsJson = False,
) -> None:
    """Show one parked record: why, since when, where from, and which answers it can be released with. Without the lead.

    Example: `leadbus ops parked show 6b1c6f0e-7c1e-5a53-9d64-7a4b8f3d2c11`
    """
    from consumers.releasing import why_not
    from ops.parked import Wanted

    wanted = Wanted(tenant=tenant, park_id=park_id)
    found = _found(store, wanted) or _found(store, wanted, released=True)
    if not found:
        fail(f"nothing is parked as {park_id}", Exit.FINDINGS)
    shown = found[0].as_json() | {
        "bytes": len(found[0].row.record),
        "answers": [answer.value for answer in Release if why_not(found[0].row, answer) is None],
    }
    if as_json:
        write_json(shown, None)
        return
    for name, value in shown.items():
        typer.echo(f"{name:15} {', '.join(value) if isinstance(value, list) else '-' if value is None else value}")


@app.command()
def release(
    store: StoreUrl,
    kafka: Bootstrap,
    tenant: Tenant = None,
    stage: Stage = None,
    reason: Reason = None,
    connector: Connector = None,
    park_id: ParkId = None,
    everything: Annotated[bool, typer.Option("--all", help="Everything that waits, of every tenant.")] = False,
    answer: Annotated[
        Release,
        typer.Option(
            help="`again`: try again. `sent`, `not_sent`: you have looked, the effect happened or not"
            " (effect_unknown). `approve`: let the held lead go (held_by_rule). `discard`: end it here."
        ),
    ] = Release.AGAIN,
    by: Annotated[str | None, typer.Option(help="Who wants it; the user's name when not given.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be released.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    prefix: Prefix = "",
    as_json: AsJson = False,
) -> None:
    """Publish parked records again for the daemon that parked them, oldest first, or end them. Exit code 1 when some of
    the chosen ones cannot be released with this answer.

    Example: `leadbus ops parked release --tenant summit-roofing --reason crm_auth_broken --dry-run`
    """
    from ops.parked import Wanted, kinds, sorted_out

    wanted = Wanted(tenant=tenant, stage=stage, reason=reason, connector=connector, park_id=park_id)
    if not wanted and not everything:
        fail("say which ones (--tenant, --stage, --reason, --connector, --park-id), or --all", Exit.USAGE)
    if as_json and not yes and not dry_run:
        fail("--json does not ask: say --yes or --dry-run", Exit.USAGE)
    found = _found(store, wanted)
    if not found and park_id and _found(store, wanted, released=True):
        fail(f"{park_id} was released already: nothing was done", Exit.FINDINGS)
    ready, refused = sorted_out(found, answer)
    counted = kinds(ready)
    if not as_json:
        for (of, at, why), count in sorted(counted.items()):
            typer.echo(f"{of}  {at}  {why}  {count}")
        for one, why in refused.items():
            typer.echo(f"{one}: {why}", err=True)
    who = by or _user()
    done = 0
    if ready and not dry_run:
        if not yes and not typer.confirm(f"Release {len(ready)} records with the answer {answer.value}?"):
            raise typer.Exit(Exit.USAGE)
        done = _release(store, kafka, prefix, ready, answer, who, quiet=as_json)
    if as_json:
        groups = [{"tenant": t, "stage": s, "reason": r, "count": n} for (t, s, r), n in sorted(counted.items())]
        write_json({"chosen": groups, "released": done, "refused": refused, "answer": answer.value, "by": who}, None)
    else:
        typer.echo(f"{len(ready)} would be released" if dry_run else f"{done} released")
    raise typer.Exit(Exit.FINDINGS if refused else Exit.FINE)


def _list(
    store: str,
    tenant: str | None,
    stage: str | None,
    reason: str | None,
    connector: str | None,
    *,
    released: bool,
    as_json: bool,
) -> None:
    from ops.parked import Wanted

    found = _found(store, Wanted(tenant=tenant, stage=stage, reason=reason, connector=connector), released=released)
    if as_json:
        write_json({"parked": [one.as_json() for one in found]}, None)
        return
    for one in found:
        row = one.row
        typer.echo(f"{one.tenant}  {row.stage}  {row.reason}  {row.detail}  since {row.parked_at}  {row.park_id}")
    typer.echo(f"{len(found)} {'released' if released else 'parked'}")


def _found(url: str, wanted: "Wanted", *, released: bool = False) -> "list[Found]":
    from ops.parked import find

    async def work(store: "FullStore") -> "list[Found]":
        return await find(store, wanted, released=released)

    return _with_store(url, work)


def _release(url: str, kafka: str, prefix: str, ready: "list[Found]", answer: Release, by: str, *, quiet: bool) -> int:
    from connectors.bus.seam import BusError
    from consumers.releasing import CannotRelease, Releaser
    from consumers.runtime.clock import SystemClock
    from ops.parked import publishing
    from ops.parked import release as release_all

    async def work(store: "FullStore") -> int:
        async with publishing(kafka, prefix) as publish:
            releaser = Releaser(store, publish, prefix, SystemClock())
            with _progress(len(ready), quiet=quiet) as progress:
                return await release_all(releaser, ready, answer, by, progress)

    try:
        return _with_store(url, work)
    except CannotRelease as error:
        fail(str(error), Exit.FINDINGS)
    except BusError as error:
        fail(f"the broker does not take it ({error}); what was not released still waits: say the same again")


def _with_store(url: str, work: "Callable[[FullStore], Coroutine[object, object, T]]") -> "T":
    from connectors.store.opening import open_store

    async def opened() -> "T":
        store = open_store(url)
        try:
            return await work(store)
        finally:
            await store.close()

    with environment("the store cannot be read"):
        return asyncio.run(opened())


@contextmanager
def _progress(total: int, *, quiet: bool) -> "Iterator[Callable[[int], None]]":
    if quiet or total < MANY:
        yield lambda rows: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task("releasing", total=total)
        yield lambda rows: bar.advance(task, rows)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "an operator"
