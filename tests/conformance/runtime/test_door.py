"""The Door protocol with what is behind it: every Kafka that the runtime may meet gives the same answers."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from connectors.bus.seam import NotPublished, RecordTooLarge
from consumers.runtime.client import Arrival, Bounds, CommitRefused, Committed, Departure, Door, Partition
from consumers.runtime.kafka_door import KafkaDoor
from consumers.runtime.memory import MemoryBroker
from consumers.runtime.memory_door import MemoryDoor
from consumers.runtime.settings import RuntimeSettings
from ops.stack.embedded_broker import EmbeddedBroker
from schemas.documents import Inbound
from schemas.topics import LARGEST_FAILED_RECORD
from tests.conformance.runtime.conftest import APACHE

if TYPE_CHECKING:
    from ops.stack.kafka import RealKafka

GROUP = "leadbus.door"
LEADS = frozenset({Partition("leads", 0), Partition("leads", 1)})
ELSEWHERE = Partition("calls", 1)
QUIET_SECONDS = 0.5
"""Long enough for a record that should not come to come."""


class Reader:
    """A Sink that keeps what it is given; as the engine does, it pauses what it is assigned until all is known."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self.came: list[Arrival] = []
        self.told: list[str | frozenset[Partition]] = []

    def accept(self, arrivals: Sequence[Arrival]) -> None:
        assert len({arrival.partition for arrival in arrivals}) == 1
        self.came += arrivals

    def busy(self) -> bool:
        return False

    async def revoked(self) -> None:
        self.told.append("revoked")

    def assigned(self, partitions: Collection[Partition]) -> None:
        self._door.consumer.pause(partitions)
        for partition in partitions:
            self._door.consumer.seek(partition, 0)
        self.told.append(frozenset(partitions))

    def begin(self) -> None:
        """Read every partition."""
        self._door.consumer.resume(LEADS)

    def offsets(self, partition: Partition) -> list[int]:
        return [arrival.offset for arrival in self.came if arrival.partition == partition]


class Kafka:
    """Where doors lead: topics `leads` and `calls`, with two partitions each."""

    def __init__(self, make: Callable[[], Door]) -> None:
        self._make = make

    @asynccontextmanager
    async def member(self, partitions: int = 2) -> AsyncIterator[tuple[Door, Reader]]:
        """A member of the group that has been given so many partitions of `leads`, not reading yet."""
        door = self._make()
        reader = Reader(door)
        await door.connect()
        try:
            await door.join(reader)
            try:
                await eventually(lambda: len(door.consumer.assigned()) == partitions)
                yield door, reader
            finally:
                await door.leave()
        finally:
            await door.close()


