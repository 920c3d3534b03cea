"""Watching: how far behind, whether it moves, and what is done when a log leaves its reader."""

import asyncio
from datetime import timedelta

import pytest

from consumers.runtime.aside import Aside
from consumers.runtime.client import Arrival, Bounds, Consumer, Partition
from consumers.runtime.commits import Commits
from consumers.runtime.flow import Flow
from consumers.runtime.metrics import Metrics
from consumers.runtime.offsets import Ledger
from consumers.runtime.rebalance import Rebalance
from consumers.runtime.under_way import UnderWay
from consumers.runtime.watching import UNREADABLE, Watch
from schemas.topics import DAY_MS
from tests.unit.runtime.fake_group import ONE, TOPIC, TWO, FakeGroup, PassingClock, eventually

RETENTION = 14 * DAY_MS / 1000


class House:
    """A watch over two partitions; times of records are set by tests."""

    def __init__(self) -> None:
        self.group = FakeGroup(ONE, TWO)
        self.group.logs = {ONE: Bounds(0, 10), TWO: Bounds(0, 10)}
        consumer: Consumer = self.group
        self.clock = PassingClock()
        self.metrics = Metrics.create()
        self.ledgers: dict[Partition, Ledger] = {ONE: Ledger(0), TWO: Ledger(0)}
        self.open: dict[Partition, Arrival] = {}
        commits = Commits(consumer, self.ledgers, clock=self.clock, metrics=self.metrics, interval=1.0, timeout=30.0)
        self.rebalance = Rebalance(
            consumer,
            self.ledgers,
            UnderWay([], Aside(lambda owned: None, lambda owned, error: None)),
            Flow(consumer, window=100, span=1_000, largest_bytes=1_000_000),
            commits,
            clock=self.clock,
            metrics=self.metrics,
            on_placed=lambda: None,
            on_end=lambda task: None,
        )
        self.watch = Watch(
            consumer,
            self.ledgers,
            self.rebalance,
            oldest_open=self.open.get,
            clock=self.clock,
            metrics=self.metrics,
            interval=5.0,
            stall_seconds=60.0,
        )

    def read_all(self, *partitions: Partition) -> None:
        for partition in partitions or (ONE, TWO):
            self.ledgers[partition].see_many(range(10))

    def finish_all(self, *partitions: Partition) -> None:
        for partition in partitions or (ONE, TWO):
            self.ledgers[partition].finish_many(range(10))

    def begin(self, partition: Partition, offset: int, *, age: float) -> None:
        """A record is open, and was written `age` seconds ago."""
        written = (self.clock.now() - timedelta(seconds=age)).timestamp() * 1000
        self.open[partition] = Arrival(partition, offset, None, b"", (), int(written))

    def gauge(self, name: str, partition: Partition) -> float | None:
        labels = {"topic": partition.topic, "partition": str(partition.number)}
        return self.metrics.registry.get_sample_value(f"leadbus_{name}", labels)

    def headroom(self) -> float | None:
        return self.metrics.registry.get_sample_value("leadbus_retention_headroom_seconds", {"topic": TOPIC})


async def test_lag_is_told_in_records_in_seconds_and_as_what_is_left_of_retention() -> None:
    house = House()
    house.read_all()
    house.ledgers[ONE].finish_many([0, 1, 2])
    house.begin(ONE, 3, age=100.0)
    house.begin(TWO, 0, age=7.0)
    await house.watch.look()
    assert (house.gauge("lag_records", ONE), house.gauge("lag_records", TWO)) == (7.0, 10.0)
    assert house.gauge("lag_seconds", ONE) == pytest.approx(100.0, abs=0.01)
    assert house.gauge("lag_seconds", TWO) == pytest.approx(7.0, abs=0.01)
    assert house.headroom() == pytest.approx(RETENTION - 100.0, abs=0.01)


async def test_nothing_behind_is_no_lag_and_the_whole_retention_is_left() -> None:
    house = House()
    house.read_all()
    house.finish_all()
    await house.watch.look()
    assert (house.gauge("lag_records", ONE), house.gauge("lag_seconds", ONE)) == (0.0, 0.0)
    assert house.headroom() == RETENTION


async def test_what_is_not_read_yet_is_as_old_as_it_has_been_known_to_be_there() -> None:
    house = House()
    await house.watch.look()
    assert house.gauge("lag_seconds", ONE) == 0.0
    house.clock.pass_by(30.0)
    await house.watch.look()
    assert house.gauge("lag_seconds", ONE) == 30.0
    house.ledgers[ONE].see(0)
    house.ledgers[ONE].finish(0)
    await house.watch.look()
    assert house.gauge("lag_seconds", ONE) == 0.0


async def test_a_partition_that_is_anothers_now_is_told_of_no_more() -> None:
    house = House()
    await house.watch.look()
    del house.ledgers[ONE]
    await house.watch.look()
    assert house.gauge("lag_records", ONE) is None
    assert house.gauge("lag_seconds", ONE) is None
    assert house.gauge("lag_records", TWO) == 10.0
    del house.ledgers[TWO]
    await house.watch.look()
    assert house.headroom() is None


async def test_a_topic_that_is_not_in_the_table_has_no_retention_to_tell_of() -> None:
    house = House()
    house.ledgers[Partition("foreign", 0)] = Ledger(0)
    await house.watch.look()
    assert house.metrics.registry.get_sample_value("leadbus_retention_headroom_seconds", {"topic": "foreign"}) is None


