"""Records that are put elsewhere at intake: still the same arrival, read by this group alone, and never lost."""

import asyncio
import dataclasses
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest

from connectors.bus.seam import NotPublished
from consumers.recorder import first_place
from consumers.retry import Retries
from consumers.runtime.client import Arrival, Departure, Partition
from consumers.runtime.failpoints import Failpoints
from consumers.runtime.failures import Origin, answer_of, attempt_of, origin_of
from consumers.runtime.holding import Holding
from consumers.runtime.metrics import Metrics
from consumers.runtime.outcomes import Outcomes
from consumers.runtime.overflow import Diversions
from consumers.runtime.parking import ParkingAttendant
from consumers.runtime.publishing import Publishing
from consumers.runtime.seam import Permanent, Place, Publication, Record, RetryAfter
from consumers.runtime.settings import RuntimeSettings
from schemas import codec
from schemas.documents import Inbound
from schemas.headers import FAILURE_FIRST_AT, FAILURE_REASON, PARK_ID, RELEASED, RETRY_FOR, RecordHeaders, Release
from schemas.topics import INBOUND_MESSAGES, RETRY_TIERS, overflow
from tests.conformance.runtime.example import GROUP, Journal, ParkingLot, example_spec, headers_of, inbound
from tests.unit.runtime.memory import MemoryPublisher, TurnedClock

FIRST = Place(INBOUND_MESSAGES, 2, 40)
DOCUMENT = inbound(1)
ARRIVAL = Arrival(Partition(INBOUND_MESSAGES, 2), 40, b"k", codec.dumps(DOCUMENT), tuple(headers_of(DOCUMENT)))


def at(topic: str, offset: int, sent: Departure) -> Arrival:
    """What was published, as it is read there."""
    return Arrival(Partition(topic, 5), offset, sent.key, sent.value, sent.headers)


class Room:
    """One daemon's diversions and outcomes, and the retry daemon, in memory."""

    def __init__(self, group: str = GROUP, refusals: int = 0) -> None:
        self.clock, self.publisher, self.metrics = TurnedClock(), MemoryPublisher(), Metrics.create()
        self.parking = ParkingLot(refusals)
        self.error: Exception | None = None
        self.handled: list[Record[Inbound]] = []
        settings = RuntimeSettings(probation_records=0, dead_letter_limit=1, dead_letter_ratio=0.0)
        publishing = Publishing(self.publisher, settings=settings, clock=self.clock, metrics=self.metrics)
        self.holding = Holding(
            settings,
            name="example",
            room=10,
            clock=self.clock,
            metrics=self.metrics,
            halt=lambda message: None,
            pardon=lambda: None,
        )
        attendant = ParkingAttendant(
            self.parking, stage="example", group=group, settings=settings, clock=self.clock, metrics=self.metrics
        )
        self.diversions = Diversions(self.holding, attendant, group=group, publishing=publishing)

        async def handle(record: Record[Inbound]) -> Sequence[Publication]:
            self.handled.append(record)
            if self.error is not None:
                raise self.error
            return ()

        self.outcomes = Outcomes(
            dataclasses.replace(example_spec(Journal(Path("unused"))), handler=handle),
            group=group,
            publishing=publishing,
            parking=self.parking,
            settings=settings,
            clock=self.clock,
            chance=Random(1),
            metrics=self.metrics,
            failpoints=Failpoints(),
            holding=self.holding,
        )
        self.retries = Retries(
            publishing, group="leadbus.retry", clock=self.clock, metrics=self.metrics, failpoints=Failpoints()
        )

    def sent(self) -> Departure:
        """What was published last."""
        return self.publisher.published[-1]


async def test_a_moved_record_is_untouched_for_this_group_alone_and_has_not_failed() -> None:
    room = Room()
    await room.diversions.overflow(ARRIVAL)
    sent, headers = room.sent(), RecordHeaders.read(room.sent().headers)
    assert (sent.topic, sent.key, sent.value) == (overflow(INBOUND_MESSAGES), ARRIVAL.key, ARRIVAL.value)
    assert sent.headers[: len(ARRIVAL.headers)] == ARRIVAL.headers
    assert (headers.get(RETRY_FOR), headers.get(FAILURE_REASON)) == (GROUP, "tenant_over_share")
    assert (attempt_of(headers), headers.get(FAILURE_FIRST_AT)) == (0, None)


async def test_a_moved_record_is_the_same_arrival_to_whoever_counts_them() -> None:
    room = Room()
    await room.diversions.overflow(ARRIVAL)
    moved = at(overflow(INBOUND_MESSAGES), 900, room.sent())
    await room.outcomes.process(moved)
    [record] = room.handled
    assert (first_place(record), record.attempt) == (FIRST, 0)  # type: ignore[arg-type]


async def test_other_groups_let_a_moved_record_pass() -> None:
    room, other = Room(), Room("leadbus.other")
    await room.diversions.overflow(ARRIVAL)
    moved = at(overflow(INBOUND_MESSAGES), 900, room.sent())
    await other.outcomes.process(moved)
    await other.diversions.overflow(moved)
    await other.diversions.park(moved)
    assert (other.handled, other.publisher.published, other.parking.parked) == ([], [], {})


async def test_a_record_that_was_moved_and_then_fails_is_retried_from_where_it_first_lay() -> None:
    room = Room()
    await room.diversions.overflow(ARRIVAL)
    room.clock.moment += timedelta(minutes=5)
    failed_at = room.clock.now()
    room.error = RetryAfter("busy", delay=1.0)
    await room.outcomes.process(at(overflow(INBOUND_MESSAGES), 900, room.sent()))
    assert room.sent().topic == "retry.10s"
    await room.retries.process(at("retry.10s", 3, room.sent()))
    back = room.sent()
    assert back.topic == INBOUND_MESSAGES
    headers = RecordHeaders.read(back.headers)
    origin = origin_of(at(back.topic, 1_000, back), headers, room.clock.now())
    assert origin == Origin(FIRST.topic, FIRST.partition, FIRST.offset, failed_at, 1)
    assert [name for name, _ in back.headers].count(FAILURE_REASON) == 1


