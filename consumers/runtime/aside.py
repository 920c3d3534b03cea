"""Records whose end is not known yet, and which must not take a slot until it is.

`process` raises `Later` for such a record. It is then awaited apart from the slots: it holds up neither other records,
nor a rebalance, nor a drain. Its offset stays open meanwhile. Records behind it, also those of its lane, go on: only
what failed is put aside, and what failed is overtaken anyway.

Promise: every end is awaited or dropped. What is cancelled stays open, and is read again by whoever owns the partition
next.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

R = TypeVar("R")


class Later(Exception):
    """`end` is to be awaited outside the slots: when it returns, the record is finished. `drop` when it will not be."""

    def __init__(self, end: Callable[[], Awaitable[None]], drop: Callable[[], None]) -> None:
        super().__init__("the record's end is not known yet")
        self.end = end
        self.drop = drop


class Aside(Generic[R]):
    """What was put aside."""

    def __init__(self, finished: Callable[[R], None], failed: Callable[[R, Exception], None]) -> None:
        """`finished` is told of each record whose end has come; `failed` of a fault of ours, the record stays open."""
        self._finished = finished
        self._failed = failed
        self._tasks: dict[asyncio.Task[None], R] = {}

    def __len__(self) -> int:
        return len(self._tasks)

    def put(self, record: R, later: Later) -> None:
        """Await its end; never blocks."""
        task = asyncio.create_task(self._await(record, later))
        self._tasks[task] = record
        task.add_done_callback(lambda done: self._forget(done, later))

    async def cancel(self, unwanted: Callable[[R], bool]) -> int:
        """Leave these open; returns how many they were, once nothing is done about them any more."""
        ending = [task for task, record in self._tasks.items() if unwanted(record)]
        for task in ending:
            task.cancel()
        if ending:
            await asyncio.wait(ending)
        return len(ending)

    async def _await(self, record: R, later: Later) -> None:
        try:
            await later.end()
        except Exception as error:  # noqa: BLE001  whatever it is, the offset must stay open and others must go on
            self._failed(record, error)
        else:
            self._finished(record)

    def _forget(self, task: asyncio.Task[None], later: Later) -> None:
        # A task that is cancelled before it began never ran any of its own code.
        self._tasks.pop(task, None)
        later.drop()
