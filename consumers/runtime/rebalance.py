"""What happens to ledgers when the group gives and takes partitions.

    revoked     nothing new is begun; what runs may end for `settle_seconds`; commit what is finished, and then nothing
                until `assigned`; keep the ledgers, because with a sticky assignor most partitions come back. A member
                that the group has thrown out (its process was paused) has lost them all: cancelled and dropped at once
    assigned    at once, without waiting for anything: kept partitions go on from their next offset, new ones are held,
                lost ones are cancelled and their ledgers dropped (a late finish then changes a ledger nobody commits)
    placed      the group's commits, the logs' bounds and the topics' ids have been read: new partitions get a ledger
                and are read; a kept one whose commit somebody else has written is dropped and placed anew

Promises: nothing is read of a new partition before its commit is known. An answer that arrives after the next rebalance
is thrown away. Reading the commits is repeated until it succeeds; kept partitions do not wait for it.

Offset reset is `none`: a group without a commit begins at the log's start, and says so; a commit below the log's start
means that retention removed records unread, which is counted and logged as critical: they are lost, and where they were
is all that can be told. A commit above its end, or with another topic's id, means that the topic was made anew, and it
is read from its beginning; that is counted and logged as an error.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Coroutine

from consumers.runtime.client import Bounds, BrokerUnavailable, Consumer, Partition
from consumers.runtime.clock import Clock
from consumers.runtime.commits import Commits
from consumers.runtime.flow import Flow
from consumers.runtime.known import Known
from consumers.runtime.metrics import Metrics
from consumers.runtime.offsets import Ledger
from consumers.runtime.owned import Owned
from consumers.runtime.under_way import UnderWay

log = logging.getLogger(__name__)

READ_AGAIN_SECONDS = 0.5
SETTLE_SECONDS = 0.5
"""Measured on Kafka 4.2 with handlers of 0.3 s: without it, each rebalance ran again what was running in the partitions
that went (20 to 40 records of 20 slots in three rebalances); with it none, in the same time."""
SETTLING_LOOK_SECONDS = 0.01


class Rebalance:
    """Owns the map of ledgers."""

    def __init__(
        self,
        consumer: Consumer,
        ledgers: dict[Partition, Ledger],
        work: UnderWay,
        flow: Flow,
        commits: Commits,
        *,
        clock: Clock,
        metrics: Metrics,
        on_placed: Callable[[], None],
        on_end: Callable[[asyncio.Task[None]], None],
        on_halted: Callable[[], None] = lambda: None,
        hold: Callable[[], None] = lambda: None,
        release: Callable[[], None] = lambda: None,
        settle_seconds: float = SETTLE_SECONDS,
    ) -> None:
        """`on_placed` is called whenever every assigned partition has its place, `on_end` when placing ended.

        `on_halted` is called when a commit says that a member of this group stopped by the dead-letter limits; the
        commits go on saying so until `commits.halted` is set to False. Between `hold` and `release` no record is to be
        begun; what runs gets `settle_seconds` to end, so that it is not run again elsewhere.
        """
        self._consumer = consumer
        self._ledgers = ledgers
        self._work = work
        self._flow = flow
        self._commits = commits
        self._clock = clock
        self._metrics = metrics
        self._on_placed = on_placed
        self._on_end = on_end
        self._on_halted = on_halted
        self._hold = hold
        self._release = release
        self._settle_seconds = settle_seconds
        self._tasks: set[asyncio.Task[None]] = set()
        self._placing: asyncio.Task[None] | None = None
        self.settled = False
        """Whether every assigned partition has its place."""
        self.sharing_out = False
        """Whether the group is between `revoked` and `assigned`."""
        self.shares = 0
        """How often the group has shared out."""

    async def revoked(self) -> None:
        """The group is about to share its partitions out anew."""
        self.sharing_out = True
        self._hold()
        thrown_out = self._ledgers.keys() - self._consumer.assigned()
        if thrown_out:
            self._cancel_placing()
            self._lose(thrown_out)
            log.warning("the group has gone on without this member: %d partitions lost", len(thrown_out))
            self._begin_task(self.cancel_strays())
        else:
            await self._settle()
        await self._commits.last()

    def assigned(self, assigned: Collection[Partition]) -> None:
        """The group has shared out; must run before anything else gets a turn."""
        self._cancel_placing()
        self.settled = False
        self.sharing_out = False
        self.shares += 1
        kept = [partition for partition in assigned if partition in self._ledgers]
        new = [partition for partition in assigned if partition not in self._ledgers]
        for partition in new:
            # Any position will do: without one the client would look for a commit itself, and stumble over none.
            self._consumer.seek(partition, 0)
        for partition in kept:
            self._consumer.seek(partition, self._ledgers[partition].next)
        lost = self._ledgers.keys() - set(assigned)
        self._lose(lost)
        self._flow.reassigned(new)
        self._work.drop_waiting(self._is_stray)
        self._commits.resume()
        self._release()
        self._metrics.rebalances.inc()
        self._metrics.partitions_kept.inc(len(kept))
        log.info("assigned: %d partitions kept, %d new, %d lost", len(kept), len(new), len(lost))
        self._placing = self._begin_task(self._place(kept, new))

    async def close(self) -> None:
        """Stop placing."""
        self._cancel_placing()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def cancel_strays(self) -> None:
        """Cancel work whose ledger is not the present one of its partition."""
        await self._work.cancel(self._is_stray)

    def move(self, partition: Partition, bounds: Bounds, before: int) -> None:
        """Follow a log that has left its reader: `before` is where reading stood before `bounds` were asked for."""
        ledger = self._ledgers.get(partition)
        if ledger is None:
            return
        if ledger.next >= before > bounds.end:
            self.made_anew(partition, bounds.begin, ledger.topic_id)
        elif before < bounds.begin and ledger.next == before:
            self._note_expired(partition, before, bounds.begin)
            self._consumer.seek(partition, bounds.begin)

    def made_anew(self, partition: Partition, begin: int, topic_id: str | None) -> None:
        """The topic was deleted and made anew while it was read: read it from its beginning."""
        self._note_made_anew(partition, self._ledgers[partition].next)
        self._begin(partition, begin, Ledger(begin, topic_id=topic_id, halted=self._commits.halted))

    async def _settle(self) -> None:
        end = self._clock.monotonic() + self._settle_seconds
        while self._work.running and self._clock.monotonic() < end:
            await self._clock.sleep(SETTLING_LOOK_SECONDS)

    async def _place(self, kept: list[Partition], new: list[Partition]) -> None:
        await self.cancel_strays()
        known = await self._read([*kept, *new])
        if any(known.made_anew(partition) for partition in (*kept, *new)):
            # A broker that lags behind may have told what was before; nothing is read twice on its word alone.
            await self._clock.sleep(READ_AGAIN_SECONDS)
            known = await self._read([*kept, *new])
        for partition in kept:
            commit = known.committed.get(partition)
            if commit is not None and not self._ledgers[partition].wrote(*commit):
                log.warning("%s/%d was advanced by another member to %d", *partition, commit.offset)
                self._place_at(partition, known)
        for partition in new:
            self._place_at(partition, known)
            self._flow.placed(partition)
        if any(self._ledgers[partition].halted for partition in (*kept, *new)) and not self._commits.halted:
            self._commits.halted = True
            self._on_halted()
        await self.cancel_strays()
        self.settled = True
        self._on_placed()

    async def _read(self, partitions: Collection[Partition]) -> Known:
        while True:
            try:
                return await Known.ask(self._consumer, partitions)
            except BrokerUnavailable as error:
                log.warning("the group's commits could not be read, will be repeated: %s", error)
                await self._clock.sleep(READ_AGAIN_SECONDS)

    def _place_at(self, partition: Partition, known: Known) -> None:
        commit, bounds, told = known.committed.get(partition), known.bounds[partition], known.told(partition)
        topic_id = known.topic_ids.get(partition.topic)
        start, finished = bounds.begin, told.finished
        if commit is None:
            log.info("%s/%d has no commit of this group: from the beginning, %d", *partition, bounds.begin)
        elif known.made_anew(partition):
            self._note_made_anew(partition, commit.offset)
            finished = frozenset()
        elif commit.offset < bounds.begin:
            self._note_expired(partition, commit.offset, bounds.begin, told.finished)
        else:
            start = commit.offset
        ledger = Ledger(start, finished, topic_id=told.topic_id, halted=told.halted, commit=commit)
        if commit is None:
            ledger = Ledger(start, topic_id=topic_id)
        elif topic_id is not None:
            # What was committed by an earlier version, or for a topic that is no more, is due to be written anew.
            ledger.topic_id = topic_id
        self._begin(partition, start, ledger)

    def _begin(self, partition: Partition, offset: int, ledger: Ledger) -> None:
        self._flow.forget(partition)
        self._ledgers[partition] = ledger
        self._consumer.seek(partition, offset)

    def _lose(self, partitions: Collection[Partition]) -> None:
        for partition in partitions:
            del self._ledgers[partition]
            self._flow.forget(partition)
        self._metrics.partitions_lost.inc(len(partitions))

    def _is_stray(self, owned: Owned) -> bool:
        return self._ledgers.get(owned.arrival.partition) is not owned.ledger

    def _begin_task(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(self._on_end)
        return task

    def _cancel_placing(self) -> None:
        if self._placing is not None:
            self._placing.cancel()

    def _note_made_anew(self, partition: Partition, position: int) -> None:
        self._metrics.recreated.labels(partition.topic).inc()
        log.error("%s/%d was made anew (%d was of another log): from its beginning", *partition, position)

    def _note_expired(
        self, partition: Partition, expected: int, begin: int, finished: Collection[int] = frozenset()
    ) -> None:
        lost = begin - expected - sum(offset < begin for offset in finished)
        self._metrics.expired.inc(lost)
        place = (*partition, expected, begin - 1)
        log.critical(
            "LOST to retention, unread: %d records of %s/%d, offsets %d to %d; see `leadbus ops status`", lost, *place
        )
