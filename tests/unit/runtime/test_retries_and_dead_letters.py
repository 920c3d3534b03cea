"""What is written on a record that failed, how long it waits, and how it comes back."""

import os
import signal
import subprocess
import sys
from datetime import timedelta

import pytest

from connectors.bus.seam import NotPublished, RecordTooLarge
from consumers.retry import Retries
from consumers.runtime.client import Arrival, Departure, Partition
from consumers.runtime.failpoints import Failpoints
from consumers.runtime.failures import Origin, attempt_of, dead_letter_of, due_at, origin_of, retry_of, wait_for
from consumers.runtime.metrics import Metrics, undefined_fields
from consumers.runtime.publishing import Publishing
from consumers.runtime.seam import Failure
from consumers.runtime.settings import RuntimeSettings
from schemas.headers import FAILURE_OFFSET, FAILURE_REASON, RETRY_DUE_AT, RETRY_FOR, RecordHeaders
from schemas.topics import DEAD_LETTERS
from tests.unit.runtime.memory import MemoryPublisher, TurnedClock

STRANGE = (("tenant", b"acme"), ("twice", b"1"), ("twice", b"\xff"), ("none", None))
HERE = Arrival(Partition("inbound.calls", 3), 17, b"key", b"value", STRANGE)


def failed(arrival: Arrival, clock: TurnedClock, delay: float) -> Arrival:
    """The record as it lies on its original topic again, after a failure there."""
    origin = origin_of(arrival, RecordHeaders.read(arrival.headers), clock.now())
    tier, wait = wait_for(delay, origin.attempt)
    retry = retry_of(
        arrival,
        tier=tier,
        group="leadbus.calls",
        reason="busy",
        detail="",
        origin=origin,
        due_at=due_at(clock.now(), wait, 0.0),
    )
    return Arrival(arrival.partition, arrival.offset + 100, retry.key, retry.value, retry.headers)


@pytest.mark.parametrize(
    ("delay", "attempt", "tier", "wait"),
    [
        (0.5, 0, "retry.10s", 0.5),
        (10, 0, "retry.10s", 10),
        (11, 0, "retry.1m", 11),
        (0.5, 1, "retry.1m", 60),
        (0.5, 2, "retry.10m", 600),
        (0.5, 9, "retry.1h", 3600),
        (86_400, 0, "retry.1h", 3600),
        (-1, 0, "retry.10s", 0),
    ],
)
def test_a_record_waits_as_asked_first_and_longer_each_time(delay: float, attempt: int, tier: str, wait: float) -> None:
    assert wait_for(delay, attempt) == (tier, wait)


def test_jitter_only_adds_and_at_most_a_tenth() -> None:
    now = TurnedClock().now()
    assert due_at(now, 100, 0.0) == now + timedelta(seconds=100)
    assert due_at(now, 100, 1.0) == now + timedelta(seconds=110)


def test_a_record_keeps_its_own_headers_and_its_first_failure_over_many_attempts() -> None:
    clock = TurnedClock()
    first_failed_at = clock.now()
    once = failed(HERE, clock, 1)
    clock.moment += timedelta(hours=1)
    twice = failed(once, clock, 1)
    assert twice.headers[: len(STRANGE)] == STRANGE
    assert (twice.key, twice.value) == (b"key", b"value")
    headers = RecordHeaders.read(twice.headers)
    assert attempt_of(headers) == 2
    assert origin_of(twice, headers, clock.now()) == Origin("inbound.calls", 3, 17, first_failed_at, 2)
    assert [name for name, _ in twice.headers].count(FAILURE_REASON) == 1


def test_a_dead_letter_says_where_it_first_failed_and_waits_for_nobody() -> None:
    clock = TurnedClock()
    back = failed(HERE, clock, 1)
    origin = origin_of(back, RecordHeaders.read(back.headers), clock.now())
    failure = Failure("refused", "x" * 9_000, origin.attempt, origin.first_failed_at)
    letter = dead_letter_of(back, group="leadbus.calls", origin=origin, failure=failure)
    headers = RecordHeaders.read(letter.headers)
    assert letter.topic == DEAD_LETTERS
    assert letter.headers[: len(STRANGE)] == STRANGE
    assert (headers.get(FAILURE_REASON), headers.get(FAILURE_OFFSET)) == ("refused", "17")
    assert headers.get(RETRY_FOR) is headers.get(RETRY_DUE_AT) is None
    assert len(headers.values["failure_detail"]) == 500


