"""What all sandbox servers share: clock, limits, credentials, faults, recordings, and the vendors' rate windows.

Handed to every vendor module, so that a test can bring its own clock or limits and nothing is global.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from ops.sandbox.credentials import Credentials
from ops.sandbox.faults import FaultBook
from ops.sandbox.recordings import RecordingIndex

JsonObject: TypeAlias = dict[str, Any]


class Clock(Protocol):
    """Where the sandbox takes the time from."""

    def now(self) -> datetime:
        """Wall-clock time in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go backwards."""
        ...


class SystemClock:
    """The machine's own time."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()


class SandboxLimits(BaseModel):
    """The vendors' limits, as the vendors document them for a mid-size plan. All can be set for a test."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    hubspot_per_10s: int = Field(190, ge=1)
    hubspot_daily: int = Field(650_000, ge=1)
    salesforce_daily: int = Field(100_000, ge=1)
    pipedrive_burst_per_2s: int = Field(120, ge=1)
    pipedrive_search_per_2s: int = Field(10, ge=1)
    pipedrive_daily_tokens: int = Field(150_000, ge=1)
    pipedrive_search_lag_s: float = Field(0.3, ge=0)
    callrail_per_hour: int = Field(1_000, ge=1)
    speech_recognize_max_s: float = Field(60.0, gt=0)
    speech_stream_max_s: float = Field(300.0, gt=0)


class RollingWindow:
    """Counts what was spent in the last `seconds`."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._spent: deque[tuple[float, int]] = deque()
        self._total = 0

    def used(self, at: float) -> int:
        """What was spent in the window that ends `at` (monotonic seconds)."""
        while self._spent and self._spent[0][0] <= at - self.seconds:
            self._total -= self._spent.popleft()[1]
        return self._total

    def take(self, at: float, limit: int, cost: int = 1) -> bool:
        """Spend `cost` unless that would go over `limit`; says whether it was spent."""
        if self.used(at) + cost > limit:
            return False
        self._spent.append((at, cost))
        self._total += cost
        return True

    def free_in(self, at: float) -> float:
        """Seconds until the oldest spending leaves the window; 0 when nothing was spent."""
        self.used(at)
        return max(0.0, self._spent[0][0] + self.seconds - at) if self._spent else 0.0


@dataclass
class World:
    """Everything a vendor module may look at beyond its own state. `limits` can be replaced while running."""

    recordings: RecordingIndex
    credentials: Credentials = field(default_factory=Credentials)
    limits: SandboxLimits = field(default_factory=lambda: SandboxLimits())
    faults: FaultBook = field(default_factory=FaultBook)
    clock: Clock = field(default_factory=SystemClock)

    def timestamp(self) -> str:
        """Now, as ISO 8601 with milliseconds and Z."""
        return self.clock.now().isoformat(timespec="milliseconds").replace("+00:00", "Z")
