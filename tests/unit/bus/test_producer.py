"""The publisher against the embedded broker, and against a client that fails in the ways a broker cannot be made to."""

import asyncio
import itertools
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from connectors.bus.producer import KafkaPublisher
from connectors.bus.seam import NotPublished, RecordTooLarge
from schemas.topics import INBOUND_CALLS, INBOUND_MESSAGES

if TYPE_CHECKING:
    from ops.stack.embedded_broker import EmbeddedBroker

HEADERS = [("tenant", b"lakeside")]


@pytest.fixture
async def publisher(embedded_broker: "EmbeddedBroker") -> AsyncIterator[KafkaPublisher]:
    made = KafkaPublisher(embedded_broker.bootstrap, topics=(INBOUND_CALLS, INBOUND_MESSAGES))
    await made.start()
    yield made
    await made.close()


def read(bootstrap: str, topic: str, key: bytes) -> list[Any]:
    """Every record of that key in the topic, from the beginning."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "reader", "auto.offset.reset": "earliest"})
    partitions = consumer.list_topics(topic, timeout=5).topics[topic].partitions
    ends = {p: consumer.get_watermark_offsets(TopicPartition(topic, p), timeout=5)[1] for p in partitions}
    consumer.assign([TopicPartition(topic, p, 0) for p, end in ends.items() if end])
    found, left, until = [], sum(ends.values()), time.monotonic() + 10
    while left > 0 and time.monotonic() < until:
        message = consumer.poll(0.5)
        if message is not None and message.error() is None:
            left -= 1
            found.append(message)
    consumer.close()
    return [message for message in found if message.key() == key]


async def test_what_was_acknowledged_is_on_the_topic_with_key_and_headers(
    publisher: KafkaPublisher, embedded_broker: "EmbeddedBroker"
) -> None:
    await publisher.publish(INBOUND_CALLS, key=b"producer-1", value=b"hello", headers=HEADERS)
    [message] = read(embedded_broker.bootstrap, INBOUND_CALLS, b"producer-1")
    assert message.value() == b"hello"
    assert message.headers() == HEADERS


async def test_many_at_once_are_all_acknowledged_and_none_is_doubled(
    publisher: KafkaPublisher, embedded_broker: "EmbeddedBroker"
) -> None:
    async def one(index: int) -> None:
        await publisher.publish(INBOUND_CALLS, key=b"producer-2", value=b"%d" % index, headers=[])

    await asyncio.gather(*(one(index) for index in range(500)))
    messages = await asyncio.to_thread(read, embedded_broker.bootstrap, INBOUND_CALLS, b"producer-2")
    assert sorted(int(m.value()) for m in messages) == list(range(500))


async def test_a_record_over_the_limit_is_named_as_such(publisher: KafkaPublisher) -> None:
    with pytest.raises(RecordTooLarge):
        await publisher.publish(INBOUND_CALLS, key=b"k", value=b"x" * 950_000, headers=[])
    await publisher.publish(INBOUND_CALLS, key=b"k", value=b"x" * 915_000, headers=HEADERS)


async def test_ready_when_the_topics_are_there(publisher: KafkaPublisher, embedded_broker: "EmbeddedBroker") -> None:
    assert await publisher.ready()
    other = KafkaPublisher(embedded_broker.bootstrap, topic_prefix="no-such-prefix.", topics=(INBOUND_CALLS,))
    assert not await other.ready()
    await other.start()
    assert not await other.ready()
    await other.close()


async def test_the_prefix_stands_before_the_topic(embedded_broker: "EmbeddedBroker") -> None:
    prefixed = KafkaPublisher(embedded_broker.bootstrap, topic_prefix="inbound.")
    await prefixed.start()
    await prefixed.publish("messages", key=b"producer-3", value=b"v", headers=[])
    await prefixed.close()
    assert len(read(embedded_broker.bootstrap, INBOUND_MESSAGES, b"producer-3")) == 1


async def test_a_broker_that_does_not_answer_is_not_published() -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        bootstrap = f"127.0.0.1:{nobody.getsockname()[1]}"
        away = KafkaPublisher(bootstrap, overrides={"message.timeout.ms": 300})
        await away.start()
        with pytest.raises(NotPublished):
            await away.publish(INBOUND_CALLS, key=b"k", value=b"v", headers=[])
        await away.close()


async def test_a_broker_that_is_gone_is_told_once() -> None:
    told: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        bootstrap = f"127.0.0.1:{nobody.getsockname()[1]}"
    away = KafkaPublisher(bootstrap, overrides={"message.timeout.ms": 600}, on_trouble=told.append)
    await away.start()
    with pytest.raises(NotPublished):
        await away.publish(INBOUND_CALLS, key=b"k", value=b"v", headers=[])
    assert not await away.ready()
    await away.close()
    assert "_TRANSPORT" in told or "_ALL_BROKERS_DOWN" in told
    assert all(first != second for first, second in itertools.pairwise(told))


async def test_closing_waits_for_acknowledgements_and_refuses_what_comes_later(
    embedded_broker: "EmbeddedBroker",
) -> None:
    made = KafkaPublisher(embedded_broker.bootstrap, overrides={"linger.ms": 300})
    await made.start()
    late = asyncio.create_task(made.publish(INBOUND_CALLS, key=b"producer-4", value=b"v", headers=[]))
    await asyncio.sleep(0.05)
    await made.close()
    await late
    with pytest.raises(NotPublished):
        await made.publish(INBOUND_CALLS, key=b"producer-4", value=b"v", headers=[])


class Client:
    """Stands in for confluent's producer where its failure is the subject."""

    def __init__(self, failing: KafkaError | None, raised: Exception | None = None) -> None:
        self.failing = failing
        self.raised = raised
        self.pending: list[Callable[[Any, Any], None]] = []
        self.purged = False

    def produce(self, topic: str, value: bytes, key: bytes, *, headers: Any, on_delivery: Any) -> None:
        if self.raised is not None:
            raise self.raised
        self.pending.append(on_delivery)

    def poll(self, seconds: float) -> int:
        time.sleep(0.005)
        pending, self.pending = self.pending, []
        for report in pending:
            report(self.failing, None)
        return len(pending)

    def flush(self, seconds: float) -> int:
        return self.poll(seconds)

    def purge(self) -> None:
        self.purged = True


