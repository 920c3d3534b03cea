"""A normalized event made into the `Inbound` record that goes on the bus.

The document is written as plain JSON in the shape of schemas.documents.Inbound instead of through the model, because
this is the hot path; tests read every document back through the model. Promise: the record fits its topic. The body
goes along as UTF-8 text, or as base64 where it is none or would take less room; what is then still too much is cut
from the lead, flagged in `lead.extra`, while the raw body keeps all of it.
"""

import base64
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from connectors.reading.lead import finish, look_up
from connectors.reading.text import CUT, clean, text_of
from gateway.sources.seam import Normalized
from gateway.tenants import Entry
from schemas import codec, identity
from schemas.documents import Inbound
from schemas.headers import document_headers
from schemas.topics import INBOUND_MESSAGES, LARGEST_RECORD

LARGEST_VALUE = LARGEST_RECORD - 4096
"""Bytes of the document; the rest is for key, headers and the batch's own framing."""
_SHORT_MESSAGE = 2_000


@dataclass(frozen=True, slots=True)
class InboundRecord:
    """What is published for one event."""

    topic: str
    request_id: str
    event_id: str
    value: bytes
    headers: list[tuple[str, bytes]]


class RawPart:
    """The `raw` section of one POST, shared by its events."""

    def __init__(self, body: bytes, content_type: str) -> None:
        self._body = body
        self.sha256 = codec.sha256(body)
        self._head = {"content_type": clean(content_type, 200), "sha256": self.sha256, "size": len(body)}

    def text(self) -> dict[str, Any]:
        """With the body as text, where it is UTF-8."""
        try:
            return {**self._head, "encoding": "utf-8", "body": self._body.decode()}
        except UnicodeDecodeError:
            return self.base64()

    def base64(self) -> dict[str, Any]:
        """With the body as base64: 4/3 of its size, whatever is in it."""
        return {**self._head, "encoding": "base64", "body": base64.b64encode(self._body).decode()}


def inbound(entry: Entry, event: Normalized, raw: RawPart, received_at: datetime, traceparent: str) -> InboundRecord:
    """The record of one event of an authentic POST."""
    tenant, endpoint, source = entry.tenant_id, entry.endpoint, entry.source.name
    request_id = identity.request_id(tenant, source, event.vendor_thing)
    event_id = identity.event_id(tenant, source, event.vendor_event)
    office = endpoint.office
    if endpoint.office_by is not None:
        named = text_of(look_up(event.fields, endpoint.office_by.path), 256)
        office = endpoint.office_by.offices.get(named or "", office)
    lead = finish(event.lead, event.fields, event.taken, endpoint, entry.region(office))
    contact_id = identity.contact_id(tenant, phone_e164=lead.get("phone"), email=lead.get("email"), request=request_id)
    test = endpoint.test or event.test
    envelope = {
        "tenant_id": tenant,
        "office_id": office,
        "endpoint_id": endpoint.id,
        "source": source,
        "event_kind": event.event_kind,
        "mode": event.mode,
        "event_id": event_id,
        "request_id": request_id,
        "contact_id": contact_id,
        "replaces": identity.request_id(tenant, source, event.replaces) if event.replaces else None,
        "revision": {
            "sequence": event.sequence,
            "rank": event.rank,
            "received_at": received_at,
            "event_id": event_id,
        },
        "interim": event.interim,
        "received_at": received_at,
        "occurred_at": event.occurred_at,
        "test": test,
    }
    headers = document_headers(
        tenant=tenant,
        request_id=request_id,
        event_id=event_id,
        schema=Inbound.schema_name,
        version=Inbound.schema_version,
        test=test,
        traceparent=traceparent,
    )
    return InboundRecord(event.topic, request_id, event_id, _fitted(envelope, lead, raw), headers)


def unparsed(
    entry: Entry, reason: str, kind: str, raw: RawPart, received_at: datetime, traceparent: str
) -> InboundRecord:
    """The record of an authentic body that could not be read: known by its hash, ends parked with the reason."""
    thing = f"unparsed:{raw.sha256}"
    event = Normalized(
        event_kind=kind,
        vendor_event=f"{kind}:{thing}",
        vendor_thing=thing,
        mode=entry.source.mode,
        lead={},
        topic=INBOUND_MESSAGES,
    )
    record = inbound(entry, event, raw, received_at, traceparent)
    document = codec.loads(record.value)
    document["unparsed"] = {"reason": reason}
    return InboundRecord(record.topic, record.request_id, record.event_id, codec.dumps(document), record.headers)


def _fitted(envelope: dict[str, Any], lead: dict[str, Any], raw: RawPart) -> bytes:
    value = codec.dumps({"envelope": envelope, "lead": lead, "raw": raw.text()})
    if len(value) <= LARGEST_VALUE:
        return value
    body = raw.base64()
    value = codec.dumps({"envelope": envelope, "lead": lead, "raw": body})
    if len(value) <= LARGEST_VALUE:
        return value
    lead = {**lead, "extra": {CUT: True}}
    if "chat" in lead:
        lead["chat"] = {**lead["chat"], "messages": []}
    if "message" in lead:
        lead["message"] = lead["message"][:_SHORT_MESSAGE]
    return codec.dumps({"envelope": envelope, "lead": lead, "raw": body})
