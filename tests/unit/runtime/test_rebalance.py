"""Rebalances: what becomes of ledgers, of what runs, and of what is told to the group."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence

import pytest
import pytest_asyncio

from consumers.runtime.admission import Admission
from consumers.runtime.aside import Aside
from consumers.runtime.client import Arrival, Bounds, Committed, Consumer, Partition
from consumers.runtime.commit_text import Told, decode, encode, read
from consumers.runtime.commits import Commits
from consumers.runtime.flow import Flow
from consumers.runtime.lanes import Lanes
from consumers.runtime.metrics import Metrics
from consumers.runtime.offsets import Ledger
from consumers.runtime.owned import Owned
from consumers.runtime.rebalance import Rebalance
from consumers.runtime.under_way import UnderWay
from tests.unit.runtime.fake_group import ONE, TOPIC, TWO, FakeGroup, PassingClock, eventually

OLD, NEW = "id-of-old", "id-of-new"


class House:
    """A member whose handlers wait to be let go."""

    def __init__(self, *, settle_seconds: float = 0.0, slots: int = 200) -> None:
        self.group = FakeGroup()
        consumer: Consumer = self.group
        self.clock = PassingClock()
        self.metrics = Metrics.create()
        self.ledgers: dict[Partition, Ledger] = {}
        self.started: list[tuple[Partition, int]] = []
        self.cancelled: list[tuple[Partition, int]] = []
        self.doors: dict[tuple[Partition, int], asyncio.Event] = defaultdict(asyncio.Event)
        self.held: list[str] = []
        self.halted = 0
        self.errors: list[asyncio.Task[None]] = []
        self.lanes: Lanes[Owned] = Lanes(slots, self._work)
        self.flow = Flow(consumer, window=200, span=1_000, largest_bytes=1_000_000)
        self.admission = Admission(
            consumer,
            self.ledgers,
            self.flow,
            self.lanes,
            lane_of=None,
            diversion=None,
            clock=self.clock,
            metrics=self.metrics,
        )
        self.commits = Commits(
            consumer, self.ledgers, clock=self.clock, metrics=self.metrics, interval=1.0, timeout=30.0
        )
        self.rebalance = Rebalance(
            consumer,
            self.ledgers,
            UnderWay([self.lanes], Aside(lambda owned: None, lambda owned, error: None)),
            self.flow,
            self.commits,
            clock=self.clock,
            metrics=self.metrics,
            on_placed=lambda: None,
            on_end=self._ended,
            on_halted=self._on_halted,
            hold=lambda: self.held.append("hold"),
            release=lambda: self.held.append("release"),
            settle_seconds=settle_seconds,
        )

    async def share_out(self, *partitions: Partition, revoke: bool = True) -> None:
        """A whole rebalance, until everything has its place."""
        if revoke:
            await self.rebalance.revoked()
        self.group.given = frozenset(partitions)
        self.rebalance.assigned(partitions)
        await eventually(lambda: self.rebalance.settled)

    def arrive(self, partition: Partition, *offsets: int) -> None:
        """Records are read."""
        self.admission.accept([Arrival(partition, offset, None, b"x") for offset in offsets])

    async def take(self, partition: Partition, *offsets: int) -> list[int]:
        """Records are read; returns those that are worked on."""
        before = len(self.started)
        self.arrive(partition, *offsets)
        await eventually(lambda: self.lanes.waiting == 0)
        return sorted(offset for _, offset in self.started[before:])

    async def end(self, partition: Partition, *offsets: int) -> None:
        """Handlers end."""
        before = self.lanes.running
        for offset in offsets:
            self.doors[partition, offset].set()
        await eventually(lambda: self.lanes.running == before - len(offsets))

    async def _work(self, taken: Sequence[Owned]) -> Sequence[Owned]:
        for owned in taken:
            place = (owned.arrival.partition, owned.arrival.offset)
            self.started.append(place)
            try:
                await self.doors[place].wait()
            except asyncio.CancelledError:
                self.cancelled.append(place)
                raise
            owned.ledger.finish(owned.arrival.offset)
            self.flow.gave(owned)
        return ()

    def _on_halted(self) -> None:
        self.halted += 1

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            self.errors.append(task)


@pytest_asyncio.fixture(autouse=True)
async def nothing_left_running() -> AsyncIterator[None]:
    """Handlers that a test has left waiting end with it."""
    yield
    while others := asyncio.all_tasks() - {asyncio.current_task()}:
        for task in others:
            task.cancel()
        await asyncio.wait(others)


async def test_an_heir_goes_on_where_the_commit_says_and_skips_what_is_finished_beyond() -> None:
    house = House()
    house.group.ids[TOPIC] = [OLD]
    house.group.commits[ONE] = Committed(4, encode(4, {6}, topic_id=OLD))
    await house.share_out(ONE)
    assert house.group.positions[ONE] == 4
    assert await house.take(ONE, 4, 5, 6, 7) == [4, 5, 7]
    assert house.metrics.value("topics_recreated_total", topic=TOPIC) == 0


async def test_a_topic_made_anew_that_has_grown_beyond_the_commit_is_read_from_its_beginning() -> None:
    house = House()
    house.group.ids[TOPIC] = [NEW]
    house.group.logs[ONE] = Bounds(0, 500)
    house.group.commits[ONE] = Committed(100, encode(100, {103}, topic_id=OLD))
    await house.share_out(ONE)
    assert house.group.positions[ONE] == 0
    assert len(await house.take(ONE, *range(105))) == 105
    assert house.metrics.value("topics_recreated_total", topic=TOPIC) == 1
    await house.commits.now()
    assert read(*house.group.commits[ONE]).topic_id == NEW


async def test_a_broker_that_lags_behind_with_a_topics_id_does_not_make_work_be_done_twice() -> None:
    house = House()
    house.group.ids[TOPIC] = [OLD, NEW]
    house.group.commits[ONE] = Committed(100, encode(100, {103}, topic_id=NEW))
    await house.share_out(ONE)
    assert house.group.positions[ONE] == 100
    assert house.metrics.value("topics_recreated_total", topic=TOPIC) == 0


async def test_where_the_broker_cannot_tell_an_id_the_commit_is_taken_as_it_is() -> None:
    house = House()
    house.group.commits[ONE] = Committed(100, encode(100, {103}, topic_id=OLD))
    await house.share_out(ONE)
    assert await house.take(ONE, *range(100, 105)) == [100, 101, 102, 104]
    await house.end(ONE, 100)
    await house.commits.now()
    assert read(*house.group.commits[ONE]) == Told(OLD, finished=frozenset({103}))


async def test_a_commit_without_an_id_is_written_anew_with_it() -> None:
    house = House()
    house.group.ids[TOPIC] = [OLD]
    house.group.commits[ONE] = Committed(4, encode(4, {6}))
    await house.share_out(ONE, TWO)
    await house.commits.now()
    assert {partition: read(*commit) for partition, commit in house.group.commits.items()} == {
        ONE: Told(OLD, finished=frozenset({6}))
    }


async def test_a_commit_beyond_the_logs_end_means_a_topic_made_anew() -> None:
    house = House()
    house.group.logs[ONE] = Bounds(2, 5)
    house.group.commits[ONE] = Committed(100, encode(100, {103}))
    await house.share_out(ONE)
    assert house.group.positions[ONE] == 2
    assert house.metrics.value("topics_recreated_total", topic=TOPIC) == 1


def alarms(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What was logged as critical, up to the advice."""
    said = [record for record in caplog.records if record.levelno == logging.CRITICAL]
    return [record.getMessage().partition(";")[0] for record in said]


