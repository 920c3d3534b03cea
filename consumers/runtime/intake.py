"""Intake: the FastStream application that reads, and says in AsyncAPI what the daemon reads and publishes.

One MANUAL subscriber for all topics, because each subscriber would be a member of the group on its own. FastStream is
told the types of the documents for AsyncAPI only: records are handed over raw and decoded in a slot, so that what
waits costs its bytes and no more, and a record that cannot be decoded is an outcome like any other.

Taking a record never blocks, so this member keeps polling however long handlers take. This is the only module that
imports FastStream.
"""

import asyncio
import functools
import logging
import operator
from collections.abc import Collection, Mapping
from typing import Any, Protocol

from aiokafka import ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from faststream import AckPolicy, FastStream
from faststream.kafka import KafkaBroker
from faststream.message import StreamMessage
from faststream.specification import AsyncAPI

from consumers.runtime.settings import RuntimeSettings

VERSION = "1.0"
RECORDS_BEFORE_YIELD = 64
"""Fetched records are handed over without waiting; every so often the handlers get their turn."""

log = logging.getLogger("leadbus.kafka")


class Sink(Protocol):
    """Who takes what intake reads."""

    def accept(self, record: ConsumerRecord) -> None:
        """Take a record; never blocks."""
        ...

    async def revoked(self) -> None:
        """The group is about to share its partitions out anew."""
        ...

    def assigned(self, partitions: Collection[TopicPartition]) -> None:
        """The group has shared out; runs before anything is read."""
        ...


class Intake:
    """A FastStream application around a sink."""

    def __init__(
        self,
        sink: Sink | None,
        *,
        name: str,
        description: str,
        reads: Mapping[str, type],
        publishes: Mapping[str, type],
        group: str,
        bootstrap: str,
        settings: RuntimeSettings,
    ) -> None:
        """`reads` and `publishes`: full topic name to document type. Without a sink it only describes itself."""
        self._sink = sink
        self._taken = 0
        broker = KafkaBroker(
            bootstrap,
            client_id=group,
            # The runtime has a producer and an admin client of its own.
            consumer_only=True,
            allow_auto_create_topics=False,
            apply_types=False,
            logger=log,
            log_level=logging.DEBUG,
            graceful_timeout=1.0,
        )
        listener = _Listener(sink) if sink is not None else None
        membership: dict[str, Any] = {"group_instance_id": settings.instance_id} if settings.instance_id else {}
        self._subscriber = broker.subscriber(
            *reads,
            group_id=group,
            ack_policy=AckPolicy.MANUAL,
            auto_offset_reset="none",
            partition_assignment_strategy=(StickyPartitionAssignor,),
            session_timeout_ms=settings.session_timeout_ms,
            heartbeat_interval_ms=settings.heartbeat_interval_ms,
            rebalance_timeout_ms=settings.rebalance_timeout_ms,
            listener=listener,
            parser=_parse,
            decoder=_decode,
            no_reply=True,
            title=name,
            description=description,
            **membership,
        )
        self._subscriber(_documented(self._take, reads.values()))
        for topic, document in publishes.items():
            broker.publisher(topic, schema=document, title=f"{name}:{topic}:out")
        self.app = FastStream(
            broker,
            logger=None,
            specification=AsyncAPI(title=f"leadbus {name}", version=VERSION, description=description),
        )

    def client(self) -> Any:
        """The AIOKafkaConsumer that reads, or None while there is none."""
        return self._subscriber.consumer

    async def _take(self, record: ConsumerRecord) -> None:
        assert self._sink is not None
        self._sink.accept(record)
        self._taken += 1
        if self._taken % RECORDS_BEFORE_YIELD == 0:
            await asyncio.sleep(0)


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        await self._sink.revoked()

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        self._sink.assigned(assigned)


def _documented(take: Any, documents: Collection[type]) -> Any:
    """A handler whose annotation is the documents' union: what AsyncAPI shows."""

    async def intake(document: Any) -> None:
        await take(document)

    intake.__annotations__ = {"document": functools.reduce(operator.or_, documents), "return": None}
    return intake


async def _parse(record: ConsumerRecord) -> StreamMessage[ConsumerRecord]:
    # FastStream's own parser decodes the headers and fails on one that is not text.
    place = f"{record.partition}-{record.offset}"
    return StreamMessage(record, record.value or b"", correlation_id=place, message_id=place)


async def _decode(message: StreamMessage[ConsumerRecord]) -> ConsumerRecord:
    return message.raw_message
