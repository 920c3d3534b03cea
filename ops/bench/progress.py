"""Where a bench is: a bar with the turns done and the time left on a terminal, one line a turn elsewhere."""

import contextlib
from collections.abc import Iterator

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from ops.bench.report import Report, Result

TABLE_WIDTH = 140


class Teller:
    """Call it before each turn."""

    def __init__(self, console: Console, bar: Progress, turns: int) -> None:
        self._console = console
        self._bar = bar
        self._turns = turns
        self._begun = 0
        self._task = bar.add_task("", total=turns)

    def __call__(self, text: str) -> None:
        """A turn begins, so the one before has ended."""
        self._begun += 1
        self._bar.update(self._task, completed=self._begun - 1)
        self.note(f"{self._begun}/{self._turns} {text}")

    def note(self, text: str) -> None:
        """What happens now, between turns."""
        self._bar.update(self._task, description=text)
        if not self._console.is_terminal:
            self._console.print(text, highlight=False, markup=False)


@contextlib.contextmanager
def progress(console: Console, turns: int) -> Iterator[Teller]:
    """Shows `turns` turns."""
    bar = Progress(
        TextColumn("{task.description:<60}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
        transient=True,
    )
    with bar:
        yield Teller(console, bar, turns)


def show(console: Console, report: Report) -> None:
    """The rows for people: a table on a terminal that is wide enough, else a line a row."""
    if console.is_terminal and console.width >= TABLE_WIDTH:
        console.print(_table(report))
        return
    console.print(f"{report.bench}: medians", highlight=False, markup=False)
    for row in report.results:
        console.print(_line(row), highlight=False, markup=False, soft_wrap=True)
    console.print(_machine(report), highlight=False, markup=False, soft_wrap=True)


def _line(row: Result) -> str:
    words = f"{row.name}: {_number(row.ours)} {row.unit}"
    if row.peer is not None:
        words += f"; {row.peer}: {_number(row.peer_value)}"
    if row.ratio is not None:
        words += f"; ratio {row.ratio:.2f}"
    goal = _goal(row)
    return f"{words} ({goal})" if goal else words


def _table(report: Report) -> Table:
    shown = Table(title=f"bench {report.bench}: medians", title_justify="left", caption=_machine(report))
    for name in ("what", "unit", "ours", "beside", "theirs", "ratio", "goal"):
        shown.add_column(name, justify="right" if name in ("ours", "theirs", "ratio") else "left", overflow="fold")
    for row in report.results:
        shown.add_row(
            row.name,
            row.unit,
            _number(row.ours),
            row.peer or "",
            _number(row.peer_value),
            "" if row.ratio is None else f"{row.ratio:.2f}",
            _goal(row),
        )
    return shown


def _goal(row: Result) -> str:
    if row.goal is None:
        return "less is better" if row.better == "lower" else ""
    return f"{'≥' if row.better == 'higher' else '≤'} {row.goal:g} {'met' if row.met else 'missed'}"


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:g}"


def _machine(report: Report) -> str:
    return " · ".join(f"{name}: {value}" for name, value in report.machine.items() if value is not None)