async def test_a_broker_that_does_not_answer_shows_in_the_time_of_its_last_answer() -> None:
    house = House()
    await house.watch.look()
    answered = house.watch.answered_at
    house.clock.pass_by(5.0)
    house.group.silent = True
    await house.watch.look()
    assert house.watch.answered_at == answered
    house.group.silent = False
    await house.watch.look()
    assert house.watch.answered_at == house.clock.monotonic()


async def test_it_looks_again_and_again_until_it_is_cancelled() -> None:
    house = House()
    running = asyncio.create_task(house.watch.run())
    await eventually(lambda: house.gauge("lag_records", ONE) == 10.0)
    house.read_all()
    house.finish_all()
    await eventually(lambda: house.gauge("lag_records", ONE) == 0.0)
    running.cancel()
    await asyncio.wait([running])


async def test_it_is_stalled_when_nothing_ends_and_nothing_comes_though_records_are_open() -> None:
    house = House()
    house.read_all(ONE)
    await house.watch.look()
    house.clock.pass_by(60.0)
    assert house.watch.why_stalled() is None
    house.clock.pass_by(1.0)
    assert house.watch.why_stalled() == "nothing was accepted or finished for 61 s, and 20 records wait"
    house.ledgers[ONE].finish(5)
    assert house.watch.why_stalled() is None


async def test_one_slow_record_is_no_stall_while_others_move() -> None:
    house = House()
    house.read_all(ONE)
    for offset in range(9):
        house.clock.pass_by(50.0)
        house.ledgers[TWO].see(offset)
        assert house.watch.why_stalled() is None
        house.clock.pass_by(50.0)
        house.ledgers[TWO].finish(offset)
        assert house.watch.why_stalled() is None


async def test_a_member_without_work_is_not_stalled_however_long_it_has_none() -> None:
    house = House()
    house.read_all()
    house.finish_all()
    for _ in range(5):
        await house.watch.look()
        house.clock.pass_by(1_000.0)
        assert house.watch.why_stalled() is None
    house.ledgers[ONE].see(10)
    assert house.watch.why_stalled() is None


async def test_records_that_arrive_and_are_not_read_are_a_stall_counted_from_their_arrival() -> None:
    house = House()
    house.read_all()
    house.finish_all()
    await house.watch.look()
    house.clock.pass_by(1_000.0)
    await house.watch.look()
    house.group.logs[ONE] = Bounds(0, 11)
    house.clock.pass_by(5.0)
    await house.watch.look()
    assert house.watch.why_stalled() is None
    house.clock.pass_by(61.0)
    assert house.watch.why_stalled() is not None


@pytest.mark.parametrize(("beyond", "stalled"), [(3, False), (UNREADABLE + 1, True)])
async def test_a_few_offsets_at_the_end_that_never_come_are_no_stall(beyond: int, stalled: bool) -> None:
    house = House()
    house.group.logs = dict.fromkeys((ONE, TWO), Bounds(0, 10 + beyond))
    await house.watch.look()
    house.read_all()
    house.finish_all()
    await house.watch.look()
    for _ in range(20):
        house.clock.pass_by(5.0)
        await house.watch.look()
    assert (house.watch.why_stalled() is not None) == stalled


async def test_a_reader_that_retention_overtakes_goes_on_at_the_logs_beginning() -> None:
    house = House()
    house.group.logs[ONE] = Bounds(50, 60)
    await house.watch.look()
    assert house.group.positions == {ONE: 50}
    assert house.metrics.value("expired_records_total") == 50


async def test_a_topic_whose_end_falls_behind_its_reader_is_read_from_its_beginning() -> None:
    house = House()
    house.read_all()
    house.group.logs[ONE] = Bounds(0, 2)
    await house.watch.look()
    assert house.group.positions == {ONE: 0}
    assert house.ledgers[ONE].next == 0
    assert house.metrics.value("topics_recreated_total", topic=TOPIC) == 1


async def test_a_topic_with_another_id_is_read_from_its_beginning_once_two_looks_say_so() -> None:
    house = House()
    house.group.ids[TOPIC] = ["old", "new", "old", "new", "new", "new"]
    house.read_all()
    for _ in range(4):
        await house.watch.look()
    assert house.group.positions == {}
    await house.watch.look()
    assert house.group.positions == {ONE: 0, TWO: 0}
    assert {ledger.topic_id for ledger in house.ledgers.values()} == {"new"}
    await house.watch.look()
    assert house.metrics.value("topics_recreated_total", topic=TOPIC) == 2


async def test_an_id_that_the_broker_tells_late_is_kept_for_the_next_commit() -> None:
    house = House()
    house.read_all()
    await house.watch.look()
    assert not house.ledgers[ONE].dirty
    house.group.ids[TOPIC] = ["told late"]
    await house.watch.look()
    assert house.ledgers[ONE].topic_id == "told late"
    assert house.ledgers[ONE].dirty


async def test_a_partition_that_is_lost_while_the_broker_is_asked_is_left_alone() -> None:
    house = House()
    looking = asyncio.create_task(house.watch.look())
    await asyncio.sleep(0)
    del house.ledgers[ONE]
    house.group.logs[ONE] = Bounds(50, 60)
    await looking
    assert house.group.positions == {}
    assert house.gauge("lag_records", ONE) is None
