"""The client protocols on aiokafka. Everything that knows the topic prefix, or an error of aiokafka, is here.

Publishing goes through a producer of the runtime's own, not through FastStream's `publish`: that takes headers as a
dictionary of text, so a retried record would lose doubled or undecodable headers and gain two.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.errors import (
    GroupCoordinatorNotAvailableError,
    KafkaError,
    MessageSizeTooLargeError,
    NotCoordinatorForGroupError,
    ProducerClosed,
    for_code,
)
from aiokafka.protocol.commit import OffsetCommitRequest

from connectors.bus.seam import NotPublished, RecordTooLarge
from consumers.runtime.client import Arrival, Bounds, BrokerUnavailable, CommitRefused, Committed, Departure, Partition
from consumers.runtime.kafka_lookups import Lookups
from schemas.topics import LARGEST_FAILED_RECORD

log = logging.getLogger(__name__)

ANSWER_SECONDS = 5.0
LARGEST_REQUEST = LARGEST_FAILED_RECORD + 64 * 1024
"""Bytes: the largest record of any topic, with its headers and the batch around it."""

LARGEST_BATCH = 256 * 1024
"""Bytes. aiokafka wakes every waiting send when a batch is full, so small batches cost hundreds of slots dearly; a
broker measures a batch against the limit of a record, so large ones would be refused."""


class KafkaConsumer:
    """The Consumer protocol on a running AIOKafkaConsumer.

    Its coordinator is looked into (`_coordinator`, not public in aiokafka 0.14) for the one thing the public interface
    hides, membership. `AIOKafkaConsumer.commit` takes the generation at the time of sending, after waits and repeats of
    its own: a member that was thrown out commits as if there was no group then, which a broker takes while the group is
    empty, and one that has rejoined commits partitions that it has lost. And a commit refused makes it leave and join
    again. Here a commit is one request, in the name of the membership at the time of the call, and has no such effects.
    """

    def __init__(self, client: Callable[[], AIOKafkaConsumer | None], bootstrap: str, group: str, prefix: str) -> None:
        """`client` gives the consumer that reads, or None while there is none."""
        self._client = client
        self._group = group
        self._prefix = prefix
        self._lookups = Lookups(bootstrap, group, seconds=ANSWER_SECONDS)

    def arrival(self, record: ConsumerRecord) -> Arrival:
        """aiokafka's record as ours."""
        partition = Partition(record.topic.removeprefix(self._prefix), record.partition)
        headers = tuple((name, value) for name, value in record.headers)
        return Arrival(partition, record.offset, record.key, record.value, headers, record.timestamp)

    def partitions(self, given: Collection[TopicPartition]) -> frozenset[Partition]:
        """aiokafka's partitions as ours."""
        return frozenset(map(self._partition, given))

    def assigned(self) -> frozenset[Partition]:
        """What the group has given; nothing when it does not know this member (any more)."""
        client = self._client()
        return frozenset() if client is None or not _is_member(client) else self.partitions(client.assignment())

    def pause(self, partitions: Collection[Partition]) -> None:
        if (client := self._client()) is not None:
            client.pause(*self._assigned_of(partitions))

    def resume(self, partitions: Collection[Partition]) -> None:
        if (client := self._client()) is not None:
            client.resume(*self._assigned_of(partitions))

    def seek(self, partition: Partition, offset: int) -> None:
        if (client := self._client()) is not None and partition in self.assigned():
            client.seek(self._tp(partition), offset)

    async def commit(self, offsets: Mapping[Partition, Committed]) -> None:
        if not offsets:
            return
        client = self._client()
        if client is None or not _is_member(client):
            raise CommitRefused("not a member of the group")
        if strangers := offsets.keys() - self.assigned():
            raise CommitRefused(f"{len(strangers)} partitions are not assigned")
        by_topic: dict[str, list[tuple[int, int, str]]] = defaultdict(list)
        for partition, committed in offsets.items():
            by_topic[self._prefix + partition.topic].append((partition.number, *committed))
        coordinator = client._coordinator
        membership = (coordinator.generation, coordinator.member_id)
        request = OffsetCommitRequest(
            self._group, *membership, OffsetCommitRequest.DEFAULT_RETENTION_TIME, list(by_topic.items())
        )
        try:
            answer = await coordinator._send_req(request)
        except (KafkaError, OSError) as error:
            raise CommitRefused(_name(error)) from error
        refusals = {for_code(code) for _, numbers in answer.topics for _, code in numbers if code}
        if refusals & {NotCoordinatorForGroupError, GroupCoordinatorNotAvailableError}:
            coordinator.coordinator_dead()
        if refusals:
            raise CommitRefused(", ".join(sorted(refusal.__name__ for refusal in refusals)))

    async def committed(self, partitions: Collection[Partition]) -> Mapping[Partition, Committed]:
        if not partitions:
            return {}
        found = await self._lookups.committed([self._tp(partition) for partition in partitions])
        return {self._partition(tp): Committed(commit.offset, commit.metadata) for tp, commit in found.items()}

    async def bounds(self, partitions: Collection[Partition]) -> Mapping[Partition, Bounds]:
        if not partitions:
            return {}
        if (client := self._client()) is None:
            raise BrokerUnavailable("the consumer is closed")
        wanted = {partition: self._tp(partition) for partition in partitions}
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                begins = await client.beginning_offsets(list(wanted.values()))
                ends = await client.end_offsets(list(wanted.values()))
        except (KafkaError, TimeoutError, OSError) as error:
            raise BrokerUnavailable(_name(error)) from error
        try:
            return {partition: Bounds(begins[tp], ends[tp]) for partition, tp in wanted.items()}
        except KeyError as error:
            raise BrokerUnavailable("the answer does not hold every partition") from error

    async def topic_ids(self, topics: Collection[str]) -> Mapping[str, str]:
        if not topics:
            return {}
        found = await self._lookups.topic_ids([self._prefix + topic for topic in topics])
        return {topic.removeprefix(self._prefix): topic_id for topic, topic_id in found.items()}

    async def close(self) -> None:
        """Close what is the adapter's own; the consumer belongs to FastStream."""
        await self._lookups.close()

    def _partition(self, tp: TopicPartition) -> Partition:
        return Partition(tp.topic.removeprefix(self._prefix), tp.partition)

    def _tp(self, partition: Partition) -> TopicPartition:
        return TopicPartition(self._prefix + partition.topic, partition.number)

    def _assigned_of(self, partitions: Collection[Partition]) -> list[TopicPartition]:
        return [self._tp(partition) for partition in self.assigned() & frozenset(partitions)]


