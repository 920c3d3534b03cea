"""The stuck detector: when this process does not move, the log says where it stands.

    loop           the event loop has not turned for `loop_seconds`: something blocks it   stacks of all threads
    handler        a task was cancelled (its time is up) and goes on all the same           its own stack
    nothing_moves  records are there, slots are free or full, and nothing ends              stacks of all tasks
    asked          SIGUSR1: an operator wants to know                                       threads and tasks

A thread watches the loop, because a blocked loop cannot watch itself; it takes no part in the work, and a process that
was stopped and continued is not taken for a blocked one. Stacks name modules, functions and lines, never values. Equal
stacks are told once, with how many there are. Each kind is told at most once a minute, and counted (`stalls`) whenever
it is told. Nothing is touched a record: the tasks at work are looked at every few seconds.

A thread that holds the interpreter's lock for good (a C library gone wild) silences this detector too.
"""

import asyncio
import contextlib
import logging
import signal
import threading
from collections.abc import Callable, Mapping
from types import FrameType
from typing import Literal

from consumers.runtime.clock import Clock
from consumers.runtime.metrics import Metrics
from consumers.runtime.stacks import stacks_of_tasks, stacks_of_threads

log = logging.getLogger(__name__)

Kind = Literal["loop", "handler", "nothing_moves", "asked"]
Running = Callable[[], Mapping["asyncio.Task[None]", object]]

QUIET_SECONDS = 60.0
"""Between two tellings of the same kind."""
LATE_FACTOR = 3.0
"""The watching thread that wakes so many times later than it asked to was itself kept from running."""


class Stalls:
    """Watches one process. `start` in its event loop; `stop` ends the thread and gives the signal back."""

    def __init__(
        self,
        *,
        clock: Clock,
        metrics: Metrics,
        running: Running,
        why_stalled: Callable[[], str | None],
        loop_seconds: float,
    ) -> None:
        """`running`: the tasks at work, each with what it works on. A task that is cancelled, and twice `loop_seconds`
        later still works on the same thing, ignores it."""
        self._clock = clock
        self._metrics = metrics
        self._running = running
        self._why_stalled = why_stalled
        self._loop_seconds = loop_seconds
        self._stubborn_seconds = 2 * loop_seconds
        self._told: dict[Kind, float] = {}
        self._cancelled: dict[asyncio.Task[None], tuple[object, float]] = {}
        self._beat = clock.monotonic()
        self._asked = False
        self._ended = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._restore: Callable[[], object] = lambda: None

    async def start(self) -> None:
        """Begin to watch the running loop."""
        self._loop = asyncio.get_running_loop()
        self._beat = self._clock.monotonic()
        self._ended.clear()
        self._tasks = [asyncio.create_task(self._keep_beating()), asyncio.create_task(self._keep_looking())]
        threading.Thread(target=self._watch_loop, name="stalls", daemon=True).start()
        if threading.current_thread() is threading.main_thread():
            # Not the loop's own handler: that would wait for the loop, which may be what is stuck.
            before = signal.signal(signal.SIGUSR1, self._on_signal)
            self._restore = lambda: signal.signal(signal.SIGUSR1, before)

    async def stop(self) -> None:
        """Watch no more."""
        self._ended.set()
        self._restore()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        self._tasks = []

    def look(self) -> None:
        """Look once for tasks that ignore their cancellation, and for records that do not move."""
        now = self._clock.monotonic()
        cancelled = {task: item for task, item in self._running().items() if task.cancelling()}
        known = self._cancelled
        self._cancelled = {}
        for task, item in cancelled.items():
            before = known.get(task)
            since = before[1] if before is not None and before[0] is item else now
            self._cancelled[task] = (item, since)
        stubborn = [task for task, (_, since) in self._cancelled.items() if now - since >= self._stubborn_seconds]
        if stubborn:
            what = f"{len(stubborn)} tasks go on {self._stubborn_seconds:g} s and more after they were cancelled"
            self._tell("handler", what, lambda: stacks_of_tasks(stubborn))
        elif (why := self._why_stalled()) is not None:
            self._tell("nothing_moves", why, lambda: stacks_of_tasks(asyncio.all_tasks(self._loop)))

    async def _keep_beating(self) -> None:
        every = min(self._loop_seconds / 5, 0.5)
        while True:
            before = self._clock.monotonic()
            await self._clock.sleep(every)
            self._beat = self._clock.monotonic()
            self._metrics.loop_delay.set(max(self._beat - before - every, 0.0))

    async def _keep_looking(self) -> None:
        while True:
            await self._clock.sleep(self._loop_seconds / 2)
            try:
                self.look()
            except Exception as error:  # noqa: BLE001  a detector that ended would look like a daemon that is well
                log.error("the stuck detector could not look: %s", type(error).__name__)

    def _watch_loop(self) -> None:
        every = min(self._loop_seconds / 4, 1.0)
        before = self._clock.monotonic()
        while not self._ended.wait(every):
            now = self._clock.monotonic()
            late, before = now - before > every * LATE_FACTOR, now
            if self._asked:
                self._asked = False
                self._tell("asked", "asked for by SIGUSR1", self._everything)
            elif not late and now - self._beat >= self._loop_seconds:
                self._tell("loop", f"the event loop has not turned for {now - self._beat:.1f} s", stacks_of_threads)

    def _everything(self) -> str:
        return f"{stacks_of_threads()}\n{stacks_of_tasks(asyncio.all_tasks(self._loop))}"

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._asked = True

    def _tell(self, kind: Kind, what: str, stacks: Callable[[], str]) -> None:
        now = self._clock.monotonic()
        told = self._told.get(kind)
        if kind != "asked" and told is not None and now - told < QUIET_SECONDS:
            return
        self._told[kind] = now
        self._metrics.stalls.labels(kind).inc()
        text = "no stacks to be had"
        with contextlib.suppress(RuntimeError):  # tasks and threads come and go while they are looked at
            text = stacks()
        log.log(logging.WARNING if kind == "asked" else logging.CRITICAL, "stuck (%s): %s\n%s", kind, what, text)
