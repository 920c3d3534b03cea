"""`leadbus ops status` and `leadbus ops lag`: how the installation stands, and what to type next."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ops.cli.answers import Exit, fail, write_json

if TYPE_CHECKING:
    from ops.status.facts import BrokerFacts, GroupFacts, Status

Bootstrap = Annotated[str, typer.Option("--kafka", envvar="LEADBUS_KAFKA_BOOTSTRAP", help="host:port of the brokers.")]
Prefix = Annotated[str, typer.Option("--prefix", envvar="LEADBUS_TOPIC_PREFIX", help="Prefix of the topics' names.")]
StoreUrl = Annotated[str, typer.Option("--store", envvar="LEADBUS_STORE_URL", help="spanner://… or sqlite:///…")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(status)
    app.command()(lag)


def status(
    kafka: Bootstrap,
    store: StoreUrl,
    gateway: Annotated[str | None, typer.Option(help="http://HOST:PORT of a gateway, to be asked too.")] = None,
    prefix: Prefix = "",
    as_json: AsJson = False,
) -> None:
    """Show broker, daemons, retries, dead letters, parked records, connectors, bundles and spool on one screen, with
    the next command for whatever is not well. Exit code 1 on findings, 3 when a part does not answer.

    Example: `leadbus ops status --kafka localhost:9092 --store sqlite:///var/leadbus.db`
    """
    from rich.console import Console

    from ops.status.findings import findings
    from ops.status.screen import show_status

    seen = asyncio.run(_look(kafka, store, gateway, prefix))
    found = findings(seen)
    if as_json:
        write_json(
            {
                "broker": None if seen.broker is None else _broker(seen.broker),
                "store": None if seen.store is None else asdict(seen.store),
                "gateway": None if seen.gateway is None else asdict(seen.gateway),
                "unreachable": seen.unreachable,
                "findings": [
                    {"severity": finding.severity.name.lower(), "text": finding.text, "next": finding.next}
                    for finding in found
                ],
            },
            None,
        )
    else:
        show_status(Console(), seen, found)
    if seen.unreachable:
        fail("; ".join(f"{part}: {why}" for part, why in seen.unreachable.items()))
    raise typer.Exit(Exit.FINDINGS if found else Exit.FINE)


def lag(
    kafka: Bootstrap,
    daemon: Annotated[str | None, typer.Option(help="Only this daemon.")] = None,
    topic: Annotated[str | None, typer.Option(help="Only this topic (without the prefix).")] = None,
    every: Annotated[bool, typer.Option("--all", help="Also the partitions in which nothing waits.")] = False,
    prefix: Prefix = "",
    as_json: AsJson = False,
) -> None:
    """Show where each daemon stands in each partition: commit, end, records behind, what is finished beyond the
    commit, the age of the first unfinished record, and the time until retention removes it. Partitions in which
    nothing waits are left out; `--json` has all of them.

    Example: `leadbus ops lag --daemon delivery`
    """
    from rich.console import Console

    from ops.status.broker import Unreachable, look_at_broker
    from ops.status.screen import show_lag

    try:
        facts = look_at_broker(kafka, prefix=prefix)
    except Unreachable as error:
        fail(str(error))
    groups = [*facts.groups, facts.letters]
    if daemon is not None and daemon not in (names := {group.daemon for group in groups}):
        fail(f"there is no daemon {daemon!r}; there are {', '.join(sorted(names))}", Exit.USAGE)
    if topic is not None and topic not in (names := {p.topic for group in groups for p in group.partitions}):
        fail(f"no daemon reads {topic!r}; they read {', '.join(sorted(names))}", Exit.USAGE)
    groups = [group for group in groups if daemon in (None, group.daemon)]
    if as_json:
        write_json({"groups": _told(groups, topic)}, None)
    else:
        show_lag(Console(), groups, topic=topic, quiet=every)


async def _look(kafka: str, store: str, gateway: str | None, prefix: str) -> "Status":
    from connectors.store.seam import StoreError
    from ops.status.asked import look_at_gateway
    from ops.status.broker import Unreachable, look_at_broker
    from ops.status.facts import Status
    from ops.status.stored import look_at_store

    unreachable: dict[str, str] = {}
    broker, stored, asked = await asyncio.gather(
        asyncio.to_thread(look_at_broker, kafka, prefix=prefix),
        look_at_store(store),
        asyncio.to_thread(look_at_gateway, gateway) if gateway else _nothing(),
        return_exceptions=True,
    )
    if isinstance(broker, Unreachable):
        unreachable["broker"] = str(broker)
    if isinstance(stored, StoreError | TimeoutError | OSError):
        unreachable["store"] = f"{store} does not answer ({stored or type(stored).__name__})"
    if isinstance(asked, OSError | ValueError):
        unreachable["gateway"] = f"{gateway} does not answer ({asked}); start it with `leadbus gateway`"
    for result, part in ((broker, "broker"), (stored, "store"), (asked, "gateway")):
        if isinstance(result, BaseException) and part not in unreachable:
            raise result  # a fault of ours
    return Status(
        broker=None if isinstance(broker, BaseException) else broker,
        store=None if isinstance(stored, BaseException) else stored,
        gateway=None if isinstance(asked, BaseException) else asked,
        unreachable=unreachable,
    )


def _broker(facts: "BrokerFacts") -> dict[str, Any]:
    told = asdict(facts)
    del told["letters"]
    groups = [{name: value for name, value in group.items() if name != "partitions"} for group in _told(facts.groups)]
    return {**told, "groups": groups, "dead_letters": facts.dead_letters}


async def _nothing() -> None:
    return None


def _told(groups: "Sequence[GroupFacts]", topic: str | None = None) -> list[dict[str, Any]]:
    return [
        {
            "daemon": group.daemon,
            "group": group.group,
            "members": group.members,
            "lag_records": group.lag,
            "lag_seconds": group.oldest,
            "retention_headroom_seconds": group.headroom,
            "expired": group.expired,
            "halted": group.halted,
            "partitions": [
                {**asdict(partition), "lag": partition.lag}
                for partition in group.partitions
                if topic in (None, partition.topic)
            ],
        }
        for group in groups
    ]
