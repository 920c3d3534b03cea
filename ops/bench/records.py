"""What is measured on: records of 500 bytes as leadbus' own topics carry them, written once for all contestants.

The value is the JSON of a document with a whole envelope (identity, ownership, revision) and a text that fills it up to
500 bytes; the headers are the ones every document carries, about 250 bytes more. Keys are request ids.
"""

from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

from ops.stack.errors import PartFailed
from schemas import codec, identity
from schemas.documents import Document
from schemas.headers import document_headers

VALUE_BYTES = 500
RECEIVED_AT = "2026-03-02T16:14:22Z"
FLUSH_SECONDS = 120.0

Row = tuple[bytes, bytes, list[tuple[str, bytes]]]
"""Key, value, headers."""


class Measured(Document):
    """The measured document."""

    schema_name: ClassVar[str] = "measured"

    filling: str = ""


def row(number: int, *, tenant: str = "acme-roofing", key: str | None = None, size: int = VALUE_BYTES) -> Row:
    """The record of that number; equal numbers give equal records. `key` stands in for the request id as key."""
    request = identity.request_id(tenant, "form", str(number))
    event = identity.event_id(tenant, "form", str(number))
    document: dict[str, Any] = {
        "envelope": {
            "tenant_id": tenant,
            "endpoint_id": "form",
            "source": "form",
            "event_kind": "form_submission",
            "mode": "form",
            "event_id": event,
            "request_id": request,
            "contact_id": identity.contact_id(tenant, phone_e164=None, email=None, request=request),
            "revision": {"received_at": RECEIVED_AT, "event_id": event},
            "received_at": RECEIVED_AT,
        },
        "filling": "",
    }
    document["filling"] = "x" * max(0, size - len(codec.dumps(document)))
    headers = document_headers(
        tenant=tenant,
        request_id=request,
        event_id=event,
        schema=Measured.schema_name,
        version=Measured.schema_version,
        traceparent=f"00-{number:032x}-{number:016x}-01",
    )
    return (key or request).encode(), codec.dumps(document), headers


def rows(count: int) -> Iterator[Row]:
    """`count` records with a key of their own each."""
    return (row(number) for number in range(count))


def hot_key_rows(count: int, hot: int, key: str) -> Iterator[Row]:
    """`count` records of which `hot` share one key, evenly mixed; the hot ones are another tenant's."""
    for number in range(count):
        is_hot = (number + 1) * hot // count > number * hot // count
        yield row(number, tenant="flooding" if is_hot else "acme-roofing", key=key if is_hot else None)


def fill(bootstrap: str, topic: str, records: Iterable[Row]) -> int:
    """Publish them all; how many. Raises PartFailed when the broker did not take every one."""
    from confluent_kafka import Producer

    failed: list[str] = []
    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "enable.idempotence": True,
            "linger.ms": 20,
            "batch.size": 500_000,
            "queue.buffering.max.messages": 1_000_000,
            "log_level": 0,
        }
    )

    def told(error: Any, _: Any) -> None:
        if error is not None:
            failed.append(str(error))

    count = 0
    for key, value, headers in records:
        producer.produce(topic, value=value, key=key, headers=list(headers), on_delivery=told)
        count += 1
        if count % 1_000 == 0:
            producer.poll(0)
    left = producer.flush(FLUSH_SECONDS)
    if left or failed:
        raise PartFailed(f"{left + len(failed)} of {count} records did not get to {topic}: {(failed or ['slow'])[0]}")
    return count
