"""From an HTTP body to acknowledged records: find the endpoint, verify, normalize, publish, answer.

Promises: 202 only after the broker's acknowledgement of every event of the POST; nothing is published for a request
that is not authentic; an authentic body is never lost for being odd (it is kept as an unparsed event, whatever the
normalizer did); bad input is never answered 5xx and our own trouble never 4xx. Logs name tenant, endpoint and reason,
nothing from the request. Raises nothing but cancellation.
"""

import hmac
import traceback
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from structlog.typing import FilteringBoundLogger

from connectors.bus.seam import NotPublished, RecordTooLarge
from connectors.tracing import note
from gateway.authenticity import Authenticity
from gateway.documents import InboundRecord, RawPart, inbound, unparsed
from gateway.keeping import Keeper
from gateway.metrics import GatewayMetrics
from gateway.problems import Answer, accepted, ignored, no_endpoint, not_post, plain, problem, thanks, unavailable
from gateway.signatures import Signed
from gateway.sources.seam import Hook, Misdirected, NotALead, Refused, SourceError, Unreadable
from gateway.tenants import EndpointMap, Entry, key_digest
from gateway.traces import Traces

UNKNOWN = "unknown"


class Intake:
    """Takes webhooks in."""

    def __init__(
        self,
        *,
        endpoints: EndpointMap,
        authenticity: Authenticity,
        keeper: Keeper,
        metrics: GatewayMetrics,
        traces: Traces,
        now: Callable[[], datetime],
        log: FilteringBoundLogger,
        public_url: str = "",
    ) -> None:
        """`public_url` is what vendors call us by, up to the path: some sign it."""
        self._public_url = public_url.rstrip("/")
        self._endpoints = endpoints
        self._authenticity = authenticity
        self._keeper = keeper
        self._metrics = metrics
        self._traces = traces
        self._now = now
        self._log = log

    def find(self, source: str, key: str) -> Entry | Answer:
        """The endpoint, or the answer that there is none to be had."""
        if not self._endpoints.loaded:
            return self._refuse(None, unavailable("not_loaded", "The gateway is starting; send it again."))
        entry = self._endpoints.find(source, key)
        if entry is None and not self._endpoints.complete:
            return self._refuse(None, unavailable("not_loaded", "Not every tenant is loaded; send it again."))
        if entry is None:
            return self._refuse(None, no_endpoint())
        if entry.suspended:
            return self._refuse(entry, problem(403, "suspended", "This account is suspended."))
        return entry

    def tried(self, entry: Entry, query: Mapping[str, str]) -> Answer:
        """Answer a GET by which a vendor tries the endpoint's URL."""
        wanted = entry.source.trial(query) if entry.source.trial is not None else None
        if wanted is None:
            return self._refuse(entry, not_post())
        if not hmac.compare_digest(key_digest(wanted.token), entry.endpoint.key_sha256):
            return self._refuse(entry, problem(403, "token_wrong", "The token is not this endpoint's key."))
        return plain(wanted.text)

    async def take(
        self, entry: Entry, event: str | None, body: bytes, headers: Mapping[str, str], query: str, path: str = ""
    ) -> Answer:
        """Answer one POST to an endpoint; header names are lower-case, `path` begins with a slash."""
        received_at = self._now()
        url = f"{self._public_url}{path}?{query}" if query else f"{self._public_url}{path}"
        refusal = await self._authenticity.refusal(entry, Signed(body, headers, url), received_at)
        if refusal is not None:
            return self._refuse(entry, refusal)
        if entry.verifier is not None:
            body = entry.verifier.hidden(body)
        self._metrics.body_bytes.observe(len(body))
        with self._traces.webhook(
            headers.get("traceparent"),
            source=entry.source.name,
            tenant=entry.tenant_id,
            endpoint=entry.endpoint.id,
            received_at=received_at,
        ) as trace:
            answer = await self._accept(entry, event, body, headers, query, received_at, trace)
            self._traces.answered(answer.status, answer.reason)
            return answer

    async def _accept(
        self,
        entry: Entry,
        event: str | None,
        body: bytes,
        headers: Mapping[str, str],
        query: str,
        received_at: datetime,
        trace: str,
    ) -> Answer:
        """Answer an authentic POST; what is published lies below `trace`."""
        content_type = headers.get("content-type", "")
        raw = RawPart(body, content_type)
        hook = Hook(body, content_type, headers, query, event, entry.endpoint, received_at)
        try:
            records = self._read(entry, hook, raw, trace)
        except Unreadable as error:
            kind = event if event is not None and event in entry.source.kinds else UNKNOWN
            records = [unparsed(entry, error.reason, kind, raw, received_at, trace)]
            self._metrics.unparsed.labels(entry.source.name, error.reason).inc()
            self._note(entry, "kept unparsed", error.reason)
        except NotALead as error:
            self._metrics.ignored.labels(entry.source.name, error.reason).inc()
            return ignored(error.reason)
        except Misdirected as error:
            detail = "The body belongs to another company than this endpoint."
            return self._refuse(entry, problem(403, error.reason, detail))
        except Refused as error:
            return self._refuse(entry, problem(error.status, error.reason, error.detail))
        return await self._keep(entry, records, headers)

    def _read(self, entry: Entry, hook: Hook, raw: RawPart, trace: str) -> Sequence[InboundRecord]:
        """The source's own reading, made into records; a fault of ours in it must not cost a lead."""
        try:
            records = [inbound(entry, event, raw, hook.received_at, trace) for event in entry.source.normalize(hook)]
        except SourceError:
            raise
        except Exception as error:
            at = traceback.extract_tb(error.__traceback__)[-1]
            self._log.error(
                "normalizer failed",
                source=entry.source.name,
                endpoint=entry.endpoint.id,
                error=type(error).__name__,
                at=f"{at.name}:{at.lineno}",
            )
            raise Unreadable("normalizer_failed") from error
        if not records:
            raise Unreadable("no_events")
        return records

    async def _keep(self, entry: Entry, records: Sequence[InboundRecord], headers: Mapping[str, str]) -> Answer:
        try:
            await self._keeper.keep(records)
        except NotPublished:
            return self._refuse(entry, unavailable("not_published", "The event could not be kept; send it again."))
        except RecordTooLarge:
            return self._refuse(entry, problem(413, "record_too_large", "The body is larger than can be kept."))
        self._metrics.accepted.labels(entry.source.name).inc(len(records))
        note(request_id=records[0].request_id, event_id=records[0].event_id, events=len(records))
        if entry.source.public and "text/html" in headers.get("accept", ""):
            return thanks(entry.endpoint.redirect_to)
        return accepted(list(dict.fromkeys(record.request_id for record in records)))

    def _refuse(self, entry: Entry | None, answer: Answer) -> Answer:
        self._metrics.refused.labels(entry.source.name if entry else UNKNOWN, answer.reason).inc()
        if entry is not None:
            self._note(entry, "refused", answer.reason)
        return answer

    def _note(self, entry: Entry, what: str, reason: str) -> None:
        self._log.info(what, tenant=entry.tenant_id, endpoint=entry.endpoint.id, reason=reason)
