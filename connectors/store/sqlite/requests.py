"""Requests, arrivals and similarity on SQLite."""

import heapq
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

import numpy as np

from connectors.store import columns, merging, rows
from connectors.store.columns import StoreTime
from connectors.store.seam import Arrival, Invalid, NotFound, RequestRow, Scope, Similar, StoreError
from connectors.store.sqlite.catalogue import Scoped
from connectors.store.sqlite.engine import Engine
from connectors.store.sqlite.transaction import Transaction

SCAN_CHUNK: Final = 2048
"""Vectors compared at once: 12 MiB as float64."""


class Requests:
    """The part of the store about requests and their events."""

    _engine: Engine

    async def record_arrival(self, scope: Scope, arrival: Arrival) -> bool:
        """See the seam. The first place stays the first, however often it is told again."""
        return await self._engine.write(scope.tenant_id, partial(_arrive, arrival))

    async def record_arrivals(self, arrivals: Sequence[tuple[Scope, Arrival]]) -> Sequence[bool | StoreError]:
        """See the seam."""
        return await self._engine.write_each([(scope.tenant_id, partial(_arrive, each)) for scope, each in arrivals])

    async def merge_request(self, scope: Scope, row: RequestRow) -> None:
        """See the seam."""
        await self._engine.write(scope.tenant_id, partial(_merge, row))

    async def merge_requests(self, requests: Sequence[tuple[Scope, RequestRow]]) -> Sequence[StoreError | None]:
        """See the seam."""
        return await self._engine.write_each([(scope.tenant_id, partial(_merge, row)) for scope, row in requests])

    async def get_request(self, scope: Scope, request_id: str) -> RequestRow:
        """See the seam."""
        return await self._engine.read(scope.tenant_id, lambda tx: rows.request(_get(tx, request_id)))

    async def list_requests(self, scope: Scope, *, limit: int = 50, before: str | None = None) -> Sequence[RequestRow]:
        """See the seam; `NotFound` when `before` is not a request of this scope."""
        if limit < 1:
            raise Invalid("limit must be at least 1")

        def work(tx: Transaction) -> Sequence[RequestRow]:
            values: dict[str, Any] = {"limit": limit}
            sql = Scoped.LIST_REQUESTS
            if before is not None:
                received_at = _get(tx, before)["received_at"]
                values |= {"request_id": before, "received_at": received_at}
                sql = Scoped.LIST_REQUESTS_BEFORE if received_at else Scoped.LIST_REQUESTS_BEFORE_TIMELESS
            return [rows.request(row) for row in tx.all(sql, values)]

        return await self._engine.read(scope.tenant_id, work)

    async def similar_requests(self, scope: Scope, vector: Sequence[float], k: int = 10) -> Sequence[Similar]:
        """See the seam; equally near ones by id."""
        wanted = columns.vector("vector", vector).astype(np.float64)
        if k < 1:
            raise Invalid("k must be at least 1")

        def work(tx: Transaction) -> Sequence[Similar]:
            nearest: list[tuple[float, str]] = []
            for chunk in tx.raw(Scoped.VECTORS, SCAN_CHUNK):
                packed = b"".join(blob for _, blob in chunk)
                matrix = np.frombuffer(packed, dtype="<f4").reshape(len(chunk), -1).astype(np.float64)
                distances = 1.0 - (matrix @ wanted) / (np.linalg.norm(matrix, axis=1) * np.linalg.norm(wanted))
                found = zip(distances.tolist(), (request_id for request_id, _ in chunk), strict=True)
                nearest = heapq.nsmallest(k, [*nearest, *found])
            return [Similar(request_id=request_id, distance=distance) for distance, request_id in nearest]

        return await self._engine.read(scope.tenant_id, work)


def _arrive(arrival: Arrival, tx: Transaction) -> bool:
    values = rows.arrival_values(arrival)
    before = tx.all(Scoped.ARRIVALS_OF_EVENT, {"event_id": arrival.event_id})
    place = {name: values[name] for name in ("topic", "kafka_partition", "kafka_offset")}
    for row in before:
        if place.items() <= row.items():
            return bool(row["is_first"])
    tx.run(Scoped.ADD_ARRIVAL, {**values, "is_first": not before})
    return not before


def _merge(row: RequestRow, tx: Transaction) -> None:
    known = rows.known(tx.one(Scoped.LOCATE_REQUEST, {"request_id": row.request_id}))
    growth = merging.grow(known, row)
    if growth is None:
        return
    unsaid = dict.fromkeys(merging.FACTS)
    before = {"office_id": known.office_id if known else merging.NO_OFFICE}
    values = {**unsaid, **before, **rows.growth_values(row.request_id, growth)}
    if known is None and values["office_id"] == merging.NO_OFFICE:
        tx.run(Scoped.MAKE_NO_OFFICE, {**rows.no_office(), "created_at": StoreTime.NOW})
    tx.run(Scoped.GROW_REQUEST, {**values, "created_at": StoreTime.NOW})


def _get(tx: Transaction, request_id: str) -> Mapping[str, Any]:
    row = tx.one(Scoped.GET_REQUEST, {"request_id": request_id})
    if row is None:
        raise NotFound("there is no such request")
    return row
