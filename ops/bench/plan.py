"""How much is measured: a whole run for figures to quote, or a quick one to see that everything works."""

from collections.abc import Callable
from dataclasses import dataclass

Tell = Callable[[str], None]
"""Hears of each turn before it runs."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """Numbers of records, and seconds after which a slow contestant may stop; its rate counts all the same."""

    runs: int = 5
    noop_records: int = 100_000
    noop_seconds: float = 5.0
    slow_seconds: float = 3.0
    """For contestants that commit after every record."""
    timed_records: int = 600
    timed_a_second: int = 200
    slot_records: int = 2_000
    slots: int = 500
    crowd_a_second: int = 300
    """Records of which 80 % share a key; what waits of it fits into a partition's window."""
    flood_a_second: int = 2_000
    """The same, and the window is soon full."""
    hot_seconds: float = 5.0
    leads: int = 2_000
    paced_leads: int = 200
    paced_a_second: float = 50.0


def sizes(*, runs: int, quick: bool) -> Sizes:
    """The sizes of a call; a quick one runs everything once or as often as asked, and small."""
    if not quick:
        return Sizes(runs=runs)
    return Sizes(
        runs=runs,
        noop_records=20_000,
        noop_seconds=2.0,
        slow_seconds=1.0,
        timed_records=100,
        slot_records=1_000,
        hot_seconds=2.0,
        leads=500,
        paced_leads=50,
    )
