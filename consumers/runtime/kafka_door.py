"""The door to Apache Kafka: FastStream reads, aiokafka publishes, and both look like `client.py` from inside."""

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from consumers.runtime.client import Arrival, BrokerUnavailable, Partition, Sink
from consumers.runtime.intake import Intake
from consumers.runtime.kafka_client import KafkaConsumer, KafkaPublisher
from consumers.runtime.settings import RuntimeSettings

if TYPE_CHECKING:
    from faststream import FastStream


class KafkaDoor:
    """The Door protocol, for one member of one group."""

    def __init__(
        self,
        *,
        name: str,
        description: str,
        reads: Mapping[str, type],
        publishes: Mapping[str, type],
        group: str,
        bootstrap: str,
        prefix: str,
        settings: RuntimeSettings,
    ) -> None:
        """`reads` and `publishes`: topic without `prefix` to document type; `group` is the full name."""
        self._prefix = prefix
        self._sink: Sink | None = None
        self._partitions: dict[tuple[str, int], Partition] = {}
        self._intake = Intake(
            self,
            name=name,
            description=description,
            reads={prefix + topic: document for topic, document in reads.items()},
            publishes={prefix + topic: document for topic, document in publishes.items()},
            group=group,
            bootstrap=bootstrap,
            settings=settings,
        )
        self.consumer = KafkaConsumer(self._intake.client, bootstrap, group, prefix)
        self.publisher = KafkaPublisher(
            bootstrap, prefix=prefix, client_id=group, timeout_ms=settings.publish_timeout_ms
        )

    @property
    def app(self) -> "FastStream":
        """The FastStream application, for AsyncAPI."""
        return self._intake.app

    async def connect(self) -> None:
        try:
            await self.publisher.start()
        except KafkaError as error:
            raise BrokerUnavailable(f"{type(error).__name__}: {error}") from error

    async def join(self, sink: Sink) -> None:
        self._sink = sink
        try:
            await self._intake.app.start()
        except KafkaError as error:
            raise BrokerUnavailable(f"{type(error).__name__}: {error}") from error

    async def leave(self) -> None:
        await self._intake.app.stop()

    async def close(self) -> None:
        await self.publisher.stop()
        await self.consumer.close()

    def take(self, records: Sequence[ConsumerRecord]) -> None:
        """What intake has read of one partition."""
        if self._sink is None or not records:
            return
        place = (records[0].topic, records[0].partition)
        partition = self._partitions.get(place)
        if partition is None:
            partition = self._partitions[place] = Partition(place[0].removeprefix(self._prefix), place[1])
        self._sink.accept([Arrival(partition, r.offset, r.key, r.value, r.headers, r.timestamp) for r in records])

    def busy(self) -> bool:
        return self._sink is not None and self._sink.busy()

    async def revoked(self) -> None:
        if self._sink is not None:
            await self._sink.revoked()

    def assigned(self, partitions: Collection[TopicPartition]) -> None:
        if self._sink is not None:
            self._sink.assigned(self.consumer.partitions(partitions))
