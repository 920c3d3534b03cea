"""The engine of a daemon: takes records from a door, has them worked on, and commits what is finished.

It joins ledgers, lanes, flow, diversion, commits and rebalance, and knows no Kafka client. `process` is called for a
record and says by returning that the record is finished for good; a record whose call was cancelled, or raised, stays
open and is read again by whoever owns the partition next. `process` raising is a fault of ours: the engine is `broken`
then, not healthy, but goes on with other records. When committing, watching or placing fails it cannot go on, and says
so; neither can it when it was told to `halt`.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Protocol

from consumers.runtime.admission import Admission, LaneOf
from consumers.runtime.aside import Aside, Later
from consumers.runtime.client import Arrival, Consumer, Partition
from consumers.runtime.clock import Clock
from consumers.runtime.commits import Commits
from consumers.runtime.diversion import Diversion
from consumers.runtime.elsewhere import Elsewhere
from consumers.runtime.flow import Flow
from consumers.runtime.lanes import Lanes
from consumers.runtime.metrics import Metrics
from consumers.runtime.offsets import Ledger
from consumers.runtime.owned import Owned
from consumers.runtime.pauses import Pauses
from consumers.runtime.rebalance import Rebalance
from consumers.runtime.settings import RuntimeSettings
from consumers.runtime.under_way import UnderWay
from consumers.runtime.watching import Watch

log = logging.getLogger(__name__)

Process = Callable[[Arrival], Awaitable[None]]


class Together(Protocol):
    """Works on several records in one slot, none of one lane with another."""

    async def __call__(
        self, arrivals: Sequence[Arrival], ended: Callable[[int, Later | None], None]
    ) -> Collection[int]:
        """Tells for the place of each record that it is finished, or later; returns those to be worked on alone."""
        ...


class Engine:
    """One per process."""

    def __init__(
        self,
        consumer: Consumer,
        process: Process,
        *,
        slots: int,
        settings: RuntimeSettings,
        clock: Clock,
        metrics: Metrics,
        lane_of: LaneOf | None = None,
        together: Together | None = None,
        batch_size: int = 1,
        stall_seconds: float = 300.0,
        elsewhere: Elsewhere | None = None,
        on_ready: Callable[[], None] | None = None,
        on_broken: Callable[[], None] | None = None,
        on_halted: Callable[[], None] | None = None,
    ) -> None:
        """`lane_of` gives records that must not overtake each other the same lane; a lane of None is no lane.

        `together` is given what a slot takes, when that is more than one record: up to `batch_size`.
        `stall_seconds` must be longer than `process` may take.
        `on_ready` is called once, when the first assignment is placed; `on_broken` when the engine cannot go on;
        `on_halted` when a commit tells that whoever had the partition before was halted.
        """
        self._process = process
        self._together = together
        self._settings = settings
        self._clock = clock
        self._metrics = metrics
        self._on_ready = on_ready
        self._on_broken = on_broken
        self._ledgers: dict[Partition, Ledger] = {}
        self._lanes: Lanes[Owned] = Lanes(slots, self._work, together=batch_size if together is not None else 1)
        self._flow = Flow(consumer, window=settings.window, span=settings.span, largest_bytes=settings.window_bytes)
        self._aside: Aside[Owned] = Aside(self._finish, self._fail)
        self._diversion: Diversion | None = None
        if elsewhere is not None:
            self._diversion = Diversion(
                elsewhere,
                self._flow,
                self._lanes,
                ordered=lane_of is not None,
                settings=settings,
                clock=clock,
                metrics=metrics,
                finished=self._finish,
                failed=self._fail,
            )
        moves = () if self._diversion is None else (self._diversion.moves,)
        self._under_way = UnderWay((self._lanes, *moves), self._aside)
        self._commits = Commits(
            consumer,
            self._ledgers,
            clock=clock,
            metrics=metrics,
            interval=settings.commit_interval_seconds,
            timeout=settings.commit_timeout_seconds,
        )
        self._rebalance = Rebalance(
            consumer,
            self._ledgers,
            self._under_way,
            self._flow,
            self._commits,
            clock=clock,
            metrics=metrics,
            on_placed=self._placed,
            on_end=self._ended,
            on_halted=on_halted or _nothing,
            hold=self._under_way.hold,
            release=self._under_way.release,
        )
        self._watch = Watch(
            consumer,
            self._ledgers,
            self._rebalance,
            oldest_open=self.oldest_open,
            clock=clock,
            metrics=metrics,
            interval=settings.watch_interval_seconds,
            stall_seconds=stall_seconds,
        )
        self._admission = Admission(
            consumer,
            self._ledgers,
            self._flow,
            self._lanes,
            lane_of=lane_of,
            diversion=self._diversion,
            clock=clock,
            metrics=metrics,
        )
        self._draining = False
        self._background: list[asyncio.Task[None]] = []
        self.broken: str | None = None
        """What went wrong for good, if anything did."""

    @property
    def settled(self) -> bool:
        """Whether this member has joined its group and every assigned partition has its place."""
        return self._rebalance.settled and not self._draining

    @property
    def answered_at(self) -> float | None:
        """When (by the monotonic clock) the broker last told about the logs."""
        return self._watch.answered_at

    def why_stalled(self) -> str | None:
        """What waits, when nothing has moved for longer than a handler may take; else None."""
        return self._watch.why_stalled()

    @property
    def running(self) -> Mapping["asyncio.Task[None]", object]:
        """The tasks at work, each with what it works on."""
        return self._lanes.tasks

    def start(self) -> None:
        """Start committing and watching."""
        heartbeats = self._settings.session_timeout_ms - self._settings.heartbeat_interval_ms
        pauses = Pauses(
            self._rebalance,
            self._commits,
            clock=self._clock,
            hold=self._under_way.hold,
            release=self._under_way.release,
            longest_seconds=heartbeats / 1000 * 0.9,
        )
        loops = [self._commits.run(), self._watch.run(), pauses.run()]
        if self._diversion is not None:
            loops.append(self._diversion.run())
        self._background = [asyncio.create_task(loop) for loop in loops]
        for task in self._background:
            task.add_done_callback(self._ended)

    def accept(self, arrivals: Sequence[Arrival]) -> None:
        """Take records of one partition, in their order; never blocks."""
        if arrivals and not self._draining:
            self._admission.accept(arrivals)

    def busy(self) -> bool:
        """Whether reading more is of no use at the moment."""
        return self._lanes.busy

    async def revoked(self) -> None:
        """The group is about to share its partitions out anew."""
        await self._rebalance.revoked()

    def assigned(self, partitions: Collection[Partition]) -> None:
        """The group has shared out."""
        self._rebalance.assigned(partitions)

    def halt(self, message: str) -> None:
        """Stop for good, offsets of what is not finished left open; later members are told by the commits."""
        self.broken = message
        self._commits.halted = True
        log.critical("halted: %s", message)
        self._stop()

    def pardon(self) -> None:
        """Tell later members no more that somebody was halted."""
        self._commits.halted = False

    async def drain(self) -> None:
        """Read no more, wait for what runs as long as the grace time lasts, commit, cancel the rest.

        What was read and not started is left for the next owner. The caller then leaves the group.
        """
        self._draining = True
        self._flow.stop()
        await self._rebalance.close()
        left = self._under_way.drop_waiting(lambda owned: True)
        self._under_way.release()
        await self._under_way.join(self._settings.grace_seconds)
        cancelled = await self._under_way.cancel(lambda owned: True)
        for task in self._background:
            task.cancel()
        if self._background:
            await asyncio.wait(self._background)
        await self._commits.now()
        log.info("drained: %d records not started, %d cancelled", left, cancelled)

    def oldest_open(self, partition: Partition) -> Arrival | None:
        """The first record of a partition that is not finished."""
        ledger = self._ledgers.get(partition)
        window = None if ledger is None else self._flow.window(partition, ledger)
        return next((owned.arrival for owned in window.open.values()), None) if window is not None else None

    def measure(self) -> None:
        """Bring the gauges up to date."""
        now = self._clock.monotonic()
        oldest = min((next(iter(w.open.values())).since for w in self._flow.windows if w.open), default=now)
        self._metrics.in_flight.set(self._lanes.running)
        self._metrics.waiting.set(self._lanes.waiting)
        self._metrics.open_bytes.set(self._flow.bytes)
        self._metrics.paused.set(len(self._flow.paused))
        self._metrics.oldest_open.set(max(now - oldest, 0.0))

    async def _work(self, taken: Sequence[Owned]) -> Sequence[Owned]:
        if len(taken) > 1:
            return await self._work_together(taken)
        owned = taken[0]
        try:
            await self._process(owned.arrival)
        except Later as later:
            self._aside.put(owned, later)
        except Exception as error:  # noqa: BLE001  whatever it is, the offset must stay open and others must go on
            self._fail(owned, error)
        else:
            self._finish(owned)
        return ()

    async def _work_together(self, taken: Sequence[Owned]) -> Sequence[Owned]:
        def ended(place: int, later: Later | None) -> None:
            if later is None:
                self._finish(taken[place])
            else:
                self._aside.put(taken[place], later)

        assert self._together is not None
        try:
            alone = await self._together([owned.arrival for owned in taken], ended)
        except Exception as error:  # noqa: BLE001
            self._fail(taken[0], error)
            return ()
        return [taken[place] for place in sorted(alone)]

    def _finish(self, owned: Owned) -> None:
        owned.ledger.finish(owned.offset)
        self._flow.gave(owned)

    def _fail(self, owned: Owned, error: Exception) -> None:
        # Only where it happened: an error's text, or its values, may hold personal data.
        partition = owned.arrival.partition
        self.broken = f"{type(error).__name__} while working on {partition.topic}/{partition.number}"
        log.critical("%s at offset %d: left open", self.broken, owned.arrival.offset)

    def _placed(self) -> None:
        if self._on_ready is not None:
            told, self._on_ready = self._on_ready, None
            told()

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            self.broken = f"{type(task.exception()).__name__} in the background"
            log.critical("the engine stopped: %s", self.broken, exc_info=task.exception())
            self._stop()

    def _stop(self) -> None:
        if self._on_broken is not None:
            self._on_broken()


def _nothing() -> None:
    pass
