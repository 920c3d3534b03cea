"""Spans on the OpenTelemetry SDK, sent to a collector by OTLP over HTTP.

Promises: whoever makes a span never waits for the collector. Ended spans go into a bounded queue that a thread empties
once a second; what does not fit, or cannot be sent, is dropped with a line in the log. `close` sends what is left,
within the time it is given. A trace whose caller did not ask for it to be kept is not kept.

The endpoint is a collector's base address (http://collector:4318), as OTEL_EXPORTER_OTLP_ENDPOINT has it; headers for
it come from OTEL_EXPORTER_OTLP_HEADERS, which the exporter reads by itself.
"""

import asyncio
import contextlib
import threading
from collections.abc import Mapping, Sequence
from typing import Literal

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    Tracer,
    set_span_in_context,
)
from opentelemetry.trace import Span as SdkSpan

from connectors.tracing import FLUSH_SECONDS, Span, TraceParent, Value

TRACES_PATH = "/v1/traces"
QUEUE = 4_096
"""Ended spans that may wait to be sent."""
BATCH = 512
SEND_EVERY_MS = 1_000
ANSWER_SECONDS = 5.0
"""For the collector to take a batch, further attempts included."""

Kind = Literal["server", "consumer"]
_KINDS = {"server": SpanKind.SERVER, "consumer": SpanKind.CONSUMER}


class OtlpSpan:
    """A span of the SDK behind connectors.tracing.Span."""

    __slots__ = ("_context", "_span", "_tracer", "traceparent")

    def __init__(self, tracer: Tracer, span: SdkSpan) -> None:
        self._tracer = tracer
        self._span = span
        self._context: Context | None = None
        context = span.get_span_context()
        self.traceparent = f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags & 1:02x}"

    def note(self, **attributes: Value) -> None:
        for name, value in attributes.items():
            self._span.set_attribute(f"leadbus.{name}", value)

    def fail(self, error: str) -> None:
        self._span.set_status(Status(StatusCode.ERROR))
        self._span.set_attribute("error.type", error)

    def below(self, name: str, attributes: dict[str, Value]) -> Span:
        if self._context is None:
            self._context = set_span_in_context(self._span, Context())
        span = self._tracer.start_span(name, self._context, SpanKind.CLIENT)
        below = OtlpSpan(self._tracer, span)
        if attributes:
            below.note(**attributes)
        return below

    def end(self) -> None:
        self._span.end()


class OtlpTracing:
    """Makes the spans of one process."""

    def __init__(self, exporter: SpanExporter, service: str, ratio: float) -> None:
        self._exporter = exporter
        self._processor = BatchSpanProcessor(
            exporter, max_queue_size=QUEUE, max_export_batch_size=BATCH, schedule_delay_millis=SEND_EVERY_MS
        )
        provider = TracerProvider(
            sampler=ParentBased(TraceIdRatioBased(ratio)),
            resource=Resource.create({"service.namespace": "leadbus", "service.name": f"leadbus.{service}"}),
            shutdown_on_exit=False,
        )
        provider.add_span_processor(self._processor)
        self._tracer = provider.get_tracer("leadbus")

    @classmethod
    def to(cls, endpoint: str, service: str, ratio: float) -> "OtlpTracing":
        """Sends to a collector; nothing is connected before the first span has ended."""
        url = endpoint.rstrip("/")
        url = url if url.endswith(TRACES_PATH) else url + TRACES_PATH
        return cls(OTLPSpanExporter(endpoint=url, timeout=ANSWER_SECONDS), service, ratio)

    def begin(
        self,
        kind: Kind,
        name: str,
        *,
        parent: TraceParent | None,
        links: Sequence[TraceParent] = (),
        attributes: Mapping[str, Value],
        began_ns: int | None = None,
    ) -> OtlpSpan:
        """A span that somebody else's work led to, or the first of a new trace. `began_ns`: nanoseconds since 1970."""
        context = set_span_in_context(NonRecordingSpan(_remote(parent)), Context()) if parent else Context()
        span = self._tracer.start_span(
            name,
            context,
            _KINDS[kind],
            attributes=attributes,
            links=[Link(_remote(link)) for link in links],
            start_time=began_ns,
        )
        return OtlpSpan(self._tracer, span)

    async def close(self, seconds: float = FLUSH_SECONDS) -> None:
        """Send what waits, and stop; returns after `seconds` at the latest, whatever the collector does."""
        loop, sent = asyncio.get_running_loop(), asyncio.Event()

        def flush() -> None:
            self._processor.shutdown()  # type: ignore[no-untyped-call]
            with contextlib.suppress(RuntimeError):  # the loop may have ended meanwhile
                loop.call_soon_threadsafe(sent.set)

        # A thread of its own: the loop's executor would be waited for when the process ends.
        threading.Thread(target=flush, name="traces-flush", daemon=True).start()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await sent.wait()


def _remote(parent: TraceParent) -> SpanContext:
    return SpanContext(
        int(parent.trace, 16), int(parent.span, 16), is_remote=True, trace_flags=TraceFlags(int(parent.flags, 16) & 1)
    )
