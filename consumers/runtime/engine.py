"""The engine of a daemon: takes records from intake, has them worked on, and commits what is finished.

It joins ledgers, lanes, flow, commits and rebalance, and knows no Kafka client. `process` is called once per record and
says by returning that the record is finished for good; a record whose call was cancelled, or raised, stays open and is
read again by whoever owns the partition next. `process` raising is a fault of ours: the engine is `broken` then, not
healthy, but goes on with other records. When committing, watching or placing fails it cannot go on, and says so.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Hashable

from consumers.runtime.client import Arrival, BrokerUnavailable, Consumer, Partition
from consumers.runtime.clock import Clock
from consumers.runtime.commits import Commits
from consumers.runtime.flow import Flow
from consumers.runtime.lanes import Lanes, Waiting
from consumers.runtime.metrics import Metrics
from consumers.runtime.offsets import Ledger
from consumers.runtime.rebalance import Owned, Rebalance
from consumers.runtime.settings import RuntimeSettings
from schemas.headers import TENANT

log = logging.getLogger(__name__)

Process = Callable[[Arrival], Awaitable[None]]
LaneOf = Callable[[Arrival], Hashable]


class Engine:
    """One per process."""

    def __init__(
        self,
        consumer: Consumer,
        process: Process,
        *,
        slots: int,
        lane_of: LaneOf,
        settings: RuntimeSettings,
        clock: Clock,
        metrics: Metrics,
        on_ready: Callable[[], None] | None = None,
        on_broken: Callable[[], None] | None = None,
    ) -> None:
        """`lane_of` gives records that must not overtake each other the same lane; None is no lane.

        `on_ready` is called once, when the first assignment is placed, `on_broken` when the engine cannot go on.
        """
        self._consumer = consumer
        self._process = process
        self._lane_of = lane_of
        self._settings = settings
        self._clock = clock
        self._metrics = metrics
        self._on_ready = on_ready
        self._on_broken = on_broken
        self._ledgers: dict[Partition, Ledger] = {}
        self._open: dict[Owned, None] = {}
        """Accepted and not finished, oldest first."""
        self._lanes: Lanes[Owned] = Lanes(slots, self._work)
        self._flow = Flow(consumer, window=settings.window, span=settings.span, largest_bytes=settings.window_bytes)
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
            self._lanes,
            self._flow,
            self._commits,
            clock=clock,
            metrics=metrics,
            on_placed=self._placed,
            on_end=self._ended,
        )
        self._draining = False
        self._background: list[asyncio.Task[None]] = []
        self.answered_at: float | None = None
        """When (by the monotonic clock) the broker last told about the logs."""
        self.broken: str | None = None
        """What went wrong for good, if anything did."""

    @property
    def settled(self) -> bool:
        """Whether this member has joined its group and every assigned partition has its place."""
        return self._rebalance.settled and not self._draining

    def start(self) -> None:
        """Start committing and watching."""
        self._background = [asyncio.create_task(self._commits.run()), asyncio.create_task(self._watch())]
        for task in self._background:
            task.add_done_callback(self._ended)

    def accept(self, arrival: Arrival) -> None:
        """Take a record; never blocks. What is not ours (any more), or known already, is let pass."""
        ledger = self._ledgers.get(arrival.partition)
        if ledger is None or self._draining or not ledger.see(arrival.offset):
            return
        owned = Owned(arrival, ledger, self._clock.monotonic())
        self._open[owned] = None
        self._metrics.received.labels(arrival.partition.topic).inc()
        self._flow.took(arrival.partition, ledger, arrival.size)
        self._lanes.submit(Waiting(owned, _tenant_of(arrival), self._lane_of(arrival)))

    async def revoked(self) -> None:
        """The group is about to share its partitions out anew."""
        await self._rebalance.revoked()

    def assigned(self, assigned: Collection[Partition]) -> None:
        """The group has shared out."""
        self._rebalance.assigned(assigned)

    async def drain(self) -> None:
        """Read no more, wait for what runs as long as the grace time lasts, commit, cancel the rest.

        What was read and not started is left for the next owner. The caller then leaves the group.
        """
        self._draining = True
        self._flow.stop()
        await self._rebalance.close()
        left = self._lanes.drop_waiting(lambda owned: True)
        in_time = await self._lanes.join(self._settings.grace_seconds)
        cancelled = 0 if in_time else await self._lanes.cancel(lambda owned: True)
        for task in self._background:
            task.cancel()
        if self._background:
            await asyncio.wait(self._background)
        await self._commits.now()
        log.info("drained: %d records not started, %d cancelled", left, cancelled)

    def measure(self) -> None:
        """Bring the gauges up to date."""
        now = self._clock.monotonic()
        self._metrics.in_flight.set(self._lanes.running)
        self._metrics.waiting.set(self._lanes.waiting)
        self._metrics.open_bytes.set(self._flow.bytes)
        self._metrics.paused.set(len(self._flow.paused))
        self._metrics.oldest_open.set(max(now - next(iter(self._open)).since, 0.0) if self._open else 0.0)

    async def _work(self, owned: Owned) -> None:
        partition = owned.arrival.partition
        try:
            await self._process(owned.arrival)
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001  whatever it is, the offset must stay open and others must go on
            # Only where it happened: an error's text, or its values, may hold personal data.
            self.broken = f"{type(error).__name__} while working on {partition.topic}/{partition.number}"
            log.critical("%s at offset %d: left open", self.broken, owned.arrival.offset)
            return
        finally:
            self._open.pop(owned, None)
        owned.ledger.finish(owned.arrival.offset)
        if self._ledgers.get(partition) is owned.ledger:
            self._flow.gave(partition, owned.ledger, owned.arrival.size)

    async def _watch(self) -> None:
        while True:
            before = {partition: ledger.next for partition, ledger in self._ledgers.items()}
            try:
                bounds = await self._consumer.bounds(before.keys())
            except BrokerUnavailable as error:
                log.warning("the logs' ends could not be looked up: %s", error)
            else:
                self.answered_at = self._clock.monotonic()
                for partition, bound in bounds.items():
                    self._rebalance.move(partition, bound, before[partition])
                    if (ledger := self._ledgers.get(partition)) is not None:
                        lag = max(bound.end - ledger.low, 0)
                        self._metrics.lag.labels(partition.topic, str(partition.number)).set(lag)
                await self._rebalance.cancel_strays()
            await self._clock.sleep(self._settings.watch_interval_seconds)

    def _placed(self) -> None:
        if self._on_ready is not None:
            told, self._on_ready = self._on_ready, None
            told()

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            self.broken = f"{type(task.exception()).__name__} in the background"
            log.critical("the engine stopped: %s", self.broken, exc_info=task.exception())
            if self._on_broken is not None:
                self._on_broken()


def _tenant_of(arrival: Arrival) -> str:
    for name, value in reversed(arrival.headers):
        if name == TENANT and value is not None:
            return value.decode(errors="replace")
    return ""
