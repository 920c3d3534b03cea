"""The largest record fits wherever the runtime may put it, whatever headers it gets on its way."""

import asyncio
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from connectors.bus.seam import RecordTooLarge
from consumers.retry import Retries
from consumers.runtime.client import Arrival, Departure, Partition
from consumers.runtime.failpoints import Failpoints
from consumers.runtime.failures import (
    LONGEST_DETAIL,
    Origin,
    dead_letter_of,
    moved_of,
    parked_headers,
    released_headers,
    retry_of,
)
from consumers.runtime.kafka_client import KafkaPublisher
from consumers.runtime.metrics import Metrics
from consumers.runtime.publishing import Publishing
from consumers.runtime.seam import Failure, Place
from consumers.runtime.settings import RuntimeSettings
from ops.topics import create_topics
from schemas.headers import RecordHeaders, Release
from schemas.topics import (
    INBOUND_MESSAGES,
    LARGEST_MOVED_RECORD,
    LARGEST_RECORD,
    OVERFLOWING,
    RETRY_TIERS,
    overflow,
    table,
)
from tests.conformance.runtime.example import TRACE, headers_of, inbound
from tests.unit.runtime.memory import TurnedClock

if TYPE_CHECKING:
    from ops.stack.kafka import RealKafka

WHEN = datetime(2026, 3, 1, 12, 30, 15, 123456, UTC)
GROUP = "an-installation-of-ours.leadbus.delivery-hubspot-salesforce-pipedrive-email-http-mcp"
REASON, DETAIL = "r" * 64, "\N{SNOWMAN}" * (2 * LONGEST_DETAIL)
BATCH_AROUND_IT = 128
"""Bytes that Kafka's format adds to a batch of one, keys and lengths included."""
HEADERS = tuple(headers_of(inbound(1)))
LIMITS = {topic.name: topic.max_bytes for topic in table()}


def size(sent: Arrival | Departure) -> int:
    """Bytes of a record: key, value and headers, each with its length."""
    names = sum(len(name) + len(value or b"") + 4 for name, value in sent.headers)
    return len(sent.key or b"") + len(sent.value or b"") + names + BATCH_AROUND_IT


def largest(topic: str = INBOUND_MESSAGES) -> Arrival:
    """A record that just fits into its topic."""
    bare = Arrival(Partition(topic, 11), 10**12, b"k" * 36, b"", HEADERS)
    return bare._replace(value=b"x" * (LIMITS[topic] - size(bare)))


def released(arrival: Arrival) -> Arrival:
    """It, parked and released."""
    kept = parked_headers(RecordHeaders.read(arrival.headers), Place(*arrival.partition, arrival.offset))
    names = {"group": GROUP, "answer": Release.NOT_SENT, "park_id": str(uuid.uuid4()), "parked_at": WHEN}
    headers = tuple(released_headers(kept, **names))  # type: ignore[arg-type]
    return arrival._replace(partition=Partition(overflow(arrival.partition.topic), 3), headers=headers)


def retried(arrival: Arrival) -> Departure:
    origin = Origin(arrival.partition.topic, 11, 10**12, WHEN, 1_000)
    return retry_of(
        arrival,
        tier="retry.1h",
        group=GROUP,
        reason=REASON,
        detail=DETAIL,
        origin=origin,
        due_at=WHEN,
        trace=TRACE,
    )


def moved(arrival: Arrival) -> Departure:
    return moved_of(arrival, topic=overflow(arrival.partition.topic), group=GROUP, reason=REASON)


def read(sent: Departure) -> Arrival:
    return Arrival(Partition(sent.topic, 0), 10**12, sent.key, sent.value, sent.headers)


def test_an_overflow_topic_takes_more_than_its_topic() -> None:
    for topic in OVERFLOWING:
        assert LIMITS[topic] == LARGEST_RECORD
        assert LIMITS[overflow(topic)] == LARGEST_MOVED_RECORD


def test_the_largest_record_fits_into_its_overflow_topic_with_all_that_it_gets_on_the_way() -> None:
    arrival = largest()
    assert size(arrival) == LARGEST_RECORD
    limit = LIMITS[overflow(INBOUND_MESSAGES)]
    again = read(retried(released(arrival)))  # with what went wrong, and the answer it was released with
    for sent in (moved(arrival), released(arrival), moved(again._replace(partition=Partition(INBOUND_MESSAGES, 0)))):
        assert LARGEST_RECORD < size(sent) <= limit
    assert size(again) <= limit, "what comes back from a retry tier"


def test_what_fits_into_an_overflow_topic_fits_into_retry_tiers_and_dead_letters() -> None:
    arrival = largest(overflow(INBOUND_MESSAGES))
    origin = Origin(arrival.partition.topic, 1, 1, WHEN, 1)
    letter = dead_letter_of(arrival, group=GROUP, origin=origin, failure=Failure(REASON, DETAIL, 1, WHEN))
    for tier in RETRY_TIERS:
        assert size(retried(arrival)) <= LIMITS[tier]
    assert size(letter) <= LIMITS[letter.topic]


def test_headers_do_not_pile_up_however_often_a_record_travels() -> None:
    arrival = largest()
    sizes = set()
    for _ in range(50):
        arrival = read(retried(read(moved(released(arrival)._replace(partition=Partition(INBOUND_MESSAGES, 0))))))
        sizes.add(size(arrival))
        arrival = arrival._replace(partition=Partition(INBOUND_MESSAGES, 0))
    assert max(sizes) - min(sizes) < 16
    assert max(sizes) <= LARGEST_MOVED_RECORD


@pytest.mark.kafka
async def test_apache_kafka_takes_the_largest_record_where_it_is_moved_retried_and_returned(
    kafka: "RealKafka",
) -> None:
    prefix, clock, metrics = f"sz{uuid.uuid4().hex[:8]}.", TurnedClock(), Metrics.create()
    await asyncio.to_thread(create_topics, kafka.bootstrap, prefix=prefix, replication=1)
    publisher = KafkaPublisher(kafka.bootstrap, prefix=prefix, client_id="sizes", timeout_ms=20_000)
    await publisher.start()
    publishing = Publishing(publisher, settings=RuntimeSettings(), clock=clock, metrics=metrics)
    retries = Retries(publishing, group="leadbus.retry", clock=clock, metrics=metrics, failpoints=Failpoints())
    arrival = largest()
    try:
        await publisher.publish(Departure(INBOUND_MESSAGES, *arrival[2:5]))
        with pytest.raises(RecordTooLarge):
            await publisher.publish(Departure(INBOUND_MESSAGES, *arrival[2:4], moved(arrival).headers))
        await publisher.publish(moved(arrival))
        await publisher.publish(retried(arrival))
        await retries.process(read(retried(arrival)))
    finally:
        await publisher.stop()
    assert metrics.value("records_published_total", topic=overflow(INBOUND_MESSAGES)) == 1
    assert metrics.value("dead_letters_total", reason="record_too_large") == 0
