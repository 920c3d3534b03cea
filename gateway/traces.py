"""W3C trace context at the door: continue the caller's trace, or start one, and hand it on with what is published.

Without a collector that is all: the header is made here, and nothing of OpenTelemetry is loaded. With one, every
authentic webhook is a span that begins when it came in, and what is published lies below it. Randomness is handed in.
A header that does not follow the recommendation is ignored, never refused.
"""

import contextlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from connectors.tracing import current_span, read_traceparent, within

if TYPE_CHECKING:
    from connectors.otlp import OtlpTracing

OUR_TROUBLE = 500
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Traces:
    """Makes the `traceparent` of what the gateway publishes."""

    def __init__(self, random_bytes: Callable[[int], bytes], tracing: "OtlpTracing | None" = None) -> None:
        self._random = random_bytes
        self._tracing = tracing

    def next(self, incoming: str | None) -> str:
        """A child of the incoming trace where there is one, else the root of a new one, sampled."""
        span = self._random(24).hex()
        parent = read_traceparent(incoming)
        if parent is not None:
            return f"00-{parent.trace}-{span[:16]}-{parent.flags}"
        return f"00-{span[:32]}-{span[32:]}-01"

    @contextlib.contextmanager
    def webhook(
        self, incoming: str | None, *, source: str, tenant: str, endpoint: str, received_at: datetime
    ) -> Iterator[str]:
        """The `traceparent` of one authentic POST, whose span is current until its answer is known."""
        if self._tracing is None:
            yield self.next(incoming)
            return
        attributes = {
            "http.request.method": "POST",
            "http.route": "/v1/hooks/{source}/{endpoint_key}",
            "leadbus.source": source,
            "leadbus.tenant": tenant,
            "leadbus.endpoint": endpoint,
        }
        span = self._tracing.begin(
            "server",
            f"POST /v1/hooks/{source}",
            parent=read_traceparent(incoming),
            attributes=attributes,
            began_ns=round((received_at - _EPOCH).total_seconds() * 1e9),
        )
        with within(span):
            yield span.traceparent

    def answered(self, status: int, reason: str) -> None:
        """How the current webhook ended; `reason` is a refusal's code, empty when all went well."""
        span = current_span()
        if span is None:
            return
        span.note(status=status)
        if reason:
            span.note(reason=reason)
        if status >= OUR_TROUBLE:
            span.fail(reason)
