"""The screen of `leadbus ops status` and `leadbus ops lag`: tables on a terminal, plain lines elsewhere.

Everything can be read at 80 columns: what is too long for its column goes on in the next line, nothing is cut off.
Nothing is said by colour alone: a severity is a word. What came with a record is shown without its control characters.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from ops.status.facts import BrokerFacts, GroupFacts, ParkedFacts, PartitionFacts, Status, StoreFacts
from ops.status.findings import BY_CONNECTOR, Finding, duration, records

Rows = Sequence[Sequence[str]]

STYLES = {"CRITICAL": "bold red", "WARNING": "yellow", "NOTICE": "cyan"}
LAG_HEADS = ("partition", "begin", "commit", "end", "lag", "done beyond", "oldest", "head-room", "")


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


def show_lag(console: Console, groups: Sequence[GroupFacts], *, topic: str | None, quiet: bool = False) -> None:
    """The partitions of these groups, or of one topic in them, in which something waits; with `quiet` all of them."""
    plain: list[list[str]] = []
    for group in groups:
        rows: dict[str, list[list[str]]] = {}
        left_out: list[PartitionFacts] = []
        for partition in group.partitions:
            if topic not in (None, partition.topic):
                continue
            if partition.quiet and not quiet:
                left_out.append(partition)
            else:
                rows.setdefault(partition.topic, []).append(_lag_row(partition))
        for name, found in rows.items():
            plain += [[group.daemon, name, *row] for row in found]
            if console.is_terminal:
                _line(console, f"{group.daemon}, {name}", "bold")
                _show(console, LAG_HEADS, found)
        if left_out and console.is_terminal:
            topics = len({partition.topic for partition in left_out})
            _line(console, f"{group.daemon}: nothing waits in {len(left_out)} partitions of {topics} topics (--all)")
    if not console.is_terminal:
        _show(console, ["daemon", "topic", *LAG_HEADS], plain)
        if not plain:
            _line(console, "nothing waits (--all shows every partition)")


def _lag_row(partition: PartitionFacts) -> list[str]:
    return [
        str(partition.partition),
        str(partition.begin),
        "-" if partition.committed is None else str(partition.committed),
        str(partition.end),
        str(partition.lag),
        str(partition.finished_beyond),
        duration(partition.age),
        duration(partition.headroom),
        _marks(partition),
    ]


def _marks(partition: PartitionFacts) -> str:
    return ", ".join(
        [*(["halted"] if partition.halted else []), *([f"{partition.expired} LOST"] if partition.expired else [])]
    )


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
    _line(console, f"retries waiting: {waiting or 'not known'}")
    _line(console, f"dead letters: {broker.dead_letters}{hour}")


def _show_store(console: Console, store: StoreFacts) -> None:
    if store.parked:
        rows = [
            [p.tenant, p.stage, p.reason, str(p.count), duration(p.oldest), duration(p.due_in)] for p in store.parked
        ]
        _show(console, ["parked of", "stage", "reason", "records", "oldest", "due in"], rows)
    else:
        _line(console, "parked: nothing")
    paused = [parked for parked in store.parked if parked.reason in BY_CONNECTOR]
    _line(console, "connectors paused: " + ("; ".join(map(_paused, paused)) or "none"))
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


def _paused(parked: ParkedFacts) -> str:
    names = ", ".join(parked.connectors) or "one that is not named"
    return f"{names} of {parked.tenant} ({parked.reason}, {records(parked.count)}, {duration(parked.oldest)})"


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
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    for head in heads:
        table.add_column(head, overflow="fold")
    for row in rows:
        table.add_row(*(escape(_printable(cell)) for cell in row))
    console.print(Padding(table, (0, 0, 1, 2)))


def _padded(row: Sequence[str], rows: Rows) -> Iterable[str]:
    widths = [max(len(cells[column]) for cells in rows) for column in range(len(row))]
    return (cell.ljust(width) for cell, width in zip(row, widths, strict=True))


def _line(console: Console, text: str, style: Any = None) -> None:
    console.print(_printable(text), style=style, markup=False, highlight=False, soft_wrap=True)


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)