async def test_records_that_retention_removed_unread_are_told_loudly_with_place_and_count(
    caplog: pytest.LogCaptureFixture,
) -> None:
    house = House()
    house.group.logs[ONE] = Bounds(30, 50)
    house.group.commits[ONE] = Committed(10, encode(10, {31}))
    await house.share_out(ONE)
    assert alarms(caplog) == [f"LOST to retention, unread: 20 records of {TOPIC}/{ONE.number}, offsets 10 to 29"]
    assert house.metrics.value("expired_records_total") == 20
    assert await house.take(ONE, 30, 31, 32) == [30, 32]


async def test_records_that_were_finished_before_retention_removed_them_are_not_lost(
    caplog: pytest.LogCaptureFixture,
) -> None:
    house = House()
    house.group.logs[ONE] = Bounds(14, 50)
    house.group.commits[ONE] = Committed(10, encode(10, {11, 13, 14, 31}))
    await house.share_out(ONE)
    assert alarms(caplog) == [f"LOST to retention, unread: 2 records of {TOPIC}/{ONE.number}, offsets 10 to 13"]
    assert house.metrics.value("expired_records_total") == 2


async def test_a_reader_that_retention_overtakes_goes_on_and_tells(caplog: pytest.LogCaptureFixture) -> None:
    house = House()
    await house.share_out(ONE)
    house.rebalance.move(ONE, Bounds(50, 60), 0)
    assert alarms(caplog) == [f"LOST to retention, unread: 50 records of {TOPIC}/{ONE.number}, offsets 0 to 49"]
    assert house.metrics.value("expired_records_total") == 50
    assert house.group.positions[ONE] == 50


async def test_nothing_is_told_lost_where_retention_removed_only_what_was_done(
    caplog: pytest.LogCaptureFixture,
) -> None:
    house = House()
    house.group.logs[ONE] = Bounds(30, 50)
    house.group.commits[ONE] = Committed(30, "")
    await house.share_out(ONE)
    assert (alarms(caplog), house.metrics.value("expired_records_total")) == ([], 0)


async def test_a_commit_of_a_member_that_halted_is_told_once_and_passed_on_until_it_is_pardoned() -> None:
    house = House()
    house.group.commits = {place: Committed(4, encode(4, (), halted=True)) for place in (ONE, TWO)}
    await house.share_out(ONE, TWO)
    assert house.halted == 1
    await house.take(ONE, 4, 5)
    await house.end(ONE, 4)
    await house.commits.now()
    assert read(*house.group.commits[ONE]).halted
    house.commits.halted = False
    await house.commits.now()
    assert not any(read(*commit).halted for commit in house.group.commits.values())
    assert house.group.commits.keys() == {ONE, TWO}


