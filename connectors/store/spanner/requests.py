"""Requests, arrivals and similarity on Spanner.

A request's office is part of its key, so that an office's requests lie together; the unique index `requests_by_id`
says where a request lies. A request that gets another office is deleted and written anew in one transaction.
"""

from collections.abc import Sequence
from functools import partial

from connectors.store import columns, merging, rows
from connectors.store.columns import Row, StoreTime
from connectors.store.seam import Arrival, Conflict, Invalid, NotFound, RequestRow, Scope, Similar
from connectors.store.spanner.catalogue import Scoped, Tables
from connectors.store.spanner.codec import packed
from connectors.store.spanner.engine import Engine
from connectors.store.spanner.transaction import Reading, Transaction


class Requests:
    """The part of the store about requests and their events."""

    _engine: Engine

    async def record_arrival(self, scope: Scope, arrival: Arrival) -> bool:
        """See the seam. The first place stays the first, however often it is told again."""
        values = rows.arrival_values(arrival)

        async def work(tx: Transaction) -> bool:
            before = await tx.under(Tables.ARRIVALS, arrival.event_id)
            place = {name: values[name] for name in ("topic", "kafka_partition", "kafka_offset")}
            for row in before:
                if place.items() <= row.items():
                    return bool(row["is_first"])
            tx.insert(Tables.ARRIVALS, {**values, "is_first": not before})
            return not before

        return await self._engine.write(scope.tenant_id, "record_arrival", work)

    async def merge_request(self, scope: Scope, row: RequestRow) -> None:
        """See the seam."""

        async def work(tx: Transaction) -> None:
            stored = await tx.get(Tables.REQUESTS_BY_ID, row.request_id)
            growth = merging.grow(rows.known(stored), row)
            if growth is None:
                return
            values = rows.growth_values(row.request_id, growth)
            if stored is None:
                await _insert(tx, values)
                return
            office = stored["office_id"]
            if values.get("office_id", office) == office:
                tx.update(Tables.REQUESTS, {**values, "office_id": office})
                return
            moving = await tx.get(Tables.REQUESTS, office, row.request_id)
            if moving is None:
                raise Conflict("the request moved to another office meanwhile")
            tx.delete(Tables.REQUESTS, office, row.request_id)
            tx.insert(Tables.REQUESTS, {**moving, **values})

        await self._engine.write(scope.tenant_id, "merge_request", work)

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


async def _insert(tx: Transaction, values: Row) -> None:
    office = values.get("office_id", merging.NO_OFFICE)
    if office == merging.NO_OFFICE and await tx.get(Tables.OFFICES, office) is None:
        tx.insert(Tables.OFFICES, {**rows.no_office(), "created_at": StoreTime.NOW, "updated_at": StoreTime.NOW})
    tx.insert(Tables.REQUESTS, {**values, "office_id": office, "created_at": StoreTime.NOW})
