"""Time limits for handlers, with one timer for all of them.

`asyncio.timeout` sets and unsets a timer for each use, which costs more than a handler that has nothing to wait for.
All handlers of a daemon have the same limit, so the one that has run longest is the next to be over it: one timer for
that one is enough, and beginning and ending cost a dictionary entry.
"""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

R = TypeVar("R")


class Overrun(Exception):
    """What was awaited took longer than the limit, and was cancelled."""


class Deadlines:
    """For one limit, in one event loop."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._since: dict[asyncio.Task[object], float] = {}
        """When each task came under the limit, the longest ago first."""
        self._over: set[asyncio.Task[object]] = set()
        """Those of them that were cancelled for it."""
        self._timer: asyncio.TimerHandle | None = None

    async def within(self, work: Awaitable[R]) -> R:
        """Await it; Overrun when it takes longer than the limit. Not to be nested in one task."""
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None
        cancelled_before = task.cancelling()
        self._since[task] = loop.time()
        if self._timer is None:
            self._timer = loop.call_later(self._seconds, self._look)
        try:
            return await work
        except asyncio.CancelledError:
            # Somebody else may have cancelled the task too, and is then the one to be obeyed.
            if task in self._over:
                self._over.discard(task)
                if task.uncancel() <= cancelled_before:
                    raise Overrun from None
            raise
        finally:
            del self._since[task]
            if task in self._over:  # it went on to its end all the same
                self._over.discard(task)
                task.uncancel()

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = None
        for task, since in self._since.items():
            left = since + self._seconds - loop.time()
            if left > 0:
                self._timer = loop.call_later(left, self._look)
                return
            if task not in self._over:
                self._over.add(task)
                task.cancel()
