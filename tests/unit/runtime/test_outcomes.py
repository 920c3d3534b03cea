"""What becomes of a record, without a broker."""

import asyncio
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from random import Random

from connectors.bus.seam import NotPublished, RecordTooLarge
from consumers.runtime.client import Arrival, Partition
from consumers.runtime.failpoints import Failpoints
from consumers.runtime.metrics import Metrics
from consumers.runtime.outcomes import Outcomes
from consumers.runtime.publishing import Publishing
from consumers.runtime.seam import Failure, Handler, Place, Publication, Record
from consumers.runtime.settings import RuntimeSettings
from schemas import codec
from schemas.documents import Inbound
from schemas.headers import FAILURE_DETAIL, FAILURE_REASON, TRACEPARENT, RecordHeaders
from schemas.topics import ANALYZED, DEAD_LETTERS, INBOUND_MESSAGES, OUTCOMES
from tests.conformance.runtime.example import (
    GROUP,
    TRACE,
    Journal,
    ParkingLot,
    example_spec,
    headers_of,
    inbound,
    publication,
)
from tests.unit.runtime.memory import MemoryPublisher, TurnedClock

DOCUMENT = inbound(1)
ARRIVAL = Arrival(Partition(INBOUND_MESSAGES, 0), 4, b"k", codec.dumps(DOCUMENT), tuple(headers_of(DOCUMENT)))


class Room:
    """Outcomes of one handler."""

    def __init__(self, handler: Handler[Inbound], **spec: object) -> None:
        self.publisher, self.clock = MemoryPublisher(), TurnedClock()
        self.metrics = Metrics.create()
        settings = RuntimeSettings()
        self.outcomes = Outcomes(
            dataclasses.replace(example_spec(Journal(Path("unused"))), handler=handler, **spec),  # type: ignore[arg-type]
            group=GROUP,
            publishing=Publishing(self.publisher, settings=settings, clock=self.clock, metrics=self.metrics),
            parking=ParkingLot(),
            settings=settings,
            clock=self.clock,
            chance=Random(1),
            metrics=self.metrics,
            failpoints=Failpoints(),
        )

    def sent(self) -> list[tuple[str, str | None]]:
        """Topics and reasons."""
        return [(sent.topic, RecordHeaders.read(sent.headers).get(FAILURE_REASON)) for sent in self.publisher.published]


async def test_a_publication_carries_on_the_trace_and_keeps_one_it_has() -> None:
    async def handler(record: Record[Inbound]) -> Sequence[Publication]:
        plain = publication(ANALYZED, DOCUMENT)
        return [plain, dataclasses.replace(plain, headers=(*plain.headers, (TRACEPARENT, b"its own")))]

    room = Room(handler)
    await room.outcomes.process(ARRIVAL)
    traces = [RecordHeaders.read(sent.headers).get(TRACEPARENT) for sent in room.publisher.published]
    assert traces == [TRACE, "its own"]


async def test_a_handler_that_takes_too_long_is_cancelled_and_its_record_retried() -> None:
    cancelled: list[bool] = []

    async def handler(record: Record[Inbound]) -> Sequence[Publication]:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(True)
            raise
        return ()

    room = Room(handler, handler_timeout=0.01)
    await room.outcomes.process(ARRIVAL)
    assert cancelled == [True]
    assert room.sent() == [("retry.10s", "handler_timeout")]


async def test_a_fault_that_passes_is_tried_again_at_once_and_one_that_stays_names_no_values() -> None:
    calls: list[int] = []

    async def handler(record: Record[Inbound]) -> Sequence[Publication]:
        calls.append(1)
        if len(calls) != 2:
            raise ValueError("Erika Mustermann")
        return ()

    room = Room(handler)
    await room.outcomes.process(ARRIVAL)
    assert (len(calls), room.sent()) == (2, [])
    await room.outcomes.process(ARRIVAL)
    assert len(calls) == 5
    assert room.sent()[0] == (DEAD_LETTERS, "handler_failed")
    detail = RecordHeaders.read(room.publisher.published[0].headers).values[FAILURE_DETAIL]
    assert "ValueError at tests.unit.runtime.test_outcomes" in detail
    assert "Erika" not in detail


async def test_a_broker_that_is_away_does_not_run_the_handler_again() -> None:
    calls: list[int] = []

    async def handler(record: Record[Inbound]) -> Sequence[Publication]:
        calls.append(1)
        return [publication(ANALYZED, DOCUMENT)]

    room = Room(handler)
    room.publisher.errors = [NotPublished("away")] * 4
    await room.outcomes.process(ARRIVAL)
    assert (len(calls), room.sent()) == (1, [(ANALYZED, None)])


async def test_a_publication_that_is_too_large_ends_its_record_as_a_dead_letter() -> None:
    async def handler(record: Record[Inbound]) -> Sequence[Publication]:
        return [publication(ANALYZED, DOCUMENT)]

    room = Room(handler)
    room.publisher.errors = [RecordTooLarge("analyzed: 3000000 bytes")]
    await room.outcomes.process(ARRIVAL)
    assert room.sent() == [(DEAD_LETTERS, "record_too_large"), (OUTCOMES, None)]


async def test_a_dead_letter_is_written_though_the_daemon_cannot_name_its_final_states() -> None:
    async def handler(record: Record[Inbound]) -> Sequence[Publication]:
        raise AssertionError

    def on_dead(record: Record[Inbound], failure: Failure) -> Sequence[Publication]:
        raise KeyError(failure.reason)

    room = Room(handler, on_dead=on_dead)
    await room.outcomes.process(ARRIVAL)
    assert room.sent() == [(DEAD_LETTERS, "handler_failed")]


async def test_the_daemon_can_name_the_final_states_of_what_it_cannot_read() -> None:
    async def handler(record: Record[Inbound]) -> Sequence[Publication]:
        raise AssertionError(record.document)

    told: list[tuple[Place, str | None, str]] = []

    def on_unreadable(place: Place, headers: RecordHeaders, failure: Failure) -> Sequence[Publication]:
        told.append((place, headers.get("tenant"), failure.reason))
        return [publication(OUTCOMES, DOCUMENT)]

    room = Room(handler, on_unreadable=on_unreadable)
    await room.outcomes.process(ARRIVAL._replace(value=b"{"))
    assert room.sent() == [(DEAD_LETTERS, "not_json"), (OUTCOMES, None)]
    assert told == [(Place(INBOUND_MESSAGES, 0, 4), "acme", "not_json")]
