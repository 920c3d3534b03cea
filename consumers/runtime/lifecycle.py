"""A daemon from its start to its stop, whatever door it goes through.

start   publisher, health port, engine, then the group; what was started is stopped again when a later part fails
stop    drains within the grace time, commits, leaves the group, closes the health port, and flushes the publisher; none
        of the last three keeps it longer than a moment, though the broker be away
run     start, wait for SIGTERM, SIGINT or a fault that ends the engine, stop; a signal ends the start too
"""

import asyncio
import contextlib
import logging
import signal
from collections.abc import Callable, Collection, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from consumers.runtime.admission import LaneOf
from consumers.runtime.client import Arrival, Door, Partition
from consumers.runtime.clock import Clock
from consumers.runtime.elsewhere import Elsewhere
from consumers.runtime.engine import Engine, Process, Together
from consumers.runtime.metrics import Metrics
from consumers.runtime.publishing import Publishing
from consumers.runtime.settings import RuntimeSettings
from consumers.runtime.tracing import RecordSpans

SILENT_WATCHES = 3
"""Look-ups of the logs' ends that may go unanswered in a row before the daemon is not ready."""
SIGNALS = (signal.SIGTERM, signal.SIGINT)

log = logging.getLogger(__name__)


class DaemonBroken(Exception):
    """The daemon stopped because of a fault of ours; what it had not finished is still open."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a daemon reads and publishes, in topics without prefix, and how many records it works on at a time."""

    name: str
    description: str
    reads: Mapping[str, type]
    publishes: Mapping[str, type]
    slots: int
    lane_of: LaneOf | None = None
    """None where records need not wait for each other."""
    batch_size: int = 1
    handler_timeout: float = 120.0


class Part(Protocol):
    """Something that runs beside the work."""

    async def start(self) -> None:
        """Begin."""
        ...

    async def stop(self) -> None:
        """End."""
        ...


class Background:
    """A Part made of work that goes on until it is cancelled."""

    def __init__(self, work: Callable[[], Coroutine[object, object, None]]) -> None:
        self._work = work
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = asyncio.create_task(self._work())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait((self._task,))


