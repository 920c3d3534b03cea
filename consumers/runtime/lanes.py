"""Slots and lanes: which record is worked on next.

A record waits in the queue of its tenant; free slots go round the tenants that have something waiting, so one tenant's
flood costs another at most one slot's time. Records of the same lane (a key, where the daemon asks for order) are
worked on one after the other; a record behind another of its lane does not stand in its tenant's queue yet.

Promise: `submit` never blocks and never starts more than `slots` records at once. Bounding what waits is the job of
`flow.py`, by not reading more. `work` must not raise, except that it may be cancelled.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")

TURNS_BEFORE_YIELD = 32
"""Records that a slot works on before it lets the event loop breathe, for handlers that never wait for anything."""


@dataclass(frozen=True, slots=True, eq=False)
class Waiting(Generic[T]):
    """Something to work on. `lane` of None means that it need not wait for any other."""

    item: T
    tenant: str = ""
    lane: Hashable = None


class Lanes(Generic[T]):
    """Runs `work` on what is submitted, in at most `slots` tasks."""

    def __init__(self, slots: int, work: Callable[[T], Awaitable[None]]) -> None:
        self._slots = slots
        self._work = work
        self._ready: OrderedDict[str, deque[Waiting[T]]] = OrderedDict()
        self._lanes: dict[Hashable, deque[Waiting[T]]] = {}
        """Taken lanes: what waits behind the one that is ready or running."""
        self._slots_taken: set[asyncio.Task[None]] = set()
        self._running: dict[asyncio.Task[None], Waiting[T]] = {}
        self._standing = 0
        """Records in the tenants' queues."""
        self._waiting = 0
        """Records not started: the standing ones, and those behind another of their lane."""
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def running(self) -> int:
        """Slots in use."""
        return len(self._running)

    @property
    def waiting(self) -> int:
        """Submitted and not started."""
        return self._waiting

    def submit(self, waiting: Waiting[T]) -> None:
        """Queue it, and start it when its turn and a slot have come."""
        self._waiting += 1
        self._idle.clear()
        if waiting.lane is not None:
            behind = self._lanes.get(waiting.lane)
            if behind is not None:
                behind.append(waiting)
                return
            self._lanes[waiting.lane] = deque()
        self._stand(waiting)
        self._fill()

    def drop_waiting(self, unwanted: Callable[[T], bool]) -> int:
        """Forget what has not been started; returns how many that were. What runs goes on."""
        dropped = 0
        for behind in self._lanes.values():
            kept = [waiting for waiting in behind if not unwanted(waiting.item)]
            dropped += len(behind) - len(kept)
            behind.clear()
            behind.extend(kept)
        standing = [waiting for queue in self._ready.values() for waiting in queue]
        self._ready.clear()
        self._standing = 0
        for waiting in standing:
            if unwanted(waiting.item):
                dropped += 1
                self._release(waiting)
            else:
                self._stand(waiting)
        self._waiting -= dropped
        self._fill()
        self._note_idle()
        return dropped

    async def cancel(self, unwanted: Callable[[T], bool]) -> int:
        """Drop what waits and cancel what runs; returns how many were running, once they have ended."""
        self.drop_waiting(unwanted)
        tasks = [task for task, current in self._running.items() if unwanted(current.item)]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        return len(tasks)

    async def join(self, seconds: float) -> bool:
        """Wait until nothing runs or waits; False when `seconds` have passed first."""
        try:
            async with asyncio.timeout(seconds):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True

    def _stand(self, waiting: Waiting[T]) -> None:
        self._ready.setdefault(waiting.tenant, deque()).append(waiting)
        self._standing += 1

    def _take(self) -> Waiting[T] | None:
        if not self._ready:
            return None
        tenant, queue = self._ready.popitem(last=False)
        waiting = queue.popleft()
        if queue:
            self._ready[tenant] = queue
        self._standing -= 1
        self._waiting -= 1
        return waiting

    def _release(self, waiting: Waiting[T]) -> None:
        if waiting.lane is None:
            return
        behind = self._lanes[waiting.lane]
        if behind:
            self._stand(behind.popleft())
        else:
            del self._lanes[waiting.lane]

    def _fill(self) -> None:
        # A slot that works on nothing yet is about to take a record, so it counts as one for what stands.
        idle = len(self._slots_taken) - len(self._running)
        for _ in range(min(self._slots - len(self._slots_taken), self._standing - idle)):
            self._slots_taken.add(asyncio.create_task(self._slot()))

    async def _slot(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        turns = 0
        try:
            while (waiting := self._take()) is not None:
                self._running[task] = waiting
                try:
                    await self._work(waiting.item)
                finally:
                    del self._running[task]
                    self._release(waiting)
                turns += 1
                if turns % TURNS_BEFORE_YIELD == 0:
                    await asyncio.sleep(0)
        finally:
            self._slots_taken.discard(task)
            self._fill()
            self._note_idle()

    def _note_idle(self) -> None:
        if not self._waiting and not self._running:
            self._idle.set()
