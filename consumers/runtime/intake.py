"""Intake: the FastStream application that reads, and says in AsyncAPI what the daemon reads and publishes.

One MANUAL subscriber for all topics, because each subscriber would be a member of the group on its own. FastStream is
told the types of the documents for AsyncAPI only: records are handed over raw and decoded in a slot, so that what
waits costs its bytes and no more, and a record that cannot be decoded is an outcome like any other.

FastStream waits for a record and hands it over; with it goes everything that the client has fetched meanwhile. Its way
through a subscriber costs as much as the whole work on a dozen records, so it is gone once a batch.

Taking records never blocks, so this member keeps polling however long handlers take. This is the only module that
imports FastStream.
"""

import asyncio
import functools
import logging
import operator
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any, Protocol, cast

from aiokafka import ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from faststream import AckPolicy, FastStream
from faststream.kafka import KafkaBroker
from faststream.message import StreamMessage
from faststream.specification import AsyncAPI

from consumers.runtime.settings import RuntimeSettings
from consumers.runtime.sharing_out import SharingOut

VERSION = "1.0"
RECORDS_AT_ONCE = 500
"""Parsing so many takes some milliseconds, in which nothing else has a turn."""

log = logging.getLogger("leadbus.kafka")


class Taker(Protocol):
    """Who takes what intake reads, in the client's own types."""

    def take(self, records: Sequence[ConsumerRecord]) -> None:
        """Take records of one partition; never blocks."""
        ...

    def busy(self) -> bool:
        """Whether more had better be brought in a later turn of the event loop."""
        ...

    async def revoked(self) -> None:
        """The group is about to share its partitions out anew."""
        ...

    def assigned(self, partitions: Collection[TopicPartition]) -> None:
        """The group has shared out; runs before anything is read."""
        ...


class Intake:
    """A FastStream application around a taker."""

    def __init__(
        self,
        taker: Taker | None,
        *,
        name: str,
        description: str,
        reads: Mapping[str, type],
        publishes: Mapping[str, type],
        group: str,
        bootstrap: str,
        settings: RuntimeSettings,
    ) -> None:
        """`reads` and `publishes`: full topic name to document type. Without a taker it only describes itself."""
        self._taker = taker
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
        membership: dict[str, Any] = {"group_instance_id": settings.instance_id} if settings.instance_id else {}
        self._subscriber = broker.subscriber(
            *reads,
            group_id=group,
            ack_policy=AckPolicy.MANUAL,
            auto_offset_reset="none",
            # aiokafka calls it as an object or a class alike; FastStream's hint knows classes only.
            partition_assignment_strategy=cast(Any, (SharingOut(),)),
            session_timeout_ms=settings.session_timeout_ms,
            heartbeat_interval_ms=settings.heartbeat_interval_ms,
            rebalance_timeout_ms=settings.rebalance_timeout_ms,
            max_poll_interval_ms=settings.max_poll_interval_ms,
            listener=None if taker is None else _Listener(taker),
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

    async def _take(self, first: ConsumerRecord) -> None:
        assert self._taker is not None
        # At once: while one waits for more there may be a rebalance, and what was fetched before it is void after it.
        self._taker.take([first])
        if (client := self.client()) is not None:
            fetched: Mapping[TopicPartition, Sequence[ConsumerRecord]]
            fetched = await client.getmany(max_records=RECORDS_AT_ONCE)
            for records in fetched.values():
                self._taker.take(records)
        await asyncio.sleep(0)
        # More would only fill the windows, and what is fetched ahead of a paused partition is thrown away.
        while self._taker.busy():  # noqa: ASYNC110  what ends it is handlers getting their turn
            await asyncio.sleep(0)


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    def __init__(self, taker: Taker) -> None:
        self._taker = taker

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        await self._taker.revoked()

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        self._taker.assigned(assigned)


def _documented(take: Callable[[Any], Awaitable[None]], documents: Collection[type]) -> Any:
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
