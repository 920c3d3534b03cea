"""What happens to ledgers when the group gives and takes partitions.

    revoked     commit what is finished; keep the ledgers, because with a sticky assignor most partitions come back
    assigned    at once, without waiting for anything: kept partitions go on from their next offset, new ones are held,
                lost ones are cancelled and their ledgers dropped (a late finish then changes a ledger nobody commits)
    placed      the group's commits and the logs' bounds have been read: new partitions get a ledger and are read; a
                kept one that somebody else has advanced is dropped and placed anew

Promises: nothing is read of a new partition before its commit is known. An answer that arrives after the next rebalance
is thrown away. Reading the commits is repeated until it succeeds; kept partitions do not wait for it.

Offset reset is `none`: a group without a commit begins at the log's start, and says so; a commit below the log's start
means that retention removed records unread: counted and logged as an error.
"""

import asyncio
import logging
from collections.abc import Callable, Collection

from consumers.runtime.client import Arrival, Bounds, BrokerUnavailable, Committed, Consumer, Partition
from consumers.runtime.clock import Clock
from consumers.runtime.commits import Commits
from consumers.runtime.flow import Flow
from consumers.runtime.lanes import Lanes
from consumers.runtime.metrics import Metrics
from consumers.runtime.offsets import Ledger, decode

log = logging.getLogger(__name__)

READ_AGAIN_SECONDS = 0.5


class Owned:
    """A record and the ledger it was accepted under."""

    __slots__ = ("arrival", "ledger", "since")

    def __init__(self, arrival: Arrival, ledger: Ledger, since: float) -> None:
        self.arrival = arrival
        self.ledger = ledger
        self.since = since


class Rebalance:
    """Owns the map of ledgers."""

    def __init__(
        self,
        consumer: Consumer,
        ledgers: dict[Partition, Ledger],
        lanes: Lanes[Owned],
        flow: Flow,
        commits: Commits,
        *,
        clock: Clock,
        metrics: Metrics,
        on_placed: Callable[[], None],
        on_end: Callable[[asyncio.Task[None]], None],
    ) -> None:
        """`on_placed` is called whenever every assigned partition has its place, `on_end` when placing ended."""
        self._consumer = consumer
        self._ledgers = ledgers
        self._lanes = lanes
        self._flow = flow
        self._commits = commits
        self._clock = clock
        self._metrics = metrics
        self._on_placed = on_placed
        self._on_end = on_end
        self._placing: asyncio.Task[None] | None = None
        self.settled = False
        """Whether every assigned partition has its place."""

    async def revoked(self) -> None:
        """The group is about to share its partitions out anew."""
        await self._commits.now()

    def assigned(self, assigned: Collection[Partition]) -> None:
        """The group has shared out; must run before anything else gets a turn."""
        if self._placing is not None:
            self._placing.cancel()
        self.settled = False
        kept = [partition for partition in assigned if partition in self._ledgers]
        new = [partition for partition in assigned if partition not in self._ledgers]
        for partition in new:
            # Any position will do: without one the client would look for a commit itself, and stumble over none.
            self._consumer.seek(partition, 0)
        for partition in kept:
            self._consumer.seek(partition, self._ledgers[partition].next)
        lost = self._ledgers.keys() - set(assigned)
        for partition in lost:
            del self._ledgers[partition]
            self._flow.forget(partition)
        self._flow.reassigned(new)
        self._metrics.rebalances.inc()
        self._metrics.partitions_kept.inc(len(kept))
        self._metrics.partitions_lost.inc(len(lost))
        log.info("assigned: %d partitions kept, %d new, %d lost", len(kept), len(new), len(lost))
        self._placing = asyncio.create_task(self._place(kept, new))
        self._placing.add_done_callback(self._on_end)

    async def close(self) -> None:
        """Stop placing."""
        if self._placing is not None:
            self._placing.cancel()
            await asyncio.wait([self._placing])

    async def cancel_strays(self) -> None:
        """Cancel work whose ledger is not the present one of its partition."""
        await self._lanes.cancel(lambda owned: self._ledgers.get(owned.arrival.partition) is not owned.ledger)

    def move(self, partition: Partition, bounds: Bounds, before: int) -> None:
        """Follow a log that has left its reader: `before` is where reading stood before `bounds` were asked for."""
        ledger = self._ledgers.get(partition)
        if ledger is None:
            return
        if ledger.next >= before > bounds.end:
            log.error("%s/%d was made anew (read up to %d, ends at %d)", *partition, before, bounds.end)
            self._begin(partition, bounds.begin)
        elif before < bounds.begin and ledger.next == before:
            self._note_expired(partition, before, bounds.begin)
            self._consumer.seek(partition, bounds.begin)

    async def _place(self, kept: list[Partition], new: list[Partition]) -> None:
        await self.cancel_strays()
        committed, bounds = await self._read(kept, new)
        for partition in kept:
            commit = committed.get(partition)
            if commit is not None and commit.offset > self._ledgers[partition].low:
                log.warning("%s/%d was advanced by another member to %d", *partition, commit.offset)
                self._begin(partition, commit.offset, decode(*commit))
        for partition in new:
            self._place_new(partition, committed.get(partition), bounds[partition])
            self._flow.placed(partition)
        await self.cancel_strays()
        self.settled = True
        self._on_placed()

    async def _read(
        self, kept: list[Partition], new: list[Partition]
    ) -> tuple[dict[Partition, Committed], dict[Partition, Bounds]]:
        while kept or new:
            try:
                return dict(await self._consumer.committed([*kept, *new])), dict(await self._consumer.bounds(new))
            except BrokerUnavailable as error:
                log.warning("the group's commits could not be read, will be repeated: %s", error)
                await self._clock.sleep(READ_AGAIN_SECONDS)
        return {}, {}

    def _place_new(self, partition: Partition, commit: Committed | None, bounds: Bounds) -> None:
        if commit is None:
            log.info("%s/%d has no commit of this group: from the beginning, %d", *partition, bounds.begin)
            self._begin(partition, bounds.begin)
        elif commit.offset > bounds.end:
            log.error("%s/%d was made anew (commit %d, ends at %d)", *partition, commit.offset, bounds.end)
            self._begin(partition, bounds.begin)
        elif commit.offset < bounds.begin:
            self._note_expired(partition, commit.offset, bounds.begin)
            self._begin(partition, bounds.begin, decode(*commit))
        else:
            self._begin(partition, commit.offset, decode(*commit))

    def _begin(self, partition: Partition, offset: int, finished: Collection[int] = ()) -> None:
        self._flow.forget(partition)
        self._ledgers[partition] = Ledger(offset, finished)
        self._consumer.seek(partition, offset)

    def _note_expired(self, partition: Partition, expected: int, begin: int) -> None:
        self._metrics.expired.inc(begin - expected)
        log.error(
            "%s/%d: retention removed %d records unread (%d to %d)", *partition, begin - expected, expected, begin
        )
