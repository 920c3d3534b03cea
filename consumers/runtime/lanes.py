"""Slots and lanes: which records are worked on next.

A record waits in the queue of its tenant; free slots go round the tenants that have something waiting, so one tenant's
flood costs another at most one slot's time. Within a tenant, what is late (it comes from an overflow topic) stands
behind what is not. Records of the same lane (a key, where the daemon asks for order) are worked on one after the other;
a record behind another of its lane does not stand in its tenant's queue yet.

A slot takes up to `together` standing records at once, in the order in which slots would have taken them one by one,
and waits for none; so they are of different lanes, and may be of different tenants.

Promise: `submit` never blocks and never starts more than `slots` pieces of work at once. Bounding what waits is the job
of `flow.py`, by not reading more. `work` must not raise, except that it may be cancelled.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping, Sequence
from typing import Generic, TypeVar

SECONDS_BEFORE_YIELD = 0.004
"""How long a slot works before it lets others have a turn, where the work never waits for anything."""
BUSY = 256
"""Records standing from which on there is no use in reading more, while the work never waits for anything."""


class Waiting:
    """Something to work on. `lane` of None means that it need not wait for any other."""

    __slots__ = ("alone", "lane", "late", "tenant")

    def __init__(self, tenant: str = "", lane: Hashable = None, *, late: bool = False) -> None:
        self.tenant = tenant
        self.lane = lane
        self.late = late
        """Whether it stands behind everything of its tenant that is not late."""
        self.alone = False
        """Whether it is taken together with no other."""


W = TypeVar("W", bound=Waiting)
Work = Callable[[Sequence[W]], Awaitable[Sequence[W]]]
"""Works on what a slot took, and returns what of it is to be worked on again, each alone."""


class _Queue(Generic[W]):
    """What stands of one tenant."""

    __slots__ = ("fresh", "late", "tenant")

    def __init__(self, tenant: str) -> None:
        self.tenant = tenant
        self.fresh: deque[W] = deque()
        self.late: deque[W] = deque()


class Lanes(Generic[W]):
    """Runs `work` on what is submitted, in at most `slots` tasks."""

    def __init__(
        self, slots: int, work: Work[W], *, together: int = 1, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._slots = slots
        self._work = work
        self._together = together
        self._monotonic = monotonic
        self._queues: dict[str, _Queue[W]] = {}
        self._turns: deque[_Queue[W]] = deque()
        """The queues that are not empty; the next slot takes from the first."""
        self._lanes: dict[Hashable, deque[W]] = {}
        """Taken lanes: what waits behind the one that is standing or running."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._running: dict[asyncio.Task[None], Sequence[W]] = {}
        self._standing = 0
        """Records in the tenants' queues."""
        self._waiting = 0
        """Records not started: the standing ones, and those behind another of their lane."""
        self._step = 1
        """Slots to start next."""
        self._filling = False
        """Whether more are to be started in the next turn of the event loop."""
        self._breathing = 0
        """Slots that have let others have a turn, and go on with it."""
        self._held = False
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def running(self) -> int:
        """Records being worked on."""
        return sum(map(len, self._running.values()))

    @property
    def busy(self) -> bool:
        """Whether it is the work itself that takes the time, and there is plenty of it."""
        return self._breathing > 0 and self._standing >= BUSY

    @property
    def tasks(self) -> Mapping["asyncio.Task[None]", Sequence[W]]:
        """The slots in use, each with what it works on."""
        return self._running

    @property
    def waiting(self) -> int:
        """Submitted and not started."""
        return self._waiting

    def oldest(self, tenant: str) -> W | None:
        """What stands first of a tenant, the late ones apart."""
        queue = self._queues.get(tenant)
        return queue.fresh[0] if queue is not None and queue.fresh else None

    def submit(self, waiting: Iterable[W]) -> None:
        """Queue them, each to be started when its turn and a slot have come."""
        for one in waiting:
            self._waiting += 1
            if one.lane is not None:
                behind = self._lanes.get(one.lane)
                if behind is not None:
                    behind.append(one)
                    continue
                self._lanes[one.lane] = deque()
            self._stand(one)
        if self._waiting:
            self._idle.clear()
        self._fill()

    def hold(self) -> None:
        """Begin nothing, until `release`."""
        self._held = True

    def release(self) -> None:
        """Begin again."""
        self._held = False
        self._fill()

    def withdraw(self, tenant: str, leaves: Callable[[W], bool]) -> Sequence[W]:
        """Forget what of a tenant stands, is not late and `leaves`, asked from the newest to the oldest."""
        queue = self._queues.get(tenant)
        if queue is None:
            return ()
        gone = [one for one in reversed(queue.fresh) if leaves(one)]
        wanted = set(queue.fresh).difference(gone)
        queue.fresh = deque(one for one in queue.fresh if one in wanted)
        self._standing -= len(gone)
        self._waiting -= len(gone)
        if not queue.fresh and not queue.late:
            self._turns.remove(queue)
            del self._queues[tenant]
        for one in gone:
            self._release(one)
        self._note_idle()
        return gone

    def drop_waiting(self, unwanted: Callable[[W], bool]) -> int:
        """Forget what has not been started; returns how many that were. What runs goes on."""
        before, standing = self._waiting, [one for queue in self._turns for one in (*queue.fresh, *queue.late)]
        for lane, behind in self._lanes.items():
            kept = [one for one in behind if not unwanted(one)]
            self._waiting -= len(behind) - len(kept)
            self._lanes[lane] = deque(kept)
        self._turns.clear()
        self._queues.clear()
        self._standing = 0
        for one in standing:
            if unwanted(one):
                self._waiting -= 1
                self._release(one)
            else:
                self._stand(one)
        self._fill()
        self._note_idle()
        return before - self._waiting

    async def cancel(self, unwanted: Callable[[W], bool]) -> int:
        """Drop what waits and cancel what runs; returns how many records were running, once they have ended.

        Work on several records is cancelled when none of them is wanted any more.
        """
        self.drop_waiting(unwanted)
        ending = {task: len(taken) for task, taken in self._running.items() if taken and all(map(unwanted, taken))}
        for task in ending:
            task.cancel()
        if ending:
            await asyncio.wait(ending)
        return sum(ending.values())

    async def join(self, seconds: float) -> bool:
        """Wait until nothing runs or waits; False when `seconds` have passed first."""
        try:
            async with asyncio.timeout(seconds):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True

    def _stand(self, one: W, *, first: bool = False) -> None:
        queue = self._queues.get(one.tenant)
        if queue is None:
            queue = self._queues[one.tenant] = _Queue(one.tenant)
            self._turns.append(queue)
        line = queue.late if one.late else queue.fresh
        if first:
            line.appendleft(one)
        else:
            line.append(one)
        self._standing += 1

    def _take(self) -> list[W]:
        taken: list[W] = []
        while self._turns and len(taken) < self._together:
            queue = self._turns[0]
            line = queue.fresh or queue.late
            if line[0].alone and taken:
                break
            one = line.popleft()
            taken.append(one)
            if queue.fresh or queue.late:
                self._turns.rotate(-1)
            else:
                self._turns.popleft()
                del self._queues[queue.tenant]
            if one.alone:
                break
        self._standing -= len(taken)
        self._waiting -= len(taken)
        return taken

    def _again(self, again: Sequence[W]) -> None:
        # They keep their lanes: what waits behind them must not overtake.
        for one in reversed(again):
            one.alone = True
            self._waiting += 1
            self._stand(one, first=True)

    def _release(self, one: W) -> None:
        if one.lane is None:
            return
        behind = self._lanes[one.lane]
        if behind:
            self._stand(behind.popleft())
        else:
            del self._lanes[one.lane]

    def _fill(self) -> None:
        # One slot first, and twice as many with every turn of the event loop, but none while one is there that only
        # lets others have a turn: where the work never waits for anything the first does it all, and a task for each
        # record would cost more than the work.
        if self._filling or self._held or not self._standing or len(self._tasks) >= self._slots:
            return
        if not self._breathing:
            starting = len(self._tasks) - len(self._running)
            wanted = min(self._slots - len(self._tasks), -(-self._standing // self._together) - starting)
            for _ in range(min(wanted, self._step)):
                self._tasks.add(asyncio.create_task(self._slot()))
            self._step *= 2
        self._filling = True
        asyncio.get_running_loop().call_soon(self._fill_on)

    def _fill_on(self) -> None:
        self._filling = False
        if not self._standing:
            self._step = 1
        self._fill()

    async def _slot(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        until = self._monotonic() + SECONDS_BEFORE_YIELD
        try:
            while not self._held and (taken := self._take()):
                self._running[task] = taken
                again: Sequence[W] = ()
                try:
                    again = await self._work(taken)
                finally:
                    for one in taken:
                        if one.lane is not None and one not in again:
                            self._release(one)
                if again:
                    self._again(again)
                if self._monotonic() >= until:
                    self._running[task] = ()
                    self._breathing += 1
                    try:
                        await asyncio.sleep(0)
                    finally:
                        self._breathing -= 1
                    until = self._monotonic() + SECONDS_BEFORE_YIELD
        finally:
            self._tasks.discard(task)
            self._running.pop(task, None)
            self._fill()
            self._note_idle()

    def _note_idle(self) -> None:
        if not self._waiting and not any(self._running.values()):
            self._idle.set()
