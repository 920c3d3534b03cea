"""How many calls one connector may have under way, so that a slow tenant cannot take the threads of the others.

Synchronous libraries run in a thread pool of our own (the loop's default pool has cores + 4 threads). A thread cannot
be cancelled: when the caller is, the slot stays taken until the call has really ended, and its result is dropped.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor
from contextlib import asynccontextmanager
from typing import TypeVar

T = TypeVar("T")

WIDTH = 8
"""Calls that one connector may have under way."""


class Slots:
    """The slots of one connector."""

    def __init__(self, threads: Executor, width: int = WIDTH) -> None:
        self._threads = threads
        self._free = asyncio.Semaphore(width)

    async def in_thread(self, call: Callable[[], T]) -> T:
        """Run a blocking call; what it raises is raised here."""
        await self._free.acquire()
        try:
            running = asyncio.get_running_loop().run_in_executor(self._threads, call)
        except BaseException:
            self._free.release()
            raise
        running.add_done_callback(self._ended)
        return await asyncio.shield(running)

    @asynccontextmanager
    async def taken(self) -> AsyncIterator[None]:
        """Hold a slot during an asynchronous call."""
        async with self._free:
            yield

    def _ended(self, running: "asyncio.Future[T]") -> None:
        self._free.release()
        if not running.cancelled():
            # Reading the error marks it as seen, for the case that the caller was cancelled and nobody else will.
            running.exception()
