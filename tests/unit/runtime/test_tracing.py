"""Traces through a daemon: what is a span below what, what it says, and that tracing never gets in the way."""

import asyncio
import time
from collections.abc import Callable, Collection, Sequence

import pytest

from connectors.otlp import QUEUE, OtlpTracing
from connectors.tracing import (
    current_span,
    current_traceparent,
    open_tracing,
    outgoing,
    read_traceparent,
    traced,
    within,
)
from consumers.runtime.aside import Later
from consumers.runtime.client import Arrival, Partition
from consumers.runtime.failures import origin_of, retry_of
from consumers.runtime.publishing import departures_of
from consumers.runtime.seam import Publication
from consumers.runtime.tracing import RecordSpans, of_batch, record_ended
from schemas.headers import FAILURE_ATTEMPT, FAILURE_TRACE, TRACEPARENT, RecordHeaders
from tests.parts.collector import collecting
from tests.unit.runtime.memory import TurnedClock

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
KEPT, UNKEPT = f"00-{TRACE}-{PARENT}-01", f"00-{TRACE}-{PARENT}-00"
GROUP = "leadbus.example"
NOT_UTF8 = b"\xff\xfe"


def arrival(offset: int = 7, *more: tuple[str, bytes | None], trace: str | None = KEPT) -> Arrival:
    headers: list[tuple[str, bytes | None]] = [
        ("tenant", b"acme"),
        ("request_id", b"r-1"),
        ("event_id", b"e-1"),
        ("odd", NOT_UTF8),
        *more,
    ]
    if trace is not None:
        headers.append((TRACEPARENT, trace.encode()))
    return Arrival(Partition("inbound.calls", 3), offset, b"r-1", b'{"lead": {"name": "Zoe"}}', tuple(headers))


def published(cause: Arrival) -> str | None:
    """The traceparent that a publication made now carries."""
    plain = Publication("analyzed", b"k", b"v", ())
    [departure] = departures_of([plain], RecordHeaders.read(cause.headers))
    return RecordHeaders.read(departure.headers).get(TRACEPARENT)


class Vendor:
    """A part with a coroutine method, a plain one and an attribute."""

    upserts = True

    async def create_lead(self, name: str) -> str:
        await asyncio.sleep(0)
        return name

    async def refuse(self) -> None:
        raise ValueError("Zoe Marchand is not wanted")

    def plain(self) -> int:
        return 7


async def test_a_record_is_a_span_below_its_publication_and_calls_are_spans_below_it() -> None:
    async with collecting() as collector:
        tracing = OtlpTracing.to(collector.endpoint, "example", 1.0)
        seen: list[str | None] = []

        async def process(record: Arrival) -> None:
            vendor = traced(Vendor(), "crm.hubspot")
            assert (vendor.plain(), vendor.upserts, await vendor.create_lead("Zoe")) == (7, True, "Zoe")
            with outgoing("HTTP POST", attempt=2):
                await asyncio.sleep(0)
            seen.append(published(record))
            record_ended("done")

        spans = RecordSpans(tracing, group=GROUP)
        await spans.around(process)(arrival())
        await spans.stop()
    [record] = collector.named("inbound.calls process")
    assert (record.service, record.kind, record.trace, record.parent) == ("leadbus.example", "consumer", TRACE, PARENT)
    assert seen == [f"00-{TRACE}-{record.id}-01"]
    wanted = {
        "messaging.system": "kafka",
        "messaging.operation.type": "process",
        "messaging.destination.name": "inbound.calls",
        "messaging.destination.partition.id": "3",
        "messaging.kafka.offset": "7",
        "messaging.consumer.group.name": GROUP,
        "leadbus.tenant": "acme",
        "leadbus.request_id": "r-1",
        "leadbus.event_id": "e-1",
        "leadbus.outcome": "done",
    }
    assert record.attributes == wanted
    for name in ("crm.hubspot create_lead", "HTTP POST"):
        [call] = collector.named(name)
        assert (call.kind, call.parent) == ("client", record.id)
    assert b"Zoe" not in b"".join(collector.bodies)


