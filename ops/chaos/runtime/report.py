"""What a scenario found, and which of its promises were kept."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from ops.chaos.runtime.figures import Figures


@dataclass(slots=True)
class Run:
    """What a scenario found, as it is printed."""

    name: str
    accepted: int
    found: int
    figures: Figures
    promises: dict[str, bool] = field(default_factory=dict)
    more: dict[str, Any] = field(default_factory=dict)
    """Figures of this scenario alone."""
    seconds: float = 0.0
    counts: bool = True
    """Whether a broken promise is a finding: a peer's is not."""

    def promise(self, text: str, kept: bool) -> None:
        """Note whether something promised was kept."""
        self.promises[text] = kept

    @property
    def broken(self) -> list[str]:
        """The promises that were not kept."""
        return [text for text, kept in self.promises.items() if not kept]

    def as_json(self) -> dict[str, Any]:
        """One of the runs in the answer of the command."""
        figures = {name: None if value == math.inf else value for name, value in asdict(self.figures).items()}
        return {
            "name": self.name,
            "accepted": self.accepted,
            "found": self.found,
            **figures,
            "lost": len(self.figures.lost),
            **self.more,
            "seconds": round(self.seconds, 1),
            "promises": self.promises,
            "broken": self.broken,
        }


def whole(runs: Sequence[Run], *, quick: bool, left_out: Sequence[str] = ()) -> dict[str, Any]:
    """The answer of the command. What peers lose is in their runs, not in the sums; `left_out` could not be had."""
    ours = [run for run in runs if run.counts]
    return {
        "chaos": "runtime",
        "quick": quick,
        "runs": [run.as_json() for run in runs],
        "left_out": list(left_out),
        "lost": sum(len(run.figures.lost) for run in ours),
        "duplicates": sum(run.figures.duplicates for run in ours),
        "broken": [f"{run.name}: {text}" for run in ours for text in run.broken],
    }
