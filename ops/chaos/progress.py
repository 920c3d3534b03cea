"""Where a fault run is: on a terminal a bar with the rate and the time left, elsewhere a line for each part that ends.

The time left is told from the parts that have ended so far, so it is a guess: parts differ in length, and several may
run at a time. `progress` may be told of ends by several threads.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Column

BAR_WIDTH = 12

Ended = Callable[[str], None]
"""Told of each part that has ended, in words."""


@contextlib.contextmanager
def progress(console: Console, parts: int, *, monotonic: Callable[[], float] = time.monotonic) -> Iterator[Ended]:
    """Shows `parts` parts; fits into 80 columns."""
    bar = Progress(
        TextColumn("{task.description}", markup=False, table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis")),
        BarColumn(bar_width=BAR_WIDTH),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[pace]}", markup=False),
        console=console,
        expand=True,
        disable=not console.is_terminal,
    )
    began, done, lock = monotonic(), 0, threading.Lock()
    with bar:
        task = bar.add_task("", total=parts, pace="")

        def ended(text: str) -> None:
            nonlocal done
            with lock:
                done += 1
                told = pace(done, parts, monotonic() - began)
                bar.update(task, description=text, completed=done, pace=told)
                if not console.is_terminal:
                    line = f"ended {done}/{parts}: {text} ({told})"
                    console.print(line, highlight=False, markup=False, soft_wrap=True)

        yield ended


def pace(done: int, parts: int, seconds: float) -> str:
    """Rate and time left, in words, once `done` of `parts` have ended in `seconds`."""
    rate = done * 60 / max(seconds, 0.001)
    left = (parts - done) * seconds / done if done else 0.0
    return f"{rate:.1f}/min, {span(left)} left" if done < parts else f"{rate:.1f}/min, {span(seconds)} in all"


def span(seconds: float) -> str:
    """`45 s`, `3 min`."""
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
