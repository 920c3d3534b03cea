"""Traces through a daemon: each record worked on is a span below the one that published it.

The trace begins at the gateway and goes from record to record in the header `traceparent`. A retry, an overflow and a
released record carry the header they came with, so all attempts lie side by side below the same publication; a retry
also links to the attempt before it (`failure_trace`). What a handler publishes carries the traceparent of the span it
was made in.

Off (no collector in the settings) there is no wrapper at all, and the header is handed on as it came. A trace that its
caller did not want kept costs a look at the record's headers.
"""

import contextlib
from collections.abc import Callable, Collection, Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING

from connectors.tracing import (
    Span,
    TraceParent,
    Value,
    at,
    current_span,
    current_traceparent,
    read_traceparent,
    within,
)
from consumers.runtime.aside import Later
from consumers.runtime.client import Arrival
from consumers.runtime.engine import Process, Together
from schemas.headers import (
    EVENT_ID,
    FAILURE_ATTEMPT,
    FAILURE_TRACE,
    RELEASED,
    REPLAY_ID,
    REQUEST_ID,
    TENANT,
    TRACEPARENT,
    RecordHeaders,
)

if TYPE_CHECKING:
    from connectors.otlp import OtlpTracing

WELL = frozenset({"done", "parked", "returned", "not_for_us"})
"""Outcomes that are no error of the span: the others are."""

_TOLD = (
    (TENANT, "leadbus.tenant"),
    (REQUEST_ID, "leadbus.request_id"),
    (EVENT_ID, "leadbus.event_id"),
    (FAILURE_ATTEMPT, "leadbus.attempt"),
    (RELEASED, "leadbus.released"),
    (REPLAY_ID, "leadbus.replay_id"),
)
_LONGEST = 128

_batch: ContextVar[Sequence[Span | None] | None] = ContextVar("leadbus_batch", default=None)


def record_ended(outcome: str) -> None:
    """Note what became of the record whose span is current."""
    span = current_span()
    if span is not None:
        span.note(outcome=outcome)
        if outcome not in WELL:
            span.fail(outcome)


def traceparent_for(cause: RecordHeaders) -> str | None:
    """What a publication caused by a record carries: the current span's, else the record's own."""
    return current_traceparent() or cause.get(TRACEPARENT)


def of_batch(place: int) -> contextlib.AbstractContextManager[object]:
    """The span of one record of the batch that is being worked on: enter it where that record's end is made."""
    spans = _batch.get()
    span = None if spans is None else spans[place]
    return _NOTHING if span is None else at(span)


class RecordSpans:
    """Makes the spans of a daemon's records. Runs beside the daemon: `stop` sends what is left, for a short while."""

    def __init__(self, tracing: "OtlpTracing", *, group: str) -> None:
        self._tracing = tracing
        self._group = group

    async def start(self) -> None:
        """Nothing: a connection is made for the first spans."""

    async def stop(self) -> None:
        """Send what is left."""
        await self._tracing.close()

    def around(self, process: Process) -> Process:
        """`process`, each call of it in the span of its record."""

        async def in_span(arrival: Arrival) -> None:
            span = self.begin(arrival)
            if span is None:
                await process(arrival)
                return
            later: Later | None = None
            with within(span):
                try:
                    await process(arrival)
                except Later as error:
                    span.note(outcome="held")
                    later = error
            if later is not None:
                raise later

        return in_span

    def around_together(self, together: Together) -> Together:
        """`together`, each call of it in the spans of its records (`of_batch`).

        What is done for all of them at once lies below the first span that is kept.
        """

        async def in_spans(arrivals: Sequence[Arrival], ended: Callable[[int, Later | None], None]) -> Collection[int]:
            spans = [self.begin(arrival) for arrival in arrivals]
            kept = [span for span in spans if span is not None]
            if not kept:
                return await together(arrivals, ended)
            token = _batch.set(spans)
            try:
                with at(kept[0]):
                    return await together(arrivals, ended)
            finally:
                _batch.reset(token)
                for span in kept:
                    span.end()

        return in_spans

    def begin(self, arrival: Arrival) -> Span | None:
        """The record's span, begun now; None when its trace is not to be kept. Whoever begins it ends it."""
        values = RecordHeaders.read(arrival.headers).values
        parent = read_traceparent(values.get(TRACEPARENT))
        if parent is not None and not parent.sampled:
            return None
        topic, partition = arrival.partition
        attributes: dict[str, Value] = {
            "messaging.system": "kafka",
            "messaging.operation.type": "process",
            "messaging.destination.name": topic,
            "messaging.destination.partition.id": str(partition),
            "messaging.kafka.offset": arrival.offset,
            "messaging.consumer.group.name": self._group,
        }
        attributes |= {told: values[name][:_LONGEST] for name, told in _TOLD if name in values}
        before = read_traceparent(values.get(FAILURE_TRACE))
        links: Sequence[TraceParent] = () if before is None else (before,)
        return self._tracing.begin("consumer", f"{topic} process", parent=parent, links=links, attributes=attributes)


_NOTHING = contextlib.nullcontext()
