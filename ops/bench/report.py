"""What a measurement says: rows of ours beside a peer's, and the machine they were measured on.

    {"bench", "machine", "results": [{"name", "unit", "ours", "peer", "peer_value", "ratio", "runs", …}]}

`ours` and `peer_value` are medians over the runs, `ratio` is ours over the peer's, `runs` holds every single value. A
row without a peer has null for it. `better` says whether more or less is better, `goal` what was aimed at (a ratio, or
a value where there is no peer), `note` how to read the row.
"""

import os
import platform
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

Better = Literal["higher", "lower"]


@dataclass(frozen=True, slots=True)
class Result:
    """One row."""

    name: str
    unit: str
    ours: float
    peer: str | None
    peer_value: float | None
    ratio: float | None
    runs: dict[str, list[float]]
    better: Better = "higher"
    goal: float | None = None
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None where there is none."""
        if self.goal is None:
            return None
        value = self.ours if self.ratio is None else self.ratio
        return value >= self.goal if self.better == "higher" else value <= self.goal


def compare(
    name: str,
    unit: str,
    ours: Sequence[float],
    peer: str | None = None,
    theirs: Sequence[float] = (),
    *,
    better: Better = "higher",
    goal: float | None = None,
    note: str = "",
) -> Result:
    """A row from the values of all runs; ValueError when a side was never run."""
    if not ours or (peer is not None and not theirs):
        raise ValueError(f"{name}: nothing was measured")
    mine = statistics.median(ours)
    peers = statistics.median(theirs) if peer is not None else None
    runs = {"ours": [_short(value) for value in ours]}
    if peer is not None:
        runs["peer"] = [_short(value) for value in theirs]
    return Result(
        name=name,
        unit=unit,
        ours=_short(mine),
        peer=peer,
        peer_value=None if peers is None else _short(peers),
        ratio=_short(mine / peers) if peers else None,
        runs=runs,
        better=better,
        goal=goal,
        note=note,
    )


@dataclass(slots=True)
class Report:
    """All rows of one call."""

    bench: str
    machine: dict[str, Any] = field(default_factory=dict)
    results: list[Result] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """The report of `--json`."""
        return {"bench": self.bench, "machine": self.machine, "results": [asdict(row) for row in self.results]}


def this_machine() -> dict[str, Any]:
    """What figures depend on, as far as it can be seen; never a host's or a person's name."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return {
        "cpus": os.cpu_count(),
        "cpu": _cpu_model(),
        "memory_gib": _memory_gib(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "load_before": None if load is None else round(load, 2),
    }


def _cpu_model() -> str | None:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or None


def _memory_gib() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3, 1)
    except (ValueError, OSError, AttributeError):
        return None


def _short(value: float) -> float:
    """Four significant digits: more is noise."""
    return float(f"{value:.4g}")
