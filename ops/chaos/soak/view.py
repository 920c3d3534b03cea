"""How a soak looks while it runs: one live line block on a terminal, a plain line every ten seconds elsewhere."""

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

PLAIN_SECONDS = 10.0


class SoakView:
    """Time left, rates, and what happened last."""

    def __init__(self, console: Console, seconds: float) -> None:
        self._console = console
        self._total = seconds
        self._live = console.is_terminal
        self._last_plain = -PLAIN_SECONDS
        self._event = ""
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[figures]}"),
            TextColumn("[dim]{task.fields[event]}[/dim]"),
            console=console,
            disable=not self._live,
        )
        self._task = self._bar.add_task("soak", total=seconds, figures="", event="")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def say(self, text: str) -> None:
        """One line that stays."""
        self._console.print(text, highlight=False, markup=False)

    def happened(self, what: str, about: Mapping[str, Any]) -> None:
        """Something was disturbed or came back."""
        self._event = " ".join([what, *(str(value) for value in about.values() if value not in (None, ""))])[:70]

    def update(self, phase: str, seconds: float, figures: str) -> None:
        """Where the run stands."""
        if self._live:
            self._bar.update(
                self._task, description=phase, completed=min(seconds, self._total), figures=figures, event=self._event
            )
        elif seconds - self._last_plain >= PLAIN_SECONDS:
            self._last_plain = seconds
            left = max(self._total - seconds, 0.0)
            self._console.print(
                f"  {seconds:5.0f} s  {phase}, {left:.0f} s left  {figures}  {self._event}",
                highlight=False,
                markup=False,
                soft_wrap=True,
            )