async def test_a_fatal_error_builds_a_new_producer() -> None:
    dead = Client(KafkaError(KafkaError._FENCED, "fenced", True))
    clients, rebuilt = [dead, Client(None)], threading.Event()

    def build(settings: dict[str, Any]) -> Client:
        if len(clients) == 1:
            rebuilt.set()
        return clients.pop(0)

    made = KafkaPublisher("127.0.0.1:1", build=build)
    await made.start()
    with pytest.raises(NotPublished):
        await made.publish(INBOUND_CALLS, key=b"k", value=b"v", headers=[])
    assert await asyncio.to_thread(rebuilt.wait, 5)
    await made.publish(INBOUND_CALLS, key=b"k", value=b"v", headers=[])
    await made.close()
    assert dead.purged
    assert made.rebuilt == 1


@pytest.mark.parametrize(
    ("raised", "named"),
    [
        (BufferError("Local: Queue full"), NotPublished),
        (KafkaException(KafkaError(KafkaError.MSG_SIZE_TOO_LARGE)), RecordTooLarge),
        (KafkaException(KafkaError(KafkaError._UNKNOWN_TOPIC)), NotPublished),
    ],
)
async def test_what_the_client_refuses_at_once_has_a_name(raised: Exception, named: type[Exception]) -> None:
    made = KafkaPublisher("127.0.0.1:1", build=lambda settings: Client(None, raised))
    await made.start()
    with pytest.raises(named):
        await made.publish(INBOUND_CALLS, key=b"k", value=b"v", headers=[])
    await made.close()
