"""The demo as people see it: a live view on a terminal, plain lines elsewhere, and the end of the story.

Reads the balance that the watcher fills; shows nothing personal beyond what the invented day itself contains.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from ops.demo.balance import Balance

STAGES = (
    ("inbound.calls", "calls in"),
    ("inbound.messages", "messages in"),
    ("transcribed", "transcribed"),
    ("analyzed", "scored"),
    ("decided", "decided"),
    ("deliver", "orders"),
    ("outcomes", "final states"),
    ("dead-letters", "dead letters"),
)


class DemoView:
    """Shows a run; `quiet` shows nothing at all (machines read the report)."""

    def __init__(self, console: Console, total: int, *, quiet: bool = False) -> None:
        self._console = console
        self._quiet = quiet
        self._progress = Progress(
            TextColumn("{task.description:<24}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
        )
        self._sent = self._progress.add_task("webhooks sent", total=total, rate="")
        self._done = self._progress.add_task("events ended", total=None, rate="")
        self._recent: deque[str] = deque(maxlen=6)
        self._shown = 0
        self._last_line = ""
        self._seconds = 0.0
        live = console.is_terminal and not quiet
        self._live = Live(console=console, refresh_per_second=8, transient=True) if live else None

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def say(self, text: str) -> None:
        """One line that stays."""
        if not self._quiet:
            self._console.print(text, highlight=False)

    def update(self, sent: int, balance: Balance, seconds: float) -> None:
        """Show where the run stands; `seconds` since the first webhook."""
        events = len(balance.events)
        ended = events - len(balance.open())
        rate = f"{ended / seconds:5.1f}/s" if seconds > 0.5 else ""
        self._progress.update(self._sent, completed=sent, rate="")
        self._progress.update(self._done, completed=ended, total=max(events, 1), rate=rate)
        fresh = balance.decisions[self._shown :]
        self._shown += len(fresh)
        self._recent.extend(fresh)
        if self._live is not None:
            self._live.update(self._screen(balance))
        elif not self._quiet and seconds - self._seconds >= 1.0:
            self._seconds = seconds
            line = f"{sent} sent, {ended} of {events} events ended, {balance.states['delivered']} deliveries"
            if line != self._last_line:
                self._last_line = line
                self._console.print(f"  {seconds:5.1f} s  {line}", highlight=False)

    def _screen(self, balance: Balance) -> Group:
        table = Table.grid(padding=(0, 3))
        for _ in STAGES:
            table.add_column(justify="center")
        table.add_row(*(Text(str(balance.stages[stage]), style="bold") for stage, _ in STAGES))
        table.add_row(*(Text(title, style="dim") for _, title in STAGES))
        decisions = Text("\n".join(self._recent) or "waiting for the first decision", overflow="ellipsis", no_wrap=True)
        return Group(Panel(table, title="on the way"), Panel(decisions, title="decided just now"), self._progress)


def show_report(console: Console, report: Mapping[str, Any], kept: Sequence[str]) -> None:
    """What is now in each system, the final states, latencies and cost."""
    crm = Table(title="in the customers' systems", title_justify="left", show_edge=False)
    crm.add_column("system")
    crm.add_column("records")
    for vendor, kinds in report["contents"].items():
        crm.add_row(vendor, ", ".join(f"{count} {kind}" for kind, count in kinds.items()))
    console.print(crm)
    states = Table(title="how everything ended", title_justify="left", show_edge=False)
    states.add_column("state")
    states.add_column("steps and phases", justify="right")
    for state, count in sorted(report["states"].items()):
        states.add_row(state, str(count))
    states.add_row("parked (open)", str(report["parked"]))
    console.print(states)
    for line in kept:
        console.print(f"  {line}", highlight=False, markup=False)
    gateway, whole = report["latency_ms"]["gateway"], report["latency_ms"]["end_to_end"]
    console.print(
        f"{report['sent']} sent = {report['accepted']} accepted + {report['rejected']} refused; "
        f"{report['accepted']} accepted = {report['events']} events + {report['repeated']} told twice; "
        f"{report['leads']} leads, {report['deliveries']} deliveries, {report['lost']} lost, "
        f"{report['duplicates']} doubled.",
        highlight=False,
    )
    console.print(
        f"gateway p50 {gateway['p50']:.0f} ms, p99 {gateway['p99']:.0f} ms; webhook to final state p50 "
        f"{whole['p50'] / 1000:.1f} s, p99 {whole['p99'] / 1000:.1f} s; models would have cost "
        f"{report['cost_usd']:.4f} USD; {report['seconds']:.1f} s in all.",
        highlight=False,
    )
