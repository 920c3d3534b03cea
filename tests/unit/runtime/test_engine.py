"""The engine over a Kafka in memory: back-pressure, commits, rebalances, drain."""

import asyncio
from collections.abc import Callable

import pytest

from consumers.runtime.client import Arrival, Committed, Partition
from consumers.runtime.clock import SystemClock
from consumers.runtime.engine import Engine
from consumers.runtime.metrics import Metrics
from consumers.runtime.offsets import decode, encode
from consumers.runtime.settings import RuntimeSettings
from tests.unit.runtime.memory import TOPIC, MemoryConsumer

ONE, TWO = Partition(TOPIC, 1), Partition(TOPIC, 2)


class House:
    """An engine with handlers that wait to be let go."""

    def __init__(self, *, slots: int = 100, free: bool = False, **settings: float) -> None:
        self.consumer = MemoryConsumer()
        self.started: list[tuple[int, int]] = []
        self.cancelled: list[tuple[int, int]] = []
        self.free = free
        """Whether handlers end at once."""
        self.breaks: set[int] = set()
        self.readied = 0
        self.stopped = 0
        self.metrics = Metrics.create()
        self._doors: dict[tuple[int, int], asyncio.Event] = {}
        quick = {"commit_interval_seconds": 0.01, "watch_interval_seconds": 0.01, "grace_seconds": 0.05}
        self.engine = Engine(
            self.consumer,
            self._process,
            slots=slots,
            settings=RuntimeSettings.model_validate(quick | settings),
            clock=SystemClock(),
            metrics=self.metrics,
            on_ready=self._ready,
            on_broken=self._break,
        )

    async def let_go(self, partition: Partition, *offsets: int) -> None:
        for offset in offsets:
            self._door(partition.number, offset).set()
        await asyncio.sleep(0.01)

    async def join(self, *partitions: Partition) -> None:
        """Be assigned, and wait until everything has its place."""
        self.consumer.assign(self.engine, *partitions)
        await eventually(lambda: self.engine.settled)

    async def pump(self) -> None:
        self.consumer.pump(self.engine)
        await asyncio.sleep(0.01)

    def _door(self, partition: int, offset: int) -> asyncio.Event:
        return self._doors.setdefault((partition, offset), asyncio.Event())

    def _ready(self) -> None:
        self.readied += 1

    def _break(self) -> None:
        self.stopped += 1

    async def _process(self, arrival: Arrival) -> None:
        place = (arrival.partition.number, arrival.offset)
        self.started.append(place)
        if arrival.offset in self.breaks:
            raise RuntimeError("a fault of ours")
        try:
            if not self.free:
                await self._door(*place).wait()
        except asyncio.CancelledError:
            self.cancelled.append(place)
            raise