class RetryRoom:
    """The retry daemon's work, with a clock that tests turn."""

    def __init__(self) -> None:
        self.clock, self.publisher, self.metrics = TurnedClock(), MemoryPublisher(), Metrics.create()
        self.publishing = Publishing(
            self.publisher,
            settings=RuntimeSettings(publish_backoff_seconds=1, publish_backoff_limit_seconds=3),
            clock=self.clock,
            metrics=self.metrics,
        )
        self.retries = Retries(
            self.publishing,
            group="leadbus.retry",
            clock=self.clock,
            metrics=self.metrics,
            failpoints=Failpoints(),
        )


async def test_the_retry_daemon_waits_until_a_record_is_due_and_sends_it_to_where_it_came_from() -> None:
    room = RetryRoom()
    waiting = failed(HERE, room.clock, 90)
    began = room.clock.now()
    await room.retries.process(waiting)
    assert room.clock.now() - began == timedelta(seconds=90)
    (sent,) = room.publisher.published
    assert (sent.topic, sent.key, sent.value) == ("inbound.calls", b"key", b"value")
    headers = RecordHeaders.read(sent.headers)
    assert headers.get(RETRY_FOR) == "leadbus.calls"
    assert headers.get(RETRY_DUE_AT) is None


async def test_a_retry_that_no_longer_fits_its_topic_goes_to_the_overflow_topic_as_it_is() -> None:
    room = RetryRoom()
    room.publisher.errors = [RecordTooLarge("inbound.calls")]
    arrival = failed(HERE, room.clock, 1)
    await room.retries.process(arrival)
    (sent,) = room.publisher.published
    assert (sent.topic, sent.key, sent.value) == ("inbound.calls.overflow", arrival.key, arrival.value)
    assert sent.headers == tuple(pair for pair in arrival.headers if pair[0] != RETRY_DUE_AT)


async def test_a_retry_that_fits_nowhere_becomes_a_dead_letter() -> None:
    room = RetryRoom()
    room.publisher.errors = [RecordTooLarge("inbound.calls"), RecordTooLarge("inbound.calls.overflow")]
    await room.retries.process(failed(HERE, room.clock, 1))
    assert [
        (sent.topic, RecordHeaders.read(sent.headers).get(FAILURE_REASON)) for sent in room.publisher.published
    ] == [(DEAD_LETTERS, "record_too_large")]


async def test_publishing_goes_on_until_the_broker_takes_it_and_never_sends_again_what_it_took() -> None:
    room = RetryRoom()
    one, two = Departure("analyzed", b"1", b"", ()), Departure("outcomes", b"2", b"", ())
    room.publisher.errors = [NotPublished("away")] * 5
    await room.publishing.until_acknowledged([one, two])
    assert sorted(sent.topic for sent in room.publisher.published) == ["analyzed", "outcomes"]
    assert room.clock.slept == [1, 2, 3]


async def test_a_record_that_must_be_written_alarms_until_it_is() -> None:
    room = RetryRoom()
    room.publisher.errors = [RecordTooLarge("?"), NotPublished("away")]
    await room.publishing.until_acknowledged([Departure(DEAD_LETTERS, None, b"", ())], must=True)
    assert len(room.publisher.published) == 1
    assert room.metrics.value("publish_failures_total", topic=DEAD_LETTERS) == 2
    assert room.metrics.value("stuck_records") == 0


def test_a_failpoint_kills_at_its_nth_moment_and_at_no_other() -> None:
    program = (
        "import os; from consumers.runtime.failpoints import Failpoints; f = Failpoints.from_environment(os.environ)\n"
        "f.hit('other'); f.hit('here'); print('once', flush=True); f.hit('here'); print('twice', flush=True)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "LEADBUS_FAILPOINT": "here:2"},
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (-signal.SIGKILL, b"once\n")


@pytest.mark.parametrize("text", ["here:0", "here:x", "here:-1"])
def test_a_failpoint_that_cannot_be_meant_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="LEADBUS_FAILPOINT"):
        Failpoints.from_environment({"LEADBUS_FAILPOINT": text})


def test_every_metric_is_in_the_list_and_nothing_else() -> None:
    assert undefined_fields() == set()
