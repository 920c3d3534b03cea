"""What every contestant measures of itself, and the one JSON line in which it answers.

Run by the peers' own Pythons, so it imports the standard library only. A contestant reads its order as JSON from
standard input and calls `Tally.one` in its handler; time and CPU count from the first record handled, so nobody's
start-up is counted.

    order    {"bootstrap", "topic", "group", "records", "max_seconds", …}
    answer   {"records", "seconds", "cpu_seconds", "rss_peak_mib", "delay_p50", "delay_p99", …}

`timed` in the order asks how long records lay on the topic before their handler ran (by the stamps of their producer,
which must be on the same machine). Those that were there before it had warmed up are let pass uncounted.
"""

import json
import math
import os
import resource
import sys
import time
from typing import Any

WARM_UP_SECONDS = 1.0


class Tally:
    """Counts what is handled, and knows when it is enough: `records` of them, or `max_seconds` after the first."""

    def __init__(self, order: dict[str, Any]) -> None:
        self.wanted = int(order["records"])
        self.max_seconds = float(order["max_seconds"])
        self.count = 0
        self.began = 0.0
        self.ended = 0.0
        self._cpu = 0.0
        self._cpu_used = 0.0
        self.timed = bool(order.get("timed"))
        self.delays: list[float] = []
        """Seconds, of the handlers that were timed."""
        self._warm_at = 0.0

    def start(self) -> None:
        """The first record is in hand; later calls change nothing."""
        if not self.began:
            self._cpu = cpu_seconds()
            self.began = time.perf_counter()

    def one(self, records: int = 1) -> bool:
        """Count what has been handled; True once it is enough."""
        if not self.began:
            self.start()
        now = time.perf_counter()
        self.count += records
        self.ended = now
        return self.count >= self.wanted or now - self.began > self.max_seconds

    def overdue(self) -> bool:
        """Whether the time is over, though no record came of late; or there is nothing left to wait for."""
        return bool(self.began) and (self.wanted <= self.count or time.perf_counter() - self.began > self.max_seconds)

    def one_timed(self, timestamp_ms: float) -> bool:
        """The same for a record of that stamp, counted only once warm."""
        now = time.time()
        if not self._warm_at:
            self._warm_at = now + WARM_UP_SECONDS
        if timestamp_ms / 1000 < self._warm_at:
            return False
        self.delays.append(now - timestamp_ms / 1000)
        return self.one()

    def stamp(self) -> None:
        """All is handled and committed, or as much of that as this library shows."""
        self.ended = time.perf_counter()
        self._cpu_used = cpu_seconds() - self._cpu

    def answer(self, **more: Any) -> dict[str, Any]:
        """The answer, before it is written."""
        return {
            "records": self.count,
            "seconds": self.ended - self.began,
            "cpu_seconds": self._cpu_used,
            "rss_peak_mib": rss_peak_mib(),
            "delay_p50": percentile(self.delays, 0.5),
            "delay_p99": percentile(self.delays, 0.99),
            **more,
        }


def late_by(starts: list[float], slots: int, seconds: float) -> list[float]:
    """How late the k-th start was, in seconds: ideally it comes `k // slots` handlers after the first."""
    times = sorted(starts)
    return [at - times[0] - (k // slots) * seconds for k, at in enumerate(times)]


def percentile(values: list[float], share: float) -> float:
    """The smallest value that at least `share` (0 to 1) of the values do not exceed; 0.0 of none."""
    if not values:
        return 0.0
    ordered = sorted(values)
    return ordered[max(0, min(len(ordered), math.ceil(share * len(ordered))) - 1)]


def cpu_seconds() -> float:
    """User and system time of this process so far."""
    spent = os.times()
    return spent.user + spent.system


def rss_peak_mib() -> float:
    """The most memory this process has had resident."""
    # Linux carries `ru_maxrss` over from the process that started this one; the status file begins anew.
    try:
        with open("/proc/self/status", encoding="ascii", errors="replace") as status:  # noqa: PTH123
            for line in status:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) / 1024
    except OSError:
        pass
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024 * 1024 if sys.platform == "darwin" else 1024)


def read_order() -> dict[str, Any]:
    """The order on standard input."""
    order = json.load(sys.stdin)
    assert isinstance(order, dict)
    return order


def write_answer(answer: dict[str, Any]) -> None:
    """The answer on standard output."""
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()