async def eventually(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110  it depends on a broker
            await asyncio.sleep(0.02)


@pytest.fixture
def memory_kafka() -> Kafka:
    broker = MemoryBroker()
    for topic in ("leads", "calls"):
        broker.create(topic, 2)
    return Kafka(lambda: MemoryDoor(broker, GROUP, ["leads"]))


@pytest.fixture
def embedded_kafka() -> Iterator[Kafka]:
    with EmbeddedBroker([("leads", 2), ("calls", 2)]) as broker:
        yield Kafka(lambda: kafka_door(broker.bootstrap))


@pytest.fixture
def apache_kafka(kafka: "RealKafka") -> Kafka:
    prefix = f"{uuid.uuid4().hex[:8]}."
    kafka.create_topics([(f"{prefix}leads", 2), (f"{prefix}calls", 2)])
    return Kafka(lambda: kafka_door(kafka.bootstrap, prefix))


@pytest.fixture(params=["memory", "embedded", APACHE])
def brokers(request: pytest.FixtureRequest) -> Kafka:
    found: Kafka = request.getfixturevalue(f"{request.param}_kafka")
    return found


@pytest.fixture(params=["memory", APACHE])
def whole_brokers(request: pytest.FixtureRequest) -> Kafka:
    """Without the embedded broker, which has no limit of size, and cannot share out among members of this client."""
    found: Kafka = request.getfixturevalue(f"{request.param}_kafka")
    return found


def kafka_door(bootstrap: str, prefix: str = "") -> KafkaDoor:
    return KafkaDoor(
        name="door",
        description="",
        reads={"leads": Inbound},
        publishes={},
        group=prefix + GROUP,
        bootstrap=bootstrap,
        prefix=prefix,
        settings=RuntimeSettings(session_timeout_ms=6_000, heartbeat_interval_ms=300, rebalance_timeout_ms=6_000),
    )


def lead(key: str, value: bytes | None = b"{}") -> Departure:
    return Departure("leads", key.encode(), value, (("tenant", b"acme"), ("broken", b"\xff"), ("empty", None)))


async def keys_by_partition(door: Door, reader: Reader, count: int) -> dict[Partition, list[bytes | None]]:
    await eventually(lambda: len(reader.came) >= count)
    return {p: [arrival.key for arrival in reader.came if arrival.partition == p] for p in LEADS}


async def test_what_is_published_is_read_as_it_was_and_one_key_stays_in_its_partition_and_order(brokers: Kafka) -> None:
    async with brokers.member() as (door, reader):
        reader.begin()
        sent = [lead(f"lead {n % 7}", None if n == 5 else b"%d" % n) for n in range(40)]
        for departure in sent:
            await door.publisher.publish(departure)
        await eventually(lambda: len(reader.came) >= len(sent))
    assert len(reader.came) == len(sent)
    for key in {departure.key for departure in sent}:
        of_key = [arrival for arrival in reader.came if arrival.key == key]
        assert len({arrival.partition for arrival in of_key}) == 1
        assert [arrival.value for arrival in of_key] == [d.value for d in sent if d.key == key]
    assert {tuple(arrival.headers) for arrival in reader.came} == {sent[0].headers}
    for partition in LEADS:
        assert reader.offsets(partition) == list(range(len(reader.offsets(partition))))


async def test_a_paused_partition_gives_nothing_until_it_is_resumed_and_another_goes_on(brokers: Kafka) -> None:
    async with brokers.member() as (door, reader):
        reader.begin()
        for number in range(20):
            await door.publisher.publish(lead(str(number)))
        by_partition = await keys_by_partition(door, reader, 20)
        held, free = (min(LEADS), max(LEADS))
        assert all(by_partition.values()), "keys fall into both partitions"
        door.consumer.pause([held])
        for keys in by_partition.values():
            await door.publisher.publish(Departure("leads", keys[0], b"again", ()))
        await eventually(lambda: len(reader.came) == 21)
        await asyncio.sleep(QUIET_SECONDS)
        assert [arrival.partition for arrival in reader.came[20:]] == [free]
        door.consumer.resume([held])
        await eventually(lambda: len(reader.came) == 22)
    assert reader.came[21].partition == held


async def test_a_sought_partition_is_read_again_from_there(brokers: Kafka) -> None:
    async with brokers.member() as (door, reader):
        reader.begin()
        for number in range(5):
            await door.publisher.publish(Departure("leads", b"one", b"%d" % number, ()))
        await eventually(lambda: len(reader.came) == 5)
        door.consumer.seek(reader.came[0].partition, 3)
        await eventually(lambda: len(reader.came) == 7)
    assert [arrival.offset for arrival in reader.came] == [0, 1, 2, 3, 4, 3, 4]


async def test_commits_are_read_as_they_were_written_and_missing_ones_are_missing(brokers: Kafka) -> None:
    one, two = sorted(LEADS)
    async with brokers.member() as (door, _):
        assert await door.consumer.committed([one, two]) == {}
        await door.consumer.commit({one: Committed(3, "a text of ours: {}")})
        await door.consumer.commit({two: Committed(0, "x" * 3_800)})
        assert await door.consumer.committed([one, two, ELSEWHERE]) == {
            one: Committed(3, "a text of ours: {}"),
            two: Committed(0, "x" * 3_800),
        }
    async with brokers.member() as (door, _):
        assert (await door.consumer.committed([one]))[one].offset == 3


async def test_a_commit_for_a_partition_that_is_not_assigned_is_refused_as_a_whole(brokers: Kafka) -> None:
    one = min(LEADS)
    async with brokers.member() as (door, _):
        with pytest.raises(CommitRefused, match="not assigned"):
            await door.consumer.commit({one: Committed(3, ""), ELSEWHERE: Committed(3, "")})
        assert await door.consumer.committed([one, ELSEWHERE]) == {}


async def test_the_logs_bounds_and_an_id_for_every_topic_are_told(brokers: Kafka) -> None:
    async with brokers.member() as (door, _):
        for _ in range(3):
            await door.publisher.publish(lead("one"))
        bounds = await door.consumer.bounds([*LEADS, ELSEWHERE])
        ids = await door.consumer.topic_ids(["leads", "calls", "nowhere"])
        assert await door.consumer.topic_ids(["calls"]) == {"calls": ids["calls"]}
    assert sorted(bounds.values()) == [Bounds(0, 0), Bounds(0, 0), Bounds(0, 3)]
    assert bounds[ELSEWHERE] == Bounds(0, 0)
    assert ids.keys() == {"leads", "calls"}
    assert len(set(ids.values())) == 2


async def test_what_is_too_large_or_has_no_topic_is_refused_by_name(whole_brokers: Kafka) -> None:
    async with whole_brokers.member() as (door, _):
        with pytest.raises(RecordTooLarge):
            await door.publisher.publish(lead("large", b"x" * (2 * LARGEST_FAILED_RECORD)))
        with pytest.raises(NotPublished):
            await door.publisher.publish(Departure("nowhere", b"k", b"v", ()))


async def test_the_group_asks_before_it_shares_out_and_a_member_that_leaves_gives_its_share_back(
    whole_brokers: Kafka,
) -> None:
    async with whole_brokers.member() as (first, reader):
        before = len(reader.told)
        async with whole_brokers.member(partitions=1) as (second, other):
            await eventually(lambda: len(first.consumer.assigned()) == 1)
            assert first.consumer.assigned() | second.consumer.assigned() == LEADS
            assert reader.told[before] == "revoked"
            await eventually(lambda: reader.told[-1] == first.consumer.assigned())
            await eventually(lambda: other.told[-1] == second.consumer.assigned())
            with pytest.raises(CommitRefused):
                await first.consumer.commit({min(second.consumer.assigned()): Committed(1, "")})
        await eventually(lambda: first.consumer.assigned() == LEADS)
        await eventually(lambda: reader.told[-1] == LEADS)
        assert not reader.came, "what is paused is not read"