async def test_a_retry_stays_in_the_trace_and_links_to_the_attempt_before_it() -> None:
    async with collecting() as collector:
        tracing = OtlpTracing.to(collector.endpoint, "example", 1.0)
        spans, retries = RecordSpans(tracing, group=GROUP), []

        async def fails(record: Arrival) -> None:
            now, headers = TurnedClock().now(), RecordHeaders.read(record.headers)
            origin = origin_of(record, headers, now)
            trace = current_traceparent()
            told = {"tier": "retry.10s", "group": GROUP, "reason": "busy", "detail": ""}
            retries.append(retry_of(record, origin=origin, due_at=now, trace=trace, **told))
            record_ended("retry")

        async def works(record: Arrival) -> None:
            record_ended("done")

        await spans.around(fails)(arrival())
        [retry] = retries
        back = Arrival(Partition("inbound.calls", 3), 9, retry.key, retry.value, retry.headers)
        await spans.around(works)(back)
        await spans.stop()
    first, second = collector.named("inbound.calls process")
    assert (first.trace, second.trace, second.parent) == (TRACE, TRACE, PARENT)
    assert (first.error, second.error) == (True, False)
    assert second.links == (first.id,)
    assert second.attributes["leadbus.attempt"] == "1"
    headers = RecordHeaders.read(retry.headers)
    assert headers.get(TRACEPARENT) == KEPT, "a retry's own headers are untouched"
    assert headers.get(FAILURE_ATTEMPT) == "1"
    again = retry_of(
        back,
        tier="retry.1m",
        group=GROUP,
        reason="busy",
        detail="",
        origin=origin_of(back, headers, TurnedClock().now()),
        due_at=TurnedClock().now(),
    )
    assert RecordHeaders.read(again.headers).get(FAILURE_TRACE) is None, "an attempt that was not traced has no link"


async def test_records_of_a_batch_keep_traces_of_their_own() -> None:
    async with collecting() as collector:
        tracing = OtlpTracing.to(collector.endpoint, "example", 1.0)
        other = f"00-{'a' * 32}-{'b' * 16}-01"
        arrivals = [arrival(1), arrival(2, trace=other), arrival(3, trace=UNKEPT), arrival(4, trace=None)]
        seen: dict[int, str | None] = {}

        async def together(arrivals: Sequence[Arrival], ended: Callable[[int, Later | None], None]) -> Collection[int]:
            with outgoing("store put_outcomes"):
                await asyncio.sleep(0)

            async def end(place: int) -> None:
                with of_batch(place):
                    await asyncio.sleep(0)
                    seen[place] = published(arrivals[place])
                    record_ended("done")
                ended(place, None)

            await asyncio.gather(*(end(place) for place in range(len(arrivals))))
            return ()

        done: list[int] = []
        spans = RecordSpans(tracing, group=GROUP)
        await spans.around_together(together)(arrivals, lambda place, later: done.append(place))
        assert current_span() is None
        await spans.stop()
    by_offset = {span.attributes["messaging.kafka.offset"]: span for span in collector.named("inbound.calls process")}
    assert by_offset.keys() == {"1", "2", "4"}
    assert seen[0] == f"00-{TRACE}-{by_offset['1'].id}-01"
    assert seen[1] == f"00-{'a' * 32}-{by_offset['2'].id}-01"
    assert seen[3] == f"00-{by_offset['4'].trace}-{by_offset['4'].id}-01"
    assert [span.attributes["leadbus.outcome"] for span in by_offset.values()] == ["done"] * 3
    assert [span.parent for span in collector.named("store put_outcomes")] == [by_offset["1"].id]
    assert sorted(done) == [0, 1, 2, 3]


