"""Time, handed in: nothing in the runtime asks the operating system for it directly, except through here."""

import asyncio
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Where time comes from."""

    def now(self) -> datetime:
        """The present instant, aware, in UTC; for what is written down."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back; for durations."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait; at least let others run."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    # As it is, without a call around it: it is asked several times a record.
    monotonic = staticmethod(time.monotonic)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(seconds, 0.0))
