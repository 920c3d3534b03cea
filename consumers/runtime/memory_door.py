"""The door to a Kafka in memory: one member of one group, and a publisher. For tests.

Reading keeps aiokafka's habits: a new assignment forgets pauses and positions; a partition is read from where it was
last sought, and not before it was; a paused one gives nothing; a position that retention has overtaken gives nothing
either (offset reset is `none`).
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence

from consumers.runtime.client import (
    Arrival,
    Bounds,
    BrokerUnavailable,
    CommitRefused,
    Committed,
    Departure,
    Partition,
    Sink,
)
from consumers.runtime.memory import Group, MemoryBroker

RECORDS_AT_ONCE = 100


class MemoryConsumer:
    """The Consumer protocol."""

    def __init__(self, broker: MemoryBroker, group: Group, member: "MemoryDoor") -> None:
        self._broker = broker
        self._group = group
        self._member = member
        self._generation = 0
        self.paused: set[Partition] = set()
        self.positions: dict[Partition, int] = {}

    def begin(self) -> None:
        """There is a new assignment."""
        self._generation = self._group.generation
        self.paused.clear()
        self.positions.clear()

    def poll(self, limit: int = RECORDS_AT_ONCE) -> Sequence[Sequence[Arrival]]:
        """What there is to read, by partition; up to `limit` records of each."""
        found = []
        for partition in sorted(self.assigned() & self._broker.partitions() - self.paused):
            position, log = self.positions.get(partition), self._broker.log(partition)
            if position is None or position < log.begin:
                continue
            ready = [arrival for offset, arrival in log.records.items() if offset >= position][:limit]
            if ready:
                self.positions[partition] = ready[-1].offset + 1
                found.append(ready)
        return found

    def assigned(self) -> frozenset[Partition]:
        return self._group.shares.get(self._member, frozenset())

    def pause(self, partitions: Collection[Partition]) -> None:
        self.paused |= self.assigned() & set(partitions)

    def resume(self, partitions: Collection[Partition]) -> None:
        self.paused -= set(partitions)
        self._member.poke()

    def seek(self, partition: Partition, offset: int) -> None:
        if partition in self.assigned():
            self.positions[partition] = offset
            self._member.poke()

    async def commit(self, offsets: Mapping[Partition, Committed]) -> None:
        await asyncio.sleep(0)
        if self._broker.refuse_commits or self._broker.silent:
            raise CommitRefused("not now")
        self._group.commit(self._member, self._generation, offsets)

    async def committed(self, partitions: Collection[Partition]) -> Mapping[Partition, Committed]:
        await asyncio.sleep(0)
        self._broker.answer()
        return {p: self._group.commits[p] for p in partitions if p in self._group.commits}

    async def bounds(self, partitions: Collection[Partition]) -> Mapping[Partition, Bounds]:
        await asyncio.sleep(0)
        return self._broker.bounds(partitions)

    async def topic_ids(self, topics: Collection[str]) -> Mapping[str, str]:
        await asyncio.sleep(0)
        return self._broker.topic_ids(topics)


class MemoryPublisher:
    """The RawPublisher protocol."""

    def __init__(self, broker: MemoryBroker) -> None:
        self._broker = broker

    async def publish(self, departure: Departure) -> None:
        await asyncio.sleep(0)
        # A record must have a key or a value.
        value = b"" if departure.key is None and departure.value is None else departure.value
        number = self._broker.number_of(departure.topic, departure.key)
        self._broker.append(Partition(departure.topic, number), departure.key, value, departure.headers)


class MemoryDoor:
    """The Door protocol, and a member of its group. `by_hand`: nothing is read but by `pump`."""

    def __init__(self, broker: MemoryBroker, group: str, topics: Collection[str], *, by_hand: bool = False) -> None:
        self.topics = frozenset(topics)
        self._broker = broker
        self._group = group
        self._by_hand = by_hand
        self._sink: Sink | None = None
        self._reading: asyncio.Task[None] | None = None
        self._poked = asyncio.Event()
        self.consumer = MemoryConsumer(broker, broker.group(group), self)
        self.publisher = MemoryPublisher(broker)

    async def connect(self) -> None:
        if self._broker.silent:
            raise BrokerUnavailable("no answer")

    async def join(self, sink: Sink) -> None:
        await self.connect()
        self._sink = sink
        self._broker.on_growth.add(self.poke)
        await self._broker.join(self._group, self)
        if not self._by_hand:
            self._reading = asyncio.create_task(self._read())

    async def leave(self) -> None:
        self._broker.on_growth.discard(self.poke)
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait((self._reading,))
        await self._broker.leave(self._group, self)

    async def close(self) -> None:
        pass

    async def revoked(self) -> None:
        if self._sink is not None:
            await self._sink.revoked()

    def assigned(self, partitions: Collection[Partition]) -> None:
        self.consumer.begin()
        if self._sink is not None:
            self._sink.assigned(partitions)
        self.poke()

    def pump(self) -> bool:
        """Hand over what there is; False when there is nothing."""
        batches = self.consumer.poll()
        for batch in batches:
            if self._sink is not None:
                self._sink.accept(batch)
        return bool(batches)

    def poke(self) -> None:
        """There may be something to read."""
        self._poked.set()

    async def _read(self) -> None:
        while True:
            self._poked.clear()
            if not self.pump():
                await self._poked.wait()
            await asyncio.sleep(0)
            while self._sink is not None and self._sink.busy():  # noqa: ASYNC110  as intake does
                await asyncio.sleep(0)
