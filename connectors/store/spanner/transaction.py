"""What a piece of work sees of an open Spanner transaction: tables of the catalogue, under one tenant's keys.

Writes are buffered and take effect at the commit, in their order; a transaction does not read its own writes.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from connectors.store.columns import Row
from connectors.store.spanner.catalogue import Housekeeping, Query, Table
from connectors.store.spanner.client import KeyRange, KeySet
from connectors.store.spanner.codec import decode, encode, parameters


class Reading:
    """Reads of a snapshot or a transaction; every key begins with the tenant."""

    def __init__(self, source: Any, tenant_id: str | None) -> None:
        self._source = source
        self._tenant_id = encode("tenant_id", tenant_id)

    async def get(self, table: Table, *key: Any) -> Row | None:
        """The row under the rest of its key, or None."""
        found = await self._read(table, KeySet(keys=[self._key(table, key)]))
        return found[0] if found else None

    async def get_all(self, table: Table, keys: Sequence[tuple[Any, ...]]) -> Sequence[Row]:
        """The rows that are there, in the order of the key."""
        return await self._read(table, KeySet(keys=[self._key(table, key) for key in keys])) if keys else []

    async def query(self, query: Query, **values: Any) -> Sequence[Row]:
        """All rows of a statement."""
        params, types = parameters(query, {"tenant_id": self._tenant_id, **values})
        result = await self._source.execute_sql(query.sql, params or None, types or None, lazy_decode=True)
        return await _rows(result)

    async def get_rows(self, table: Table, keys: Sequence[tuple[Any, ...]], *, whole: bool = True) -> Sequence[Row]:
        """Rows of several tenants with their keys, which are given with the tenant; or all rows whose keys begin so."""
        encoded = [[encode(name, value) for name, value in zip(table.key, key, strict=whole)] for key in keys]
        if not encoded:
            return []
        ranges = [] if whole else [KeyRange(start_closed=key, end_closed=key) for key in encoded]
        wanted = KeySet(keys=encoded) if whole else KeySet(ranges=ranges)
        columns = tuple(dict.fromkeys((*table.key, *table.columns)))
        result = await self._source.read(table.name, columns, wanted, index=table.index, lazy_decode=True)
        return await _rows(result)

    async def now(self) -> datetime:
        """The store's time."""
        [row] = await self.query(Housekeeping.CLOCK)
        now: datetime = row["now"]
        return now

    async def _read(self, table: Table, keys: Any) -> Sequence[Row]:
        result = await self._source.read(table.name, table.columns, keys, index=table.index, lazy_decode=True)
        return await _rows(result)

    def _key(self, table: Table, rest: Sequence[Any]) -> list[Any]:
        """The tenant and the rest of a key, each value checked as its column's."""
        if table.key[0] != "tenant_id":
            return [encode(name, value) for name, value in zip(table.key, rest, strict=False)]
        return [self._tenant_id, *(encode(name, value) for name, value in zip(table.key[1:], rest, strict=False))]


class Transaction(Reading):
    """Reads that lock, and writes."""

    def of(self, tenant_id: str) -> "Transaction":
        """The same transaction on behalf of a tenant."""
        return Transaction(self._source, tenant_id)

    def insert(self, table: Table, row: Row) -> None:
        """A new row; `Conflict` at the commit when its key is taken."""
        self._source.insert(table.name, *self._written(table, row))

    def update(self, table: Table, row: Row) -> None:
        """The named columns of a row that is there."""
        self._source.update(table.name, *self._written(table, row))

    def put(self, table: Table, row: Row) -> None:
        """A row, new or not, with all columns that must not be null."""
        self._source.insert_or_update(table.name, *self._written(table, row))

    def delete(self, table: Table, *key: Any) -> None:
        """A row, if it is there."""
        self._source.delete(table.name, KeySet(keys=[self._key(table, key)]))

    def _written(self, table: Table, row: Row) -> tuple[list[str], list[list[Any]]]:
        values = {name: encode(name, value) for name, value in row.items()}
        if table.key[0] == "tenant_id":
            values["tenant_id"] = self._tenant_id
        return list(values), [list(values.values())]


async def _rows(result: Any) -> Sequence[Row]:
    cells = [row async for row in result]
    if not cells:
        return []
    names = [field.name for field in result.fields]
    return [decode(names, row) for row in cells]
