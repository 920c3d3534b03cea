"""A Kafka of one member, in memory, behind the runtime's own Consumer protocol; and a clock that tests turn."""

import asyncio
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta

from consumers.runtime.client import Arrival, Bounds, BrokerUnavailable, CommitRefused, Committed, Departure, Partition
from consumers.runtime.engine import Engine

TOPIC = "inbound.messages"


class MemoryConsumer:
    """Logs, commits and positions; `pump` delivers what may be delivered."""

    def __init__(self) -> None:
        self.logs: dict[Partition, dict[int, Arrival]] = {}
        self.begins: dict[Partition, int] = {}
        self.commits: dict[Partition, Committed] = {}
        self.positions: dict[Partition, int] = {}
        self.paused: set[Partition] = set()
        self.refuse_commits = False
        self.silent = False
        self.faulty = False
        self._assigned: frozenset[Partition] = frozenset()

    def write(self, partition: Partition, *offsets: int, key: bytes | None = None, size: int = 1) -> None:
        log = self.logs.setdefault(partition, {})
        for offset in offsets:
            log[offset] = Arrival(partition, offset, key, b"x" * size)

    def assign(self, engine: Engine, *partitions: Partition) -> None:
        """A rebalance is over."""
        self._assigned = frozenset(partitions)
        self.paused.clear()
        self.positions.clear()
        engine.assigned(partitions)

    def pump(self, engine: Engine) -> None:
        """Deliver every record that is not paused."""
        for partition in sorted(self._assigned):
            for offset, arrival in sorted(self.logs.get(partition, {}).items()):
                if partition not in self.paused and offset >= self.positions[partition]:
                    self.positions[partition] = offset + 1
                    engine.accept([arrival])

    def assigned(self) -> frozenset[Partition]:
        return self._assigned

    def pause(self, partitions: Collection[Partition]) -> None:
        self.paused |= set(partitions)

    def resume(self, partitions: Collection[Partition]) -> None:
        self.paused -= set(partitions)

    def seek(self, partition: Partition, offset: int) -> None:
        self.positions[partition] = offset

    async def commit(self, offsets: Mapping[Partition, Committed]) -> None:
        await asyncio.sleep(0)
        if self.faulty:
            raise ZeroDivisionError
        if self.refuse_commits or not offsets.keys() <= self._assigned:
            raise CommitRefused("not now")
        self.commits.update(offsets)

    async def committed(self, partitions: Collection[Partition]) -> Mapping[Partition, Committed]:
        await asyncio.sleep(0)
        if self.silent:
            raise BrokerUnavailable("silent")
        return {partition: self.commits[partition] for partition in partitions if partition in self.commits}

    async def topic_ids(self, topics: Collection[str]) -> Mapping[str, str]:
        await asyncio.sleep(0)
        return {}

    async def bounds(self, partitions: Collection[Partition]) -> Mapping[Partition, Bounds]:
        await asyncio.sleep(0)
        if self.silent:
            raise BrokerUnavailable("silent")
        begins = {partition: self.begins.get(partition, 0) for partition in partitions}
        return {
            partition: Bounds(begin, max(self.logs.get(partition, {}), default=begin - 1) + 1)
            for partition, begin in begins.items()
        }


class MemoryPublisher:
    """Keeps what is published; fails as it was told to, one error a call."""

    def __init__(self) -> None:
        self.published: list[Departure] = []
        self.errors: list[Exception] = []

    async def publish(self, departure: Departure) -> None:
        await asyncio.sleep(0)
        if self.errors:
            raise self.errors.pop(0)
        self.published.append(departure)


class TurnedClock:
    """Stands still until somebody sleeps; then that much time has passed at once."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 3, 1, tzinfo=UTC)
        self.slept: list[float] = []

    def now(self) -> datetime:
        return self.moment

    def monotonic(self) -> float:
        return self.moment.timestamp()

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.moment += timedelta(seconds=seconds)
        await asyncio.sleep(0)