async def eventually(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110  it depends on several tasks
            await asyncio.sleep(0.002)


async def test_a_group_without_a_commit_begins_at_the_start_of_the_log() -> None:
    house = House(free=True)
    house.consumer.begins[ONE] = 5
    house.consumer.write(ONE, 5, 6)
    await house.join(ONE)
    await house.pump()
    assert house.started == [(1, 5), (1, 6)]
    assert house.readied == 1


async def test_nothing_of_a_new_partition_is_taken_before_its_commit_is_known() -> None:
    house = House(free=True)
    house.consumer.write(ONE, *range(10))
    house.consumer.commits[ONE] = Committed(4, encode(4, {6}))
    house.consumer.assign(house.engine, ONE)
    assert house.consumer.paused == {ONE}
    for offset in (0, 1, 2):
        house.engine.accept([house.consumer.logs[ONE][offset]])
    await eventually(lambda: house.engine.settled)
    await house.pump()
    assert house.started == [(1, 4), (1, 5), (1, 7), (1, 8), (1, 9)]


async def test_a_refused_commit_is_made_up_for_by_the_next() -> None:
    house = House(free=True)
    house.consumer.write(ONE, 0, 1)
    await house.join(ONE)
    house.consumer.refuse_commits = True
    house.engine.start()
    await house.pump()
    await eventually(lambda: house.metrics.value("commit_failures_total") >= 2)
    assert house.consumer.commits == {}
    house.consumer.refuse_commits = False
    await eventually(lambda: house.consumer.commits == {ONE: Committed(2, "")})
    await house.engine.drain()


async def test_a_partition_with_a_full_window_is_paused_and_resumed_at_half() -> None:
    house = House(window=4)
    house.consumer.write(ONE, *range(10))
    await house.join(ONE)
    await house.pump()
    assert house.started == [(1, offset) for offset in range(4)]
    assert house.consumer.paused == {ONE}
    await house.let_go(ONE, 3)
    assert house.consumer.paused == {ONE}
    await house.let_go(ONE, 2)
    assert house.consumer.paused == set()
    await house.pump()
    assert house.started[4:] == [(1, 4), (1, 5)]


async def test_a_partition_is_paused_when_too_much_has_finished_above_a_slow_head() -> None:
    house = House(window=1_000, span=6)
    house.consumer.write(ONE, *range(20))
    await house.join(ONE)
    await house.pump()
    await house.let_go(ONE, *range(1, 6))
    assert house.consumer.paused == {ONE}
    assert house.started[-1] == (1, 5)
    await house.let_go(ONE, 0)
    assert house.consumer.paused == set()


async def test_too_many_bytes_pause_every_partition() -> None:
    house = House(window_bytes=100)
    house.consumer.write(ONE, 0, 1, size=60)
    house.consumer.write(TWO, 0, size=60)
    await house.join(ONE, TWO)
    await house.pump()
    assert house.consumer.paused == {ONE, TWO}
    assert house.started == [(1, 0), (1, 1)]
    await house.let_go(ONE, 0, 1)
    assert house.consumer.paused == set()
    await house.pump()
    assert house.started[2:] == [(2, 0)]


async def test_a_kept_partition_goes_on_and_what_runs_on_it_is_left_alone() -> None:
    house = House()
    house.consumer.write(ONE, 0, 1)
    await house.join(ONE)
    await house.pump()
    await house.engine.revoked()
    house.consumer.silent = True
    house.consumer.assign(house.engine, ONE, TWO)
    assert house.consumer.positions[ONE] == 2
    assert house.consumer.paused == {TWO}
    house.consumer.write(ONE, 2)
    await house.pump()
    assert house.started == [(1, 0), (1, 1), (1, 2)], "it does not wait for the commits to be read"
    assert not house.engine.settled
    house.consumer.silent = False
    await eventually(lambda: house.engine.settled)
    assert house.cancelled == []
    assert house.consumer.paused == set()


async def test_a_lost_partition_is_cancelled_and_a_late_end_is_not_committed() -> None:
    house = House()
    house.consumer.write(ONE, 0)
    house.consumer.write(TWO, 0)
    house.engine.start()
    await house.join(ONE, TWO)
    await house.pump()
    await house.join(TWO)
    await eventually(lambda: house.cancelled == [(1, 0)])
    house.consumer.commits[ONE] = Committed(7, "another member's")
    await house.join(ONE, TWO)
    await house.let_go(ONE, 0)
    await house.let_go(TWO, 0)
    await eventually(lambda: house.consumer.commits.get(TWO) == Committed(1, ""))
    await house.engine.drain()
    assert house.consumer.commits[ONE] == Committed(7, "another member's")


async def test_a_kept_partition_that_another_member_has_advanced_is_begun_anew_from_there() -> None:
    house = House()
    house.consumer.write(ONE, *range(6))
    await house.join(ONE)
    await house.pump()
    house.consumer.commits[ONE] = Committed(3, encode(3, {4}))
    await house.join(ONE)
    await eventually(lambda: sorted(house.cancelled) == [(1, offset) for offset in range(6)])
    await house.pump()
    assert house.started[6:] == [(1, 3), (1, 5)]


async def test_a_topic_made_anew_is_read_from_its_beginning_and_nothing_is_skipped() -> None:
    house = House(free=True)
    house.consumer.write(ONE, 0, 1, 2)
    house.consumer.commits[ONE] = Committed(100, encode(100, {101, 102}))
    await house.join(ONE)
    await house.pump()
    assert house.started == [(1, 0), (1, 1), (1, 2)]


async def test_a_topic_made_anew_while_it_is_read_is_noticed() -> None:
    house = House(free=True)
    house.consumer.write(ONE, *range(10))
    await house.join(ONE)
    await house.pump()
    house.consumer.logs[ONE].clear()
    house.consumer.write(ONE, 0)
    house.engine.start()
    await eventually(lambda: house.consumer.positions[ONE] == 0)
    await house.pump()
    assert house.started[10:] == [(1, 0)]
    await house.engine.drain()


async def test_records_that_retention_removed_unread_are_counted() -> None:
    house = House(free=True)
    house.consumer.commits[ONE] = Committed(10, encode(10, {32}))
    house.consumer.begins[ONE] = 30
    house.consumer.write(ONE, 30, 31, 32)
    await house.join(ONE)
    await house.pump()
    assert house.started == [(1, 30), (1, 31)]
    assert house.metrics.value("expired_records_total") == 20


async def test_retention_that_overtakes_a_reader_is_counted_and_reading_goes_on() -> None:
    house = House(free=True)
    await house.join(ONE)
    house.consumer.begins[ONE] = 50
    house.consumer.write(ONE, 50)
    house.engine.start()
    await eventually(lambda: house.metrics.value("expired_records_total") == 50)
    await house.pump()
    assert house.started == [(1, 50)]
    await house.engine.drain()


async def test_a_fault_in_the_runtime_leaves_the_record_open_and_says_so() -> None:
    house = House(free=True)
    house.breaks = {1}
    house.consumer.write(ONE, 0, 1, 2)
    await house.join(ONE)
    await house.pump()
    await house.engine.drain()
    assert house.engine.broken == "RuntimeError while working on inbound.messages/1"
    assert house.consumer.commits[ONE].offset == 1
    assert decode(1, house.consumer.commits[ONE].metadata) == {2}


async def test_an_engine_that_can_no_longer_commit_asks_to_be_stopped() -> None:
    house = House(free=True)
    house.consumer.write(ONE, 0)
    await house.join(ONE)
    house.consumer.faulty = True
    house.engine.start()
    await house.pump()
    await eventually(lambda: house.stopped == 1)
    assert house.engine.broken == "ZeroDivisionError in the background"


async def test_a_drain_waits_for_what_runs_and_leaves_the_rest_uncommitted() -> None:
    house = House(slots=2, grace_seconds=0.2)
    house.consumer.write(ONE, *range(5))
    await house.join(ONE)
    await house.pump()
    drain = asyncio.create_task(house.engine.drain())
    await asyncio.sleep(0.01)
    house.engine.accept([Arrival(ONE, 5, None, b"late")])
    await house.let_go(ONE, 0)
    await drain
    assert house.consumer.paused == {ONE}
    assert house.started == [(1, 0), (1, 1)]
    assert house.cancelled == [(1, 1)]
    assert house.consumer.commits[ONE].offset == 1
    assert not house.engine.settled


@pytest.mark.parametrize("session", [2_000, 2_999])
def test_heartbeats_that_are_too_rare_for_the_session_are_refused(session: int) -> None:
    with pytest.raises(ValueError, match="a third of session_timeout_ms"):
        RuntimeSettings(session_timeout_ms=session, heartbeat_interval_ms=1_000)