class Daemon:
    """A daemon's parts. `start` and `stop` for a process that runs other things too; `run` until a signal comes."""

    def __init__(
        self,
        plan: Plan,
        door: Door,
        settings: RuntimeSettings,
        *,
        group: str,
        clock: Clock,
        metrics: Metrics,
        on_ready: Callable[[], None] | None = None,
        spans: RecordSpans | None = None,
    ) -> None:
        """`spans`: traces of the records, where they are made."""
        self._plan = plan
        self._spans = spans
        self._door = door
        self._settings = settings
        self._clock = clock
        self._on_ready = on_ready
        self._parts: list[Part] = []
        self._engine: Engine | None = None
        self._stack = contextlib.AsyncExitStack()
        self._ending = asyncio.Event()
        self.metrics = metrics
        self.group = group
        """The full name of its consumer group."""
        self.publishing = Publishing(door.publisher, settings=settings, clock=clock, metrics=metrics)

    def work_with(
        self,
        process: Process,
        *,
        together: Together | None = None,
        elsewhere: Elsewhere | None = None,
        on_halted: Callable[[], None] | None = None,
    ) -> None:
        """Say what is done with a record; before `start`. See `Engine`."""
        if self._spans is not None:
            process = self._spans.around(process)
            together = None if together is None else self._spans.around_together(together)
        self._engine = Engine(
            self._door.consumer,
            process,
            slots=self._settings.slots or self._plan.slots,
            lane_of=self._plan.lane_of,
            together=together,
            batch_size=self._plan.batch_size,
            stall_seconds=self._plan.handler_timeout * 2,
            elsewhere=elsewhere,
            settings=self._settings,
            clock=self._clock,
            metrics=self.metrics,
            on_ready=self._on_ready,
            on_broken=self._ending.set,
            on_halted=on_halted,
        )

    def run_beside(self, part: Part) -> None:
        """Start and stop this too; before `start`."""
        self._parts.append(part)

    @property
    def engine(self) -> Engine:
        """What works; RuntimeError before `work_with`."""
        if self._engine is None:
            raise RuntimeError("the daemon was not told what to do with a record")
        return self._engine

    async def run(self) -> None:
        """Run until a signal; raises DaemonBroken when it had to stop by itself, BrokerUnavailable at the start."""
        with self._obeying_signals():
            start, end = asyncio.ensure_future(self.start()), asyncio.ensure_future(self._ending.wait())
            try:
                await asyncio.wait((start, end), return_when=asyncio.FIRST_COMPLETED)
                if start.done():
                    await start
                    await end
            finally:
                for task in (start, end):
                    task.cancel()
                await asyncio.wait((start, end))
                await self.stop()
        if self.engine.broken is not None:
            raise DaemonBroken(self.engine.broken)

    async def start(self) -> None:
        """Join the group. Raises BrokerUnavailable, or OSError when the health port is taken."""
        async with contextlib.AsyncExitStack() as stack:
            stack.push_async_callback(self._at_most, self._door.close, "the publisher's flush")
            await self._door.connect()
            for part in self._parts:
                await part.start()
                stack.push_async_callback(part.stop)
            self.engine.start()
            stack.push_async_callback(self._at_most, self._door.leave, "leaving the group")
            stack.push_async_callback(self.engine.drain)
            await self._door.join(self)
            self._stack = stack.pop_all()

    async def stop(self) -> None:
        """Drain, commit, leave the group, close everything. Does nothing when it does not run."""
        await self._stack.aclose()

    def accept(self, arrivals: Sequence[Arrival]) -> None:
        self.engine.accept(arrivals)

    def busy(self) -> bool:
        return self.engine.busy()

    async def revoked(self) -> None:
        await self.engine.revoked()

    def assigned(self, partitions: Collection[Partition]) -> None:
        self.engine.assigned(partitions)

    def why_unhealthy(self) -> str | None:
        broken = self.engine.broken
        return None if broken is None else f"Broken: {broken}. Look into the log, then restart this process."

    def why_unready(self) -> str | None:
        if self.engine.broken is not None:
            return self.why_unhealthy()
        if not self.engine.settled:
            return (
                "No partitions are assigned and placed: it is starting, rebalancing or stopping. Wait; if it lasts, see"
                " `leadbus ops status`."
            )
        answered = self.engine.answered_at
        limit = SILENT_WATCHES * self._settings.watch_interval_seconds
        if answered is None or self._clock.monotonic() - answered > limit:
            return f"The broker has not answered for {limit:g} s. Check LEADBUS_KAFKA_BOOTSTRAP, and that Kafka is up."
        return None

    def why_stalled(self) -> str | None:
        why = self.engine.why_stalled()
        if why is None:
            return None
        return f"It does not move: {why}. The log says where it stands; `leadbus ops lag --daemon {self._plan.name}`."

    def metrics_text(self) -> bytes:
        self.engine.measure()
        return self.metrics.text()

    async def _at_most(self, part: Callable[[], Coroutine[object, object, None]], what: str) -> None:
        """A client asks a broker that is away for as long as its requests may take; a stop has less time."""
        task = asyncio.create_task(part())
        done, _ = await asyncio.wait((task,), timeout=self._settings.parting_seconds)
        if done:
            await task
            return
        log.warning("%s took longer than %g s and was given up", what, self._settings.parting_seconds)
        task.cancel()

    @contextlib.contextmanager
    def _obeying_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        obeyed = []
        for number in SIGNALS:
            # Outside the main thread, or on Windows, whoever runs the daemon has to stop it.
            with contextlib.suppress(ValueError, RuntimeError, NotImplementedError):
                loop.add_signal_handler(number, self._ending.set)
                obeyed.append(number)
        try:
            yield
        finally:
            for number in obeyed:
                loop.remove_signal_handler(number)