def _is_member(client: AIOKafkaConsumer) -> bool:
    coordinator: Any = client._coordinator
    return coordinator is not None and coordinator.generation != OffsetCommitRequest.DEFAULT_GENERATION_ID


class KafkaPublisher:
    """The RawPublisher protocol: acks=all, idempotent. A producer that has failed for good is replaced."""

    def __init__(self, bootstrap: str, *, prefix: str, client_id: str, timeout_ms: int) -> None:
        self._bootstrap = bootstrap
        self._prefix = prefix
        self._client_id = client_id
        self._timeout_ms = timeout_ms
        self._producer: AIOKafkaProducer | None = None
        self._lock = asyncio.Lock()

    async def start(self) -> None:
        """Connect; raises aiokafka's KafkaConnectionError."""
        await self._ready()

    async def publish(self, departure: Departure) -> None:
        producer: AIOKafkaProducer | None = None
        try:
            producer = await self._ready()
            acknowledged = await producer.send(
                self._prefix + departure.topic,
                # A record must have a key or a value.
                value=b"" if departure.key is None and departure.value is None else departure.value,
                key=departure.key,
                headers=list(departure.headers),
            )
            # Who is cancelled while waiting must not cancel a batch that others wait for too.
            await asyncio.shield(acknowledged)
        except MessageSizeTooLargeError as error:
            raise RecordTooLarge(f"{departure.topic}: {len(departure.value or b'')} bytes") from error
        except KafkaError as error:
            if producer is not None and not error.retriable:
                await self._replace(producer)
            raise NotPublished(_name(error)) from error

    async def stop(self) -> None:
        """Flush and disconnect."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await producer.stop()

    async def _ready(self) -> AIOKafkaProducer:
        async with self._lock:
            if self._producer is None:
                producer = AIOKafkaProducer(
                    bootstrap_servers=self._bootstrap,
                    client_id=self._client_id,
                    acks="all",
                    enable_idempotence=True,
                    max_request_size=LARGEST_REQUEST,
                    max_batch_size=LARGEST_BATCH,
                    request_timeout_ms=self._timeout_ms,
                )
                try:
                    await producer.start()
                except BaseException:
                    await producer.stop()
                    raise
                self._producer = producer
            return self._producer

    async def _replace(self, failed: AIOKafkaProducer) -> None:
        async with self._lock:
            replaceable = self._producer is failed
            if not replaceable:
                return
            self._producer = None
        log.warning("the producer failed for good and is replaced")
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await failed.stop()
        except (KafkaError, ProducerClosed, TimeoutError) as error:
            log.warning("the failed producer did not stop: %s", _name(error))


def _name(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
