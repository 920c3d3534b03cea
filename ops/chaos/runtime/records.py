"""The records of a fault run: what a handler shall do, as a document with its headers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ops.chaos.runtime.worker import DOCUMENTS
from schemas import codec
from schemas.documents import Inbound, RawBody
from schemas.envelope import Envelope, Revision
from schemas.headers import document_headers
from schemas.identity import derive
from schemas.lead import Lead, Mode

PARTITIONS = 4
KEYS = 60
TENANTS = ("ash", "birch", "cedar", "elm")
RECEIVED = datetime(2026, 3, 1, 12, tzinfo=UTC)

Headers = Sequence[tuple[str, bytes | None]]


@dataclass(frozen=True, slots=True)
class Order:
    """A record to produce: what its handler shall do, and where it goes."""

    number: int
    command: str = "ok"
    partition: int | None = None
    """None: by number."""
    key: str | None = None
    """None: one of its own."""
    publish: bool = False
    version: int = 1
    """Major version of the document."""
    more: Mapping[str, Mapping[str, Any]] | None = None
    """Section to fields, laid over the document as JSON."""

    @property
    def tenant(self) -> str:
        return TENANTS[self.number // PARTITIONS % len(TENANTS)]


def document_of(order: Order) -> dict[str, Any]:
    """The document of a record, as JSON."""
    event, request = event_of(order.number), derive("request", "chaos", order.key or order.number)
    document = Inbound(
        envelope=Envelope(
            tenant_id=order.tenant,
            endpoint_id="form",
            source="form",
            event_kind="form_submission",
            mode=Mode.FORM,
            event_id=event,
            request_id=request,
            contact_id=derive("contact", "chaos", order.number),
            revision=Revision(received_at=RECEIVED, event_id=event),
            received_at=RECEIVED,
        ),
        lead=Lead(message=order.command, extra={"number": order.number, "publish": order.publish}),
        raw=RawBody(content_type="application/json", sha256=codec.sha256(b""), size=0),
    )
    made: dict[str, Any] = document.model_dump(mode="json")
    for name, value in (order.more or {}).items():
        made[name] = {**made.get(name, {}), **value}
    return made


def headers_of(document: Mapping[str, Any], version: int = 1) -> list[tuple[str, bytes | None]]:
    """The headers that the gateway would give it."""
    envelope = document["envelope"]
    found = document_headers(
        tenant=envelope["tenant_id"],
        request_id=envelope["request_id"],
        event_id=envelope["event_id"],
        schema=Inbound.schema_name,
        version=DOCUMENTS[version].schema_version,
    )
    return list(found)


def event_of(number: int) -> str:
    """The event's identity."""
    return derive("event", "chaos", number)


def keyed(number: int) -> Order:
    """A record of one of the keys; a key stays in its partition."""
    key = number % KEYS
    return Order(number, "sleep 0.1", partition=key % PARTITIONS, key=f"key-{key}")
