"""The Consumer protocol on aiokafka, beyond what every door does: sleepers, restarts, refused commits."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.structs import TopicPartition
from confluent_kafka import Consumer
from confluent_kafka import TopicPartition as ConfluentPartition

from consumers.runtime.client import Bounds, BrokerUnavailable, CommitRefused, Committed, Partition
from consumers.runtime.kafka_client import KafkaConsumer

if TYPE_CHECKING:
    from ops.stack.kafka import RealKafka

GROUP = "leadbus.client"
SESSION_SECONDS = 6.0
"""The shortest that a broker allows unless configured otherwise."""
LEADS, CALLS = Partition("leads", 0), Partition("calls", 1)


class Broker:
    """Apache Kafka, with topics of the test's own."""

    def __init__(self, bootstrap: str, prefix: str) -> None:
        self.bootstrap = bootstrap
        self.prefix = prefix
        self.group = prefix + GROUP

    @asynccontextmanager
    async def member(self, *topics: str) -> AsyncIterator[tuple[AIOKafkaConsumer, KafkaConsumer]]:
        """A member of the group that has its share, and the protocol on it."""
        client = AIOKafkaConsumer(
            *(self.prefix + topic for topic in topics),
            bootstrap_servers=self.bootstrap,
            group_id=self.group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            session_timeout_ms=int(SESSION_SECONDS * 1000),
            heartbeat_interval_ms=500,
        )
        ours = KafkaConsumer(lambda: client, self.bootstrap, self.group, self.prefix)
        await client.start()
        try:
            await eventually(lambda: bool(ours.assigned()))
            yield client, ours
        finally:
            await client.stop()
            await ours.close()

    def commit_from_outside(self, partition: Partition, offset: int) -> None:
        """Commit in the group's name without being a member, as tools do; taken while the group is empty."""
        outsider = Consumer({"bootstrap.servers": self.bootstrap, "group.id": self.group, "log_level": 0})
        topic, number = self.place(partition)
        outsider.commit(offsets=[ConfluentPartition(topic, number, offset)], asynchronous=False)
        outsider.close()

    def place(self, partition: Partition) -> TopicPartition:
        return TopicPartition(self.prefix + partition.topic, partition.number)

    async def produce(self, partition: Partition, count: int) -> None:
        producer = AIOKafkaProducer(bootstrap_servers=self.bootstrap)
        await producer.start()
        try:
            for _ in range(count):
                await producer.send_and_wait(*self.place(partition)[:1], b"x", partition=partition.number)
        finally:
            await producer.stop()


async def eventually(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110  it depends on a broker
            await asyncio.sleep(0.02)


@pytest.fixture
def apache(kafka: "RealKafka") -> Broker:
    return apache_broker(kafka)


def apache_broker(kafka: "RealKafka") -> Broker:
    prefix = f"{uuid.uuid4().hex[:8]}."
    kafka.create_topics([(prefix + "leads", 2), (prefix + "calls", 2)])
    return Broker(kafka.bootstrap, prefix)


@pytest.mark.kafka
async def test_a_topic_made_anew_has_another_id_and_one_that_is_not_there_has_none(
    apache: Broker, kafka: "RealKafka"
) -> None:
    from aiokafka.admin import AIOKafkaAdminClient

    ours = KafkaConsumer(lambda: None, apache.bootstrap, apache.group, apache.prefix)
    before = (await ours.topic_ids(["leads"]))["leads"]
    admin = AIOKafkaAdminClient(bootstrap_servers=apache.bootstrap)
    await admin.start()
    await admin.delete_topics([f"{apache.prefix}leads"])
    await admin.close()
    async with asyncio.timeout(20):
        while await ours.topic_ids(["leads"]):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    kafka.create_topics([(f"{apache.prefix}leads", 2)])
    assert (await ours.topic_ids(["leads"]))["leads"] != before
    await ours.close()


async def test_without_a_consumer_nothing_is_assigned_and_nothing_is_committed() -> None:
    ours = KafkaConsumer(lambda: None, "127.0.0.1:9", GROUP, "")
    assert ours.assigned() == frozenset()
    with pytest.raises(CommitRefused):
        await ours.commit({LEADS: Committed(1, "")})
    with pytest.raises(BrokerUnavailable):
        await ours.bounds([LEADS])
    for question in (ours.committed([LEADS]), ours.topic_ids(["leads"])):
        with pytest.raises(BrokerUnavailable):
            await question
    await ours.close()


@pytest.mark.kafka
async def test_a_member_that_slept_past_its_session_cannot_commit_though_the_group_is_empty(apache: Broker) -> None:
    await apache.produce(LEADS, 10)
    async with apache.member("leads") as (client, ours):
        await ours.commit({LEADS: Committed(2, "mine")})
        # As a process that is stopped and continued: nothing of it runs, heartbeats neither.
        time.sleep(SESSION_SECONDS + 1)  # noqa: ASYNC251
        apache.commit_from_outside(LEADS, 8)
        with pytest.raises(CommitRefused):
            await ours.commit({LEADS: Committed(3, "mine, late")})
        client._coordinator.reset_generation()
        assert ours.assigned() == frozenset()
        with pytest.raises(CommitRefused, match="not a member"):
            await ours.commit({LEADS: Committed(3, "mine, late")})
        assert await ours.committed([LEADS]) == {LEADS: Committed(8, "")}
        await eventually(lambda: bool(ours.assigned()))
        await ours.commit({LEADS: Committed(9, "mine again")})


@pytest.mark.kafka
async def test_a_refused_commit_does_not_make_the_member_leave(apache: Broker) -> None:
    async with apache.member("leads") as (client, ours):
        membership = (client._coordinator.generation, client._coordinator.member_id)
        with pytest.raises(CommitRefused, match="OffsetMetadataTooLarge"):
            await ours.commit({LEADS: Committed(3, "x" * 5_000)})
        await ours.commit({LEADS: Committed(3, "")})
        assert (client._coordinator.generation, client._coordinator.member_id) == membership


@pytest.mark.kafka
async def test_after_a_restart_of_the_broker_questions_and_commits_work_again_and_the_member_is_still_one(
    apache: Broker, kafka: "RealKafka"
) -> None:
    await apache.produce(LEADS, 3)
    async with apache.member("leads") as (client, ours):
        await ours.commit({LEADS: Committed(2, "before")})
        ids = await ours.topic_ids(["leads"])
        member = client._coordinator.member_id
        kafka.kill()
        try:
            for question in (ours.committed([LEADS]), ours.topic_ids(["leads"]), ours.bounds([LEADS])):
                with pytest.raises(BrokerUnavailable):
                    await question
            with pytest.raises((CommitRefused, TimeoutError)):
                async with asyncio.timeout(2):
                    await ours.commit({LEADS: Committed(3, "meanwhile")})
        finally:
            await asyncio.to_thread(kafka.start)
        async with asyncio.timeout(30):
            while True:
                try:
                    assert await ours.committed([LEADS]) == {LEADS: Committed(2, "before")}
                    assert await ours.bounds([LEADS]) == {LEADS: Bounds(0, 3)}
                    assert await ours.topic_ids(["leads"]) == ids
                    await ours.commit({LEADS: Committed(3, "after")})
                    break
                except (BrokerUnavailable, CommitRefused):
                    await asyncio.sleep(0.1)
        assert client._coordinator.member_id == member