async def test_a_kept_partition_goes_on_though_our_own_commit_had_no_answer() -> None:
    house = House()
    await house.share_out(ONE)
    await house.take(ONE, 0, 1, 2)
    await house.end(ONE, 0)
    house.group.refusing = True
    await house.commits.now()
    house.group.commits[ONE] = house.group.requests[-1][ONE]
    house.group.refusing = False
    await house.end(ONE, 1)
    await house.share_out(ONE)
    assert house.cancelled == []
    assert house.ledgers[ONE].low == 2


@pytest.mark.parametrize("theirs", [0, 1, 2, 7])
async def test_a_kept_partition_whose_commit_is_another_members_is_begun_anew_from_there(theirs: int) -> None:
    house = House()
    house.group.commits[ONE] = Committed(0, "")
    await house.share_out(ONE)
    await house.take(ONE, 0, 1, 2)
    await house.end(ONE, 0)
    await house.rebalance.revoked()
    house.group.commits[ONE] = Committed(theirs, encode(theirs, {8}))
    house.rebalance.assigned([ONE])
    await eventually(lambda: house.rebalance.settled)
    assert sorted(house.cancelled) == [(ONE, 1), (ONE, 2)]
    assert await house.take(ONE, *range(theirs, 10)) == [o for o in range(theirs, 10) if o != 8]


async def test_a_member_that_was_thrown_out_cancels_and_drops_everything_before_it_joins_again() -> None:
    house = House()
    await house.share_out(ONE, TWO)
    await house.take(ONE, 0, 1)
    await house.end(ONE, 0)
    house.group.given = frozenset()
    await house.rebalance.revoked()
    await eventually(lambda: house.cancelled == [(ONE, 1)])
    assert house.ledgers == {}
    assert house.group.requests == [], "what was finished is not committed in another's place"
    house.group.commits[ONE] = Committed(5, encode(5, {6}))
    await house.share_out(ONE, revoke=False)
    assert house.group.positions[ONE] == 5
    assert await house.take(ONE, 5, 6) == [5]
    assert house.errors == []


async def test_no_record_is_begun_between_the_share_out_and_its_result() -> None:
    house = House()
    await house.share_out(ONE)
    assert house.held == ["hold", "release"]
    await house.rebalance.revoked()
    assert house.held == ["hold", "release", "hold"]
    house.rebalance.assigned([ONE])
    assert house.held == ["hold", "release", "hold", "release"]


async def test_what_ends_while_it_settles_is_committed_before_the_partition_goes() -> None:
    house = House(settle_seconds=1_000.0)
    await house.share_out(ONE)
    await house.take(ONE, 0, 1)
    revoking = asyncio.create_task(house.rebalance.revoked())
    await asyncio.sleep(0)
    await house.end(ONE, 0, 1)
    await revoking
    assert house.group.commits == {ONE: Committed(2, "")}


async def test_it_settles_no_longer_than_it_was_told_to() -> None:
    house = House(settle_seconds=0.5)
    await house.share_out(ONE)
    await house.take(ONE, 0, 1)
    began = house.clock.monotonic()
    await house.rebalance.revoked()
    assert 0.5 <= house.clock.monotonic() - began < 0.6
    assert house.cancelled == []


async def test_what_waits_of_a_lost_partition_is_never_begun() -> None:
    house = House(slots=20)
    await house.share_out(ONE, TWO)
    await house.take(TWO, *range(20))
    house.arrive(ONE, 0, 1)
    await house.share_out(TWO)
    await house.end(TWO, *range(20))
    assert all(partition == TWO for partition, _ in house.started)
    assert house.lanes.waiting == 0


async def test_commits_that_cannot_be_read_are_asked_for_again_while_kept_partitions_go_on() -> None:
    house = House()
    await house.share_out(ONE)
    house.group.silent = True
    await house.rebalance.revoked()
    house.group.given = frozenset({ONE, TWO})
    house.rebalance.assigned([ONE, TWO])
    await house.take(ONE, 0)
    await house.end(ONE, 0)
    assert await house.commits.now()
    assert house.group.commits[ONE].offset == 1
    assert not house.rebalance.settled
    house.group.silent = False
    await eventually(lambda: house.rebalance.settled)
    assert house.ledgers[ONE].low == 1


async def test_commits_that_go_on_while_those_of_the_group_are_read_are_known_as_our_own() -> None:
    house = House()
    await house.share_out(ONE)
    await house.take(ONE, 0, 1, 2)
    await house.rebalance.revoked()
    house.rebalance.assigned([ONE])
    for offset in (0, 1):
        await house.end(ONE, offset)
        await house.commits.now()
    await eventually(lambda: house.rebalance.settled)
    assert house.cancelled == []
    assert decode(*house.group.commits[ONE]) == frozenset()
    assert house.ledgers[ONE].low == 2