async def test_a_record_that_came_back_and_is_moved_keeps_its_attempts_and_its_patience() -> None:
    room = Room()
    room.error = RetryAfter("busy", delay=1.0)
    await room.outcomes.process(ARRIVAL)
    failed_at = room.clock.now()
    await room.retries.process(at("retry.10s", 3, room.sent()))
    await room.diversions.overflow(at(INBOUND_MESSAGES, 1_000, room.sent()))
    headers = RecordHeaders.read(room.sent().headers)
    moved = at(overflow(INBOUND_MESSAGES), 900, room.sent())
    assert origin_of(moved, headers, room.clock.now()) == Origin(
        FIRST.topic, FIRST.partition, FIRST.offset, failed_at, 1
    )


async def test_the_answer_of_a_release_goes_along_when_the_record_is_moved() -> None:
    room = Room()
    answered = ((RETRY_FOR, GROUP.encode()), (RELEASED, b"approve"), (PARK_ID, b"p"))
    await room.diversions.overflow(ARRIVAL._replace(headers=(*ARRIVAL.headers, *answered)))
    assert answer_of(RecordHeaders.read(room.sent().headers)) == (Release.APPROVE, "p")


async def test_a_move_that_is_not_acknowledged_is_tried_until_it_is_and_alarms() -> None:
    room = Room()
    room.publisher.errors = [NotPublished("away")] * 5
    moving = asyncio.create_task(room.diversions.overflow(ARRIVAL))
    stuck = set()
    while not moving.done():
        stuck.add(room.metrics.value("stuck_records"))
        await asyncio.sleep(0)
    assert [sent.topic for sent in room.publisher.published] == [overflow(INBOUND_MESSAGES)]
    assert (stuck, room.metrics.value("stuck_records")) == ({0.0, 1.0}, 0.0)


@pytest.mark.parametrize(
    ("topic", "overflows"),
    [(INBOUND_MESSAGES, True), ("deliver.hubspot", True), (overflow(INBOUND_MESSAGES), False), ("retry.10s", False)],
)
def test_document_topics_overflow_and_their_overflow_topics_do_not(topic: str, overflows: bool) -> None:
    assert Room().diversions.overflows(topic) is overflows


async def test_records_of_a_tenant_over_the_limits_wait_in_the_store_until_the_pause_is_over() -> None:
    room = Room(refusals=2)
    room.error = Permanent("refused")
    await room.outcomes.process(ARRIVAL)
    assert (room.diversions.parks("acme"), room.diversions.parks("other")) == (True, False)
    await room.diversions.park(ARRIVAL._replace(offset=41))
    rows = [row for _, row in room.parking.parked.values()]
    pause = timedelta(seconds=RuntimeSettings().dead_letter_pause_seconds)
    assert [(row.reason, row.due is None) for row in rows] == [
        ("refused", True),
        ("tenant_over_dead_letter_limit", False),
    ]
    assert rows[1].due is not None
    assert timedelta() < rows[1].due - room.clock.now() <= pause
    assert (rows[1].record, rows[1].topic) == (ARRIVAL.value, INBOUND_MESSAGES)


async def test_the_same_record_parked_twice_is_one_row() -> None:
    room = Room()
    for _ in range(2):
        await room.diversions.park(ARRIVAL)
    assert len(room.parking.parked) == 1


async def test_a_record_whose_headers_are_not_ids_can_be_put_into_the_store_too() -> None:
    room = Room()
    await room.diversions.park(ARRIVAL._replace(headers=(("tenant", b"acme"), ("event_id", b"x" * 500))))
    [(tenant, row)] = room.parking.parked.values()
    assert (tenant, len(row.event_id), row.request_id) == ("acme", 64, "")


async def test_a_record_goes_through_every_tier_and_the_last_again_and_again_until_it_is_given_up() -> None:
    room, arrival, tiers = Room(), ARRIVAL, list(RETRY_TIERS)
    room.error = RetryAfter("busy", delay=5.0)
    began, seen, waited = room.clock.now(), [], []
    while True:
        await room.outcomes.process(arrival)
        sent = room.sent()
        if sent.topic not in RETRY_TIERS:
            break
        failed, headers = room.clock.now(), RecordHeaders.read(sent.headers)
        seen.append(sent.topic)
        assert attempt_of(headers) == len(seen)
        await room.retries.process(at(sent.topic, 0, sent))
        waited.append((room.clock.now() - failed).total_seconds())
        arrival = at(INBOUND_MESSAGES, 1_000 + len(seen), room.sent())
        assert origin_of(arrival, headers, room.clock.now()) == Origin(
            FIRST.topic, FIRST.partition, FIRST.offset, began, len(seen)
        )
    assert seen[:4] == [tiers[0], *tiers[1:]]
    assert set(seen[4:]) == {tiers[-1]}
    assert 5.0 <= waited[0] <= 5.5
    assert all(3600.0 <= wait <= 3960.0 for wait in waited[3:])
    assert timedelta(hours=70) < room.clock.now() - began <= timedelta(hours=72)
    letter = next(sent for sent in room.publisher.published if sent.topic == "dead-letters")
    assert RecordHeaders.read(letter.headers).get(FAILURE_REASON) == "gave_up"
    assert (letter.key, letter.value, letter.headers[: len(ARRIVAL.headers)]) == ARRIVAL[2:5]
    assert [record.attempt for record in room.handled] == list(range(len(seen) + 1))
