"""Requests, arrivals and similarity on Spanner.

A request's office is part of its key, so that an office's requests lie together; the unique index `requests_by_id`
says where a request lies. A request that gets another office is deleted and written anew in one transaction.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from connectors.store import columns, merging, rows
from connectors.store.columns import Row, StoreTime
from connectors.store.merging import NO_OFFICE, Known
from connectors.store.seam import Arrival, Conflict, Invalid, NotFound, RequestRow, Scope, Similar, StoreError
from connectors.store.spanner.batches import Batch, Key, in_batches, only
from connectors.store.spanner.catalogue import Scoped, Tables
from connectors.store.spanner.codec import packed
from connectors.store.spanner.engine import Engine
from connectors.store.spanner.transaction import Reading, Transaction


class Requests:
    """The part of the store about requests and their events."""

    _engine: Engine

    async def record_arrival(self, scope: Scope, arrival: Arrival) -> bool:
        """See the seam. The first place stays the first, however often it is told again."""
        return only(await self.record_arrivals([(scope, arrival)]))

    async def record_arrivals(self, arrivals: Sequence[tuple[Scope, Arrival]]) -> Sequence[bool | StoreError]:
        """See the seam."""
        return await in_batches(arrivals, self._record_arrivals)

    async def _record_arrivals(self, arrivals: Sequence[tuple[Scope, Arrival]]) -> Sequence[bool]:
        async def work(tx: Transaction) -> Sequence[bool]:
            batch = Batch(tx)
            before = await batch.under(Tables.ARRIVALS, [(scope.tenant_id, each.event_id) for scope, each in arrivals])
            first = []
            for scope, arrival in arrivals:
                values = rows.arrival_values(arrival)
                place = {name: values[name] for name in ("topic", "kafka_partition", "kafka_offset")}
                known = before[scope.tenant_id, arrival.event_id]
                row = next((row for row in known if place.items() <= row.items()), None)
                if row is None:
                    row = {**values, "is_first": not known}
                    batch.of(scope.tenant_id).insert(Tables.ARRIVALS, row)
                    known.append(row)
                first.append(bool(row["is_first"]))
            return first

        return await self._engine.write(None, "record_arrivals", work)

    async def merge_request(self, scope: Scope, row: RequestRow) -> None:
        """See the seam."""
        only(await self.merge_requests([(scope, row)]))

    async def merge_requests(self, requests: Sequence[tuple[Scope, RequestRow]]) -> Sequence[StoreError | None]:
        """See the seam."""
        return await in_batches(requests, self._merge_requests)

    async def _merge_requests(self, requests: Sequence[tuple[Scope, RequestRow]]) -> Sequence[None]:
        async def work(tx: Transaction) -> None:
            batch = Batch(tx)
            keys = [(scope.tenant_id, row.request_id) for scope, row in requests]
            stored = await batch.find(Tables.REQUESTS_BY_ID, keys)
            grown: dict[Key, Grown] = {}
            passed: set[Key] = set()
            for key, (_, row) in zip(keys, requests, strict=True):
                before = grown.get(key) or Grown(rows.known(stored.get(key)), {})
                if (growth := merging.grow(before.known, row)) is not None:
                    values = {**before.values, **rows.growth_values(row.request_id, growth)}
                    passed.update(_passed(key, before.values, values))
                    grown[key] = Grown(merging.known_after(before.known, growth), values)
            if passed - set(await batch.find(Tables.OFFICES, passed)):
                raise NotFound("the tenant has no such office, or there is no such tenant")
            await _write(batch, stored, grown)

        await self._engine.write(None, "merge_requests", work)
        return [None] * len(requests)

    async def get_request(self, scope: Scope, request_id: str) -> RequestRow:
        """See the seam."""
        return rows.request(await self._get(scope, request_id))

    async def list_requests(self, scope: Scope, *, limit: int = 50, before: str | None = None) -> Sequence[RequestRow]:
        """See the seam; `NotFound` when `before` is not a request of this scope."""
        if limit < 1:
            raise Invalid("limit must be at least 1")
        if before is None:
            query, values = Scoped.LIST_REQUESTS, {}
        else:
            received_at = (await self._get(scope, before))["received_at"]
            query = Scoped.LIST_REQUESTS_BEFORE if received_at else Scoped.LIST_REQUESTS_BEFORE_TIMELESS
            values = {"request_id": before, **({"received_at": received_at} if received_at else {})}
        found = await self._engine.read(scope.tenant_id, lambda tx: tx.query(query, limit=limit, **values))
        return [rows.request(row) for row in found]

    async def similar_requests(self, scope: Scope, vector: Sequence[float], k: int = 10) -> Sequence[Similar]:
        """See the seam; equally near ones by id."""
        wanted = packed(columns.vector("vector", vector))
        if k < 1:
            raise Invalid("k must be at least 1")
        found = await self._engine.read(
            scope.tenant_id, lambda tx: tx.query(Scoped.SIMILAR_REQUESTS, vector=wanted, limit=k)
        )
        return [rows.similar(row) for row in found]

    async def _get(self, scope: Scope, request_id: str) -> Row:
        while True:
            place = await self._engine.read(scope.tenant_id, lambda tx: tx.get(Tables.REQUESTS_BY_ID, request_id))
            if place is None:
                raise NotFound("there is no such request")
            key = (place["office_id"], request_id)
            row = await self._engine.read(scope.tenant_id, partial(_request_at, key))
            if row is not None:  # else it moved between the two reads
                return row


async def _request_at(key: tuple[str, str], tx: Reading) -> Row | None:
    return await tx.get(Tables.REQUESTS, *key)


@dataclass(frozen=True, slots=True)
class Grown:
    """A request as a transaction leaves it: its history, and the columns that change."""

    known: Known | None
    values: Row


def _passed(key: Key, before: Row, after: Row) -> set[Key]:
    """The office that a request leaves within a transaction. What is written over must be storable all the same:
    `Invalid` when it is not."""
    for name, value in before.items():
        if value is not StoreTime.NOW and after[name] is not value:
            columns.normal(name, value)
    left = before.get("office_id")
    return set() if left in (None, after.get("office_id")) else {(key[0], left)}


async def _write(batch: Batch, stored: Mapping[Key, Row], grown: Mapping[Key, Grown]) -> None:
    offices = {key: each.values.get("office_id", _office_of(stored.get(key))) for key, each in grown.items()}
    homeless = {(key[0], NO_OFFICE) for key, office in offices.items() if office == NO_OFFICE and key not in stored}
    for tenant_id, _ in homeless - set(await batch.find(Tables.OFFICES, homeless)):
        made = {**rows.no_office(), "created_at": StoreTime.NOW, "updated_at": StoreTime.NOW}
        batch.of(tenant_id).insert(Tables.OFFICES, made)
    left = {
        key: (key[0], _office_of(row), key[1])
        for key, row in stored.items()
        if key in offices and offices[key] != _office_of(row)
    }
    moving = await batch.find(Tables.REQUESTS, left.values())
    for key, each in grown.items():
        tx, values = batch.of(key[0]), {**each.values, "office_id": offices[key]}
        if key not in stored:
            tx.insert(Tables.REQUESTS, {**values, "created_at": StoreTime.NOW})
        elif key not in left:
            tx.update(Tables.REQUESTS, values)
        elif (whole := moving.get(left[key])) is None:
            raise Conflict("the request moved to another office meanwhile")
        else:
            tx.delete(Tables.REQUESTS, *left[key][1:])
            tx.insert(Tables.REQUESTS, {**whole, **values})


def _office_of(stored: Row | None) -> str:
    return NO_OFFICE if stored is None else str(stored["office_id"])
