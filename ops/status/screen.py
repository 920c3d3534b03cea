"""The screen of `leadbus ops status` and `leadbus ops lag`: tables on a terminal, plain lines elsewhere.

Nothing is said by colour alone: a severity is a word.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ops.status.facts import BrokerFacts, GroupFacts, Status, StoreFacts
from ops.status.findings import Finding, duration

Rows = Sequence[Sequence[str]]

STYLES = {"CRITICAL": "bold red", "WARNING": "yellow", "NOTICE": "cyan"}


def show_status(console: Console, status: Status, found: Sequence[Finding]) -> None:
    """Everything on one screen, what is not well last: that is where the eye is when it is printed."""
    if status.broker is not None:
        _show_broker(console, status.broker)
    if status.store is not None:
        _show_store(console, status.store)
    _line(console, f"spool: {_spool(status)}")
    for part, why in status.unreachable.items():
        _line(console, f"UNREACHABLE {part}: {why}", STYLES["CRITICAL"])
    for finding in found:
        _line(console, f"{finding.severity.name} {finding.text}", STYLES[finding.severity.name])
        _line(console, f"    next: {finding.next}")
    if not found and not status.unreachable:
        _line(console, "nothing to do")


def show_lag(console: Console, groups: Sequence[GroupFacts], *, topic: str | None) -> None:
    """Every partition of these groups, or of one topic in them."""
    rows = [
        [
            group.daemon,
            partition.topic,
            str(partition.partition),
            str(partition.begin),
            "-" if partition.committed is None else str(partition.committed),
            str(partition.end),
            str(partition.lag),
            str(partition.finished_beyond),
            duration(partition.age),
            duration(partition.headroom),
            "halted" if partition.halted else "",
        ]
        for group in groups
        for partition in group.partitions
        if topic in (None, partition.topic)
    ]
    heads = ["daemon", "topic", "partition", "begin", "commit", "end", "lag", "done beyond", "oldest", "head-room", ""]
    _show(console, heads, rows)


def _show_broker(console: Console, broker: BrokerFacts) -> None:
    _line(console, f"broker {broker.bootstrap}: {broker.brokers} up")
    rows = [
        [
            group.daemon,
            "-" if group.members is None else str(group.members),
            str(group.lag),
            duration(group.oldest),
            duration(group.headroom),
            "HALTED" if group.halted else "",
        ]
        for group in broker.groups
    ]
    _show(console, ["daemon", "members", "lag records", "oldest open", "head-room", ""], rows)
    waiting = ", ".join(f"{tier} {count}" for tier, count in broker.retry.items())
    hour = "" if broker.dead_letters_hour is None else f", {broker.dead_letters_hour} in the last hour"
    _line(console, f"retries waiting: {waiting}")
    _line(console, f"dead letters: {broker.dead_letters}{hour}")


def _show_store(console: Console, store: StoreFacts) -> None:
    if store.parked:
        rows = [
            [p.tenant, p.stage, p.reason, ", ".join(p.connectors), str(p.count), duration(p.oldest), duration(p.due_in)]
            for p in store.parked
        ]
        _show(console, ["parked of", "stage", "reason", "connector", "records", "oldest", "due in"], rows)
    else:
        _line(console, "parked: nothing")
    rows = [
        [
            bundle.tenant,
            "none" if bundle.sequence is None else str(bundle.sequence),
            (bundle.commit or "-")[:12],
            duration(bundle.age),
        ]
        for bundle in store.bundles
    ]
    _show(console, ["tenant", "bundle", "commit", "live for"], rows)


def _spool(status: Status) -> str:
    if status.gateway is None:
        return "not asked (say --gateway URL)"
    if status.gateway.spool is None:
        return "none"
    return ", ".join(f"{name} {value}" for name, value in status.gateway.spool.items())


def _show(console: Console, heads: Sequence[str], rows: Rows) -> None:
    if not rows:
        return
    if not console.is_terminal:
        for row in (heads, *rows):
            _line(console, "  ".join(_padded(row, [heads, *rows])).rstrip())
        return
    table = Table(*heads)
    for row in rows:
        table.add_row(*map(escape, row))
    console.print(table)


def _padded(row: Sequence[str], rows: Rows) -> Iterable[str]:
    widths = [max(len(cells[column]) for cells in rows) for column in range(len(row))]
    return (cell.ljust(width) for cell, width in zip(row, widths, strict=True))


def _line(console: Console, text: str, style: Any = None) -> None:
    console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)
