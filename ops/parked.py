"""What waits, for an operator: choosing rows, and releasing or ending them with an answer.

Rows are released oldest first, tenant by tenant, in batches: whatever stops in the middle has released whole rows, and
the same command goes on where it stopped. Before each batch the topic `audit` is told who wants what.

Fails with what the store (`StoreError`) and the broker (`BusError`, `OSError`) raise, and with `CannotRelease`.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from connectors.store.seam import FullStore, Parked, Scope
from consumers.releasing import Releaser, why_not
from consumers.runtime.client import Departure
from schemas import codec
from schemas.audit import AuditEntry
from schemas.headers import PARKED_FIRST_AT, PARKED_TIMES, RecordHeaders, Release, audit_headers
from schemas.topics import AUDIT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from consumers.releasing import Publish

BATCH = 50
RELEASE = "parked.release"
CLIENT_ID = "leadbus.ops"
TIMEOUT_MS = 10_000


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rows; None is all."""

    tenant: str | None = None
    stage: str | None = None
    reason: str | None = None
    connector: str | None = None
    park_id: str | None = None

    def __bool__(self) -> bool:
        return any((self.tenant, self.stage, self.reason, self.connector, self.park_id))

    def matches(self, row: Parked) -> bool:
        """Whether a row of the tenant is wanted."""
        pairs = (
            (self.stage, row.stage),
            (self.reason, row.reason),
            (self.connector, row.connector_id),
            (self.park_id, row.park_id),
        )
        return all(wanted in (None, found) for wanted, found in pairs)


@dataclass(frozen=True, slots=True)
class Found:
    """A row and whose it is."""

    tenant: str
    row: Parked

    def as_json(self) -> dict[str, Any]:
        """Everything but the record, which is a lead's."""
        row, kept = self.row, RecordHeaders.read(self.row.headers)
        return {
            "tenant": self.tenant,
            "park_id": row.park_id,
            "stage": row.stage,
            "reason": row.reason,
            "detail": row.detail,
            "connector": row.connector_id,
            "request_id": row.request_id,
            "event_id": row.event_id,
            "topic": row.topic,
            "parked_at": row.parked_at,
            "parked_before": int(kept.get(PARKED_TIMES) or 0),
            "parked_first_at": kept.get(PARKED_FIRST_AT) or row.parked_at,
            "due": row.due,
            "released_at": row.released_at,
        }


async def find(store: FullStore, wanted: Wanted, *, released: bool = False) -> list[Found]:
    """The rows that wait (or were `released`), oldest first within their tenant; also of tenants nobody knows."""
    if wanted.tenant is not None:
        tenants = [wanted.tenant]
    elif released:
        tenants = [row.tenant_id for row in await store.list_tenants()]
    else:
        tenants = sorted({group.tenant_id for group in await store.parked_groups()})
    return [
        Found(tenant, row)
        for tenant in tenants
        for row in await store.list_parked(Scope(tenant), released=released)
        if wanted.matches(row)
    ]


def sorted_out(found: Sequence[Found], answer: Release) -> tuple[list[Found], dict[str, str]]:
    """What can be released with this answer; and by park id, why the rest cannot."""
    refused = {one.row.park_id: why for one in found if (why := why_not(one.row, answer)) is not None}
    return [one for one in found if one.row.park_id not in refused], refused


def kinds(found: Sequence[Found]) -> Counter[tuple[str, str, str]]:
    """How many of each tenant, stage and reason."""
    return Counter((one.tenant, one.row.stage, one.row.reason) for one in found)


async def release(
    releaser: Releaser, found: Sequence[Found], answer: Release, by: str, progress: Callable[[int], None]
) -> int:
    """Release all of them; `progress` is told after each batch how many rows that were. How many it was in all."""
    done = 0
    for tenant, rows in _batches(found):
        await releaser.publish([audited(tenant, rows, answer, by, releaser.clock.now())])
        await releaser.release(Scope(tenant), rows, answer, by)
        done += len(rows)
        progress(len(rows))
    return done


def audited(tenant: str, rows: Sequence[Parked], answer: Release, by: str, at: datetime) -> Departure:
    """What the topic `audit` is told before these rows of a tenant are released."""
    subjects = tuple(row.park_id for row in rows)
    entry = AuditEntry(tenant_id=tenant, what=RELEASE, by=by, at=at, answer=answer.value, subjects=subjects)
    headers = tuple(audit_headers(tenant=tenant, schema=entry.schema_name, version=entry.schema_version))
    return Departure(AUDIT, tenant.encode(), codec.dumps(entry.model_dump(mode="json")), headers)


def _batches(found: Sequence[Found]) -> Iterator[tuple[str, list[Parked]]]:
    for tenant in dict.fromkeys(one.tenant for one in found):
        rows = [one.row for one in found if one.tenant == tenant]
        for start in range(0, len(rows), BATCH):
            yield tenant, rows[start : start + BATCH]


@asynccontextmanager
async def publishing(bootstrap: str, prefix: str) -> "AsyncIterator[Publish]":
    """A way to publish that raises when the broker does not take it; connects when it is first needed."""
    import asyncio

    from consumers.runtime.kafka_client import KafkaPublisher

    publisher = KafkaPublisher(bootstrap, prefix=prefix, client_id=CLIENT_ID, timeout_ms=TIMEOUT_MS)

    async def publish(departures: "Sequence[Any]") -> None:
        await asyncio.gather(*map(publisher.publish, departures))

    try:
        yield publish
    finally:
        await publisher.stop()
