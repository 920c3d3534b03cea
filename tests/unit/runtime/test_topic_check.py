"""Readiness verifies the topics: on values, on the embedded broker, on Apache Kafka."""

import uuid
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

import pytest

from consumers.runtime.client import BrokerUnavailable
from consumers.runtime.topic_check import KafkaTopics, SeenTopic, TopicCheck, needed
from schemas.topics import ANALYZED, DEAD_LETTERS, INBOUND_CALLS, RETRY_TIERS, overflow, table
from tests.unit.runtime.memory import TurnedClock

if TYPE_CHECKING:
    from ops.stack.embedded_broker import EmbeddedBroker
    from ops.stack.kafka import RealKafka

NAMES = needed([INBOUND_CALLS], [ANALYZED])
RIGHT = {topic.name: SeenTopic(topic.partitions, topic.max_bytes) for topic in table()}


class Broker:
    """Topics by name, or no answer."""

    def __init__(self, there: Mapping[str, SeenTopic]) -> None:
        self.there = dict(there)
        self.away = False

    async def look(self, names: Collection[str]) -> Mapping[str, SeenTopic]:
        if self.away:
            raise BrokerUnavailable("away")
        return {name: self.there[name] for name in names if name in self.there}


def check(broker: Broker) -> TopicCheck:
    return TopicCheck(broker, NAMES, clock=TurnedClock())


def test_a_daemon_needs_what_it_reads_and_publishes_and_what_its_runtime_publishes() -> None:
    assert {INBOUND_CALLS, overflow(INBOUND_CALLS), ANALYZED, DEAD_LETTERS, *RETRY_TIERS} == NAMES
    assert needed(["retry.1m"], []) == {DEAD_LETTERS, *RETRY_TIERS}


async def test_before_the_first_look_it_is_not_ready_and_with_every_topic_right_it_is() -> None:
    seen = check(Broker(RIGHT))
    assert "not verified yet" in (seen.why_unready() or "")
    await seen.look()
    assert seen.why_unready() is None


async def test_a_missing_topic_is_named_with_the_command_that_makes_it() -> None:
    broker = Broker(RIGHT)
    del broker.there[DEAD_LETTERS]
    seen = check(broker)
    await seen.look()
    assert seen.why_unready() == "Topics are missing: dead-letters. Run `leadbus ops topics --create`."
    broker.there = dict(RIGHT)
    await seen.look()
    assert seen.why_unready() is None


async def test_a_topic_that_takes_too_small_records_is_named_and_an_untold_size_is_not_held_against_it() -> None:
    broker = Broker(RIGHT)
    broker.there["retry.1m"] = SeenTopic(6, 1_000_000)
    broker.there["retry.1h"] = SeenTopic(6, None)
    seen = check(broker)
    await seen.look()
    assert "too small records: retry.1m." in (seen.why_unready() or "")


async def test_fewer_partitions_only_slow_it_down() -> None:
    broker = Broker(RIGHT)
    broker.there[ANALYZED] = SeenTopic(1, None)
    seen = check(broker)
    await seen.look()
    assert seen.why_unready() is None


async def test_while_no_broker_answers_the_last_verdict_stands() -> None:
    broker = Broker(RIGHT)
    seen = check(broker)
    await seen.look()
    broker.away = True
    with pytest.raises(BrokerUnavailable):
        await seen.look()
    assert seen.why_unready() is None


async def test_the_embedded_broker_tells_its_topics_and_no_sizes(embedded_broker: "EmbeddedBroker") -> None:
    topics = KafkaTopics(embedded_broker.bootstrap, prefix="", client_id="test")
    seen = await topics.look(sorted(NAMES))
    assert seen.keys() == NAMES
    assert seen[ANALYZED] == SeenTopic(12, None)


async def test_nobody_listening_is_no_answer() -> None:
    with pytest.raises(BrokerUnavailable):
        await KafkaTopics("127.0.0.1:1", prefix="", client_id="test").look([ANALYZED])


@pytest.mark.kafka
async def test_apache_kafka_tells_sizes_and_what_is_missing(kafka: "RealKafka") -> None:
    prefix = f"{uuid.uuid4().hex[:8]}."
    kafka.create_topics(
        [(prefix + ANALYZED, 3), (prefix + DEAD_LETTERS, 2)],
        {prefix + DEAD_LETTERS: {"max.message.bytes": "1000000"}},
    )
    topics = KafkaTopics(kafka.bootstrap, prefix=prefix, client_id="test")
    seen = await topics.look([ANALYZED, DEAD_LETTERS, INBOUND_CALLS])
    assert seen[DEAD_LETTERS] == SeenTopic(2, 1_000_000)
    assert seen[ANALYZED].partitions == 3
    assert INBOUND_CALLS not in seen
