"""The topics of one fault run: a prefix of its own on a broker, so that runs side by side never meet.

Everything that a run asks of Kafka is here: make and drop topics, produce, read a topic from its beginning, and the
group's commits. Calls block; KafkaException where the broker refuses or is away for longer than the time-outs.
"""

import asyncio
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.structs import OffsetAndMetadata
from aiokafka.structs import TopicPartition as AioPartition
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from ops.chaos.runtime.figures import Sent
from ops.chaos.runtime.records import PARTITIONS, Headers, Order, document_of, event_of, headers_of
from ops.chaos.runtime.waiting import wait_until
from ops.chaos.runtime.worker import GROUP
from schemas import codec
from schemas.topics import ANALYZED, DEAD_LETTERS, INBOUND_MESSAGES, OUTCOMES, RETRY_TIERS, overflow

TOPICS = (INBOUND_MESSAGES, overflow(INBOUND_MESSAGES), ANALYZED, OUTCOMES, DEAD_LETTERS, *RETRY_TIERS)
ANSWER_SECONDS = 20.0


class Installation:
    """One prefix on one broker."""

    def __init__(self, bootstrap: str, *, without: Sequence[str] = ()) -> None:
        """Makes the topics, but those in `without`."""
        self.bootstrap = bootstrap
        self.prefix = f"{uuid.uuid4().hex[:8]}."
        self.group = self.prefix + GROUP
        self.sent: list[Sent] = []
        self._admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
        self._producer = Producer(
            {"bootstrap.servers": bootstrap, "enable.idempotence": True, "linger.ms": 5, "log_level": 0}
        )
        self.create(*(topic for topic in TOPICS if topic not in without))

    def create(self, *topics: str) -> None:
        """Make topics (without prefix), and wait until each has leaders."""
        made = [NewTopic(self.prefix + topic, PARTITIONS, 1) for topic in topics]
        for future in self._admin.create_topics(made, operation_timeout=ANSWER_SECONDS).values():
            future.result()
        wait_until("the topics have leaders", lambda: all(map(self._has_leaders, topics)), ANSWER_SECONDS)

    def drop(self, topic: str) -> None:
        """Delete a topic, and wait until it is gone."""
        for future in self._admin.delete_topics([self.prefix + topic], operation_timeout=ANSWER_SECONDS).values():
            future.result()
        full = self.prefix + topic
        wait_until(f"{topic} is gone", lambda: full not in self._admin.list_topics(timeout=5).topics, ANSWER_SECONDS)

    def produce(self, orders: Iterable[Order], *, seconds: float = 60.0) -> list[Sent]:
        """Produce and wait until the broker has all of them; they are added to `sent`."""
        added: list[Sent] = []
        for order in orders:
            document = document_of(order)
            key = (order.key or document["envelope"]["request_id"]).encode()
            self.produce_raw(
                order.number,
                key,
                codec.dumps(document),
                headers_of(document, order.version),
                partition=order.number % PARTITIONS if order.partition is None else order.partition,
                added=added,
            )
        self.flush(seconds)
        self.sent += added
        return added

    def produce_raw(
        self,
        number: int,
        key: bytes | None,
        value: bytes | None,
        headers: Headers,
        *,
        partition: int,
        added: list[Sent] | None = None,
    ) -> None:
        """Hand one record to the producer; it is in `added` (else in `sent`) once the broker has it."""
        taken = self.sent if added is None else added

        def acknowledged(error: Any, message: Any) -> None:
            if error is None:
                event = event_of(number)
                taken.append(Sent(number, key, partition, message.offset(), event, time.monotonic()))

        self._producer.produce(
            self.prefix + INBOUND_MESSAGES,
            value,
            key,
            partition=partition,
            headers=list(headers),
            on_delivery=acknowledged,
        )
        self._producer.poll(0)

    def flush(self, seconds: float = 60.0) -> None:
        """Wait until the broker has what was produced; TimeoutError when it does not take it."""
        if self._producer.flush(seconds):
            raise TimeoutError(f"the broker did not take every record within {seconds:.0f} s")

    def read(self, topic: str) -> list[Any]:
        """Every record of a topic, in the order of each partition; none where the topic is not there."""
        if not self._has_leaders(topic):
            return []
        reader = Consumer({"bootstrap.servers": self.bootstrap, "group.id": uuid.uuid4().hex, "log_level": 0})
        full = self.prefix + topic
        try:
            bounds = {
                p: reader.get_watermark_offsets(TopicPartition(full, p), timeout=ANSWER_SECONDS)
                for p in range(PARTITIONS)
            }
            wanted = sum(high - low for low, high in bounds.values())
            reader.assign([TopicPartition(full, p, low) for p, (low, high) in bounds.items() if high > low])
            found: list[Any] = []
            deadline = time.monotonic() + ANSWER_SECONDS + wanted / 500
            while len(found) < wanted:
                found += [message for message in reader.consume(500, 1.0) if message.error() is None]
                if time.monotonic() > deadline:
                    raise TimeoutError(f"{full}: {len(found)} of {wanted} records came")
            return found
        finally:
            reader.close()

    def commits(self) -> dict[int, tuple[int, str]]:
        """The group's commits on the topic that is read: partition to offset and metadata."""

        async def ask() -> dict[int, tuple[int, str]]:
            # confluent-kafka 2.16 reads an answer's metadata beyond its end.
            admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
            await admin.start()
            try:
                places = [AioPartition(self.prefix + INBOUND_MESSAGES, p) for p in range(PARTITIONS)]
                found = await admin.list_consumer_group_offsets(self.group, partitions=places)
            finally:
                await admin.close()
            return {tp.partition: (at.offset, at.metadata or "") for tp, at in found.items() if at.offset >= 0}

        return asyncio.run(ask())

    def commit(self, commits: Mapping[int, tuple[int, str]]) -> None:
        """Commit in the name of the group, which must have no members."""

        async def ask() -> None:
            consumer = AIOKafkaConsumer(bootstrap_servers=self.bootstrap, group_id=self.group, enable_auto_commit=False)
            places = {AioPartition(self.prefix + INBOUND_MESSAGES, p): at for p, at in commits.items()}
            consumer.assign(list(places))
            await consumer.start()
            try:
                await consumer.commit({place: OffsetAndMetadata(*at) for place, at in places.items()})
            finally:
                await consumer.stop()

        asyncio.run(ask())

    def all_committed(self) -> bool:
        """Whether the group's commits have reached the end of every partition of the topic that is read."""
        ends: dict[int, int] = {}
        for one in self.sent:
            ends[one.partition] = max(ends.get(one.partition, 0), one.offset + 1)
        commits = self.commits()
        return all(commits.get(partition, (0, ""))[0] >= end for partition, end in ends.items())

    def members(self) -> int:
        """How many members the group has."""
        (answer,) = self._admin.describe_consumer_groups([self.group]).values()
        return len(answer.result(ANSWER_SECONDS).members)

    def _has_leaders(self, topic: str) -> bool:
        found = self._admin.list_topics(timeout=5).topics.get(self.prefix + topic)
        return found is not None and bool(found.partitions) and all(p.leader >= 0 for p in found.partitions.values())
