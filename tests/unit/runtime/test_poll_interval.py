"""`max_poll_interval_ms`: who does not poll for so long leaves its group, and who polls stays however long it works."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from consumers.runtime.client import Arrival, Departure, Partition
from consumers.runtime.kafka_door import KafkaDoor
from consumers.runtime.settings import RuntimeSettings
from schemas.documents import Inbound

if TYPE_CHECKING:
    from ops.stack.kafka import RealKafka

LEADS = Partition("leads", 0)


class Sink:
    """Takes what comes; `stuck` keeps the member from polling for more."""

    def __init__(self, door: KafkaDoor) -> None:
        self._door = door
        self.came: list[Arrival] = []
        self.stuck = False
        self.given = 0

    def accept(self, arrivals: Sequence[Arrival]) -> None:
        self.came += arrivals

    def busy(self) -> bool:
        return self.stuck

    async def revoked(self) -> None:
        pass

    def assigned(self, partitions: Collection[Partition]) -> None:
        self.given += 1
        for partition in partitions:
            self._door.consumer.seek(partition, len(self.came))


@asynccontextmanager
async def member(kafka: "RealKafka", interval_ms: int) -> AsyncIterator[tuple[KafkaDoor, Sink]]:
    prefix = f"{uuid.uuid4().hex[:8]}."
    kafka.create_topics([(f"{prefix}leads", 1)])
    door = KafkaDoor(
        name="slow",
        description="",
        reads={"leads": Inbound},
        publishes={},
        group=f"{prefix}leadbus.slow",
        bootstrap=kafka.bootstrap,
        prefix=prefix,
        settings=RuntimeSettings(heartbeat_interval_ms=200, max_poll_interval_ms=interval_ms),
    )
    sink = Sink(door)
    await door.connect()
    try:
        await door.join(sink)
        try:
            await eventually(lambda: door.consumer.assigned() == {LEADS})
            yield door, sink
        finally:
            sink.stuck = False
            await door.leave()
    finally:
        await door.close()


async def eventually(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110  it depends on a broker
            await asyncio.sleep(0.02)


async def publish(door: KafkaDoor, sink: Sink) -> None:
    """One record, until it has come."""
    count = len(sink.came)
    await door.publisher.publish(Departure("leads", b"k", b"{}", ()))
    await eventually(lambda: len(sink.came) == count + 1)


@pytest.mark.kafka
async def test_a_member_that_does_not_poll_leaves_its_group_and_comes_back_when_it_does(kafka: "RealKafka") -> None:
    async with member(kafka, 1_000) as (door, sink):
        await publish(door, sink)
        sink.stuck = True
        await publish(door, sink)
        await eventually(lambda: not door.consumer.assigned())
        sink.stuck = False
        await eventually(lambda: door.consumer.assigned() == {LEADS})
        await eventually(lambda: sink.given == 2)  # told a moment after it is assigned
        await publish(door, sink)


@pytest.mark.kafka
async def test_a_member_that_polls_stays_though_nothing_comes_and_its_partition_is_paused(kafka: "RealKafka") -> None:
    async with member(kafka, 1_000) as (door, sink):
        await publish(door, sink)
        door.consumer.pause([LEADS])
        await asyncio.sleep(3)
        assert (door.consumer.assigned(), sink.given) == (frozenset({LEADS}), 1)


def test_the_interval_is_minutes_unless_it_is_set() -> None:
    assert RuntimeSettings().max_poll_interval_ms == 300_000
    with pytest.raises(ValueError, match="max_poll_interval_ms"):
        RuntimeSettings(max_poll_interval_ms=10)