async def test_a_trace_that_nobody_wants_kept_makes_no_span_and_is_handed_on_as_it_came() -> None:
    async with collecting() as collector:
        spans = RecordSpans(OtlpTracing.to(collector.endpoint, "example", 1.0), group=GROUP)
        seen: list[str | None] = []

        async def process(record: Arrival) -> None:
            assert current_span() is None
            seen.append(published(record))

        await spans.around(process)(arrival(trace=UNKEPT))
        await spans.stop()
    assert seen == [UNKEPT]
    assert collector.spans == []


async def test_errors_are_told_by_name_and_held_records_are_no_errors() -> None:
    async with collecting() as collector:
        spans = RecordSpans(OtlpTracing.to(collector.endpoint, "example", 1.0), group=GROUP)

        async def refused(record: Arrival) -> None:
            await traced(Vendor(), "crm.hubspot").refuse()

        async def held(record: Arrival) -> None:
            raise Later(lambda: asyncio.sleep(0), lambda: None)

        with pytest.raises(ValueError):
            await spans.around(refused)(arrival(1))
        with pytest.raises(Later):
            await spans.around(held)(arrival(2))
        await spans.stop()
    [call] = collector.named("crm.hubspot refuse")
    first, second = collector.named("inbound.calls process")
    assert (call.error, call.attributes["error.type"]) == (True, "ValueError")
    assert (first.error, second.error, second.attributes["leadbus.outcome"]) == (True, False, "held")
    assert b"Zoe" not in b"".join(collector.bodies)


async def test_without_a_collector_nothing_is_made_and_the_header_is_handed_on() -> None:
    assert open_tracing(None, "example") is None
    assert open_tracing("", "example") is None
    assert published(arrival()) == KEPT
    assert published(arrival(trace=None)) is None
    assert await traced(Vendor(), "crm.hubspot").create_lead("x") == "x"
    with outgoing("HTTP POST") as nothing:
        assert nothing is None
    with of_batch(3):
        record_ended("done")


async def make_spans(tracing: OtlpTracing, count: int) -> None:
    for _ in range(count):
        with within(tracing.begin("consumer", "x process", parent=None, attributes={})):
            pass
        await asyncio.sleep(0)


@pytest.mark.parametrize("trouble", ["nobody listens", "refuses", "hangs"])
async def test_a_collector_in_trouble_costs_spans_and_never_time(trouble: str) -> None:
    async with collecting() as collector:
        collector.refuse, collector.hang = trouble == "refuses", trouble == "hangs"
        endpoint = "http://127.0.0.1:1" if trouble == "nobody listens" else collector.endpoint
        tracing = OtlpTracing.to(endpoint, "example", 1.0)
        await make_spans(tracing, QUEUE + 500)
        began = time.monotonic()
        await tracing.close(0.2)
        assert time.monotonic() - began < 30, "far less than a batch's own attempts take"
        assert collector.spans == []
        await make_spans(tracing, 3)  # after the end they are dropped, quietly


async def test_only_the_wanted_part_of_new_traces_is_kept_and_callers_flags_are_obeyed() -> None:
    async with collecting() as collector:
        tracing = OtlpTracing.to(collector.endpoint + "/", "example", 0.0)
        new = tracing.begin("server", "POST", parent=None, attributes={})
        asked = tracing.begin("server", "POST", parent=read_traceparent(KEPT), attributes={})
        for span in (new, asked):
            span.end()
        await tracing.close()
    assert new.traceparent.endswith("-00")
    assert [span.parent for span in collector.spans] == [PARENT]


@pytest.mark.parametrize(
    "text", ["", "00", KEPT.upper(), f"ff{KEPT[2:]}", f"00-{'0' * 32}-{PARENT}-01", f"00-{TRACE}-{'0' * 16}-01"]
)
def test_what_is_no_trace_context_is_ignored(text: str) -> None:
    assert read_traceparent(text) is None
