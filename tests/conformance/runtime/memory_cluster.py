"""The same things done with a broker in memory, which only daemons of this process can reach."""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from consumers.runtime.client import Arrival, Committed, Door, Partition
from consumers.runtime.memory import MemoryBroker
from consumers.runtime.memory_door import MemoryDoor
from schemas.topics import INBOUND_MESSAGES
from tests.conformance.runtime.cluster import PARTITIONS, Cluster, topics_of
from tests.conformance.runtime.example import GROUP


class MemoryMessage:
    """A record that was read, as a Kafka client gives it."""

    def __init__(self, arrival: Arrival) -> None:
        self._arrival = arrival

    def key(self) -> bytes | None:
        return self._arrival.key

    def value(self) -> bytes | None:
        return self._arrival.value

    def headers(self) -> list[tuple[str, bytes | None]]:
        return list(self._arrival.headers)


class MemoryCommit(NamedTuple):
    """A commit, as a Kafka client gives it."""

    offset: int
    metadata: str


class MemoryCluster(Cluster):
    """Topics in memory."""

    def __init__(self) -> None:
        self.broker = MemoryBroker()
        super().__init__("127.0.0.1:9", "", self.broker.create)
        for name, partitions in topics_of(""):
            self.broker.create(name, partitions)

    def produce_raw(
        self,
        key: bytes | None,
        value: bytes | None,
        headers: Sequence[tuple[str, bytes | None]],
        *,
        topic: str = INBOUND_MESSAGES,
        partition: int = 0,
    ) -> None:
        self.broker.append(Partition(topic, partition), key, value, headers)

    def flush(self) -> None:
        """Nothing is on its way here."""

    def read(self, topic: str, *, partitions: int = PARTITIONS) -> list[MemoryMessage]:
        logs = (self.broker.log(Partition(topic, number)) for number in range(partitions))
        return [MemoryMessage(arrival) for log in logs for _, arrival in sorted(log.records.items())]

    async def commits(self, group: str = GROUP) -> Mapping[int, MemoryCommit]:
        found: Mapping[Partition, Committed] = self.broker.group(group).commits
        return {place.number: MemoryCommit(*told) for place, told in found.items() if place.topic == INBOUND_MESSAGES}

    def door(self, name: str, topics: Collection[str]) -> Door:
        return MemoryDoor(self.broker, f"leadbus.{name}", topics)
