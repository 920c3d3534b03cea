"""What a piece of work sees of an open SQLite transaction: statements of the catalogue, bound to one tenant."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from connectors.store.columns import Row, StoreTime
from connectors.store.sqlite.catalogue import Housekeeping
from connectors.store.sqlite.codec import decode, encode


class Transaction:
    """Runs statements; `tenant_id` is bound in all of them and cannot be overridden by values."""

    def __init__(self, connection: sqlite3.Connection, tenant_id: str | None) -> None:
        self._connection = connection
        self._tenant_id = encode("tenant_id", tenant_id)
        self._now: int | None = None

    def one(self, sql: str, values: Mapping[str, Any] | None = None) -> Row | None:
        """The only row, or None."""
        row = self._connection.execute(sql, self._bound(values)).fetchone()
        return None if row is None else decode(row)

    def all(self, sql: str, values: Mapping[str, Any] | None = None) -> Sequence[Row]:
        """All rows."""
        return [decode(row) for row in self._connection.execute(sql, self._bound(values)).fetchall()]

    def raw(self, sql: str, size: int) -> Iterator[Sequence[tuple[Any, ...]]]:
        """All rows as SQLite keeps them, `size` at a time: for what is too much to decode or to hold."""
        cursor = self._connection.execute(sql, self._bound(None))
        while chunk := cursor.fetchmany(size):
            yield [tuple(row) for row in chunk]

    def run(self, sql: str, values: Mapping[str, Any] | None = None) -> int:
        """How many rows were written."""
        return self._connection.execute(sql, self._bound(values)).rowcount

    def _bound(self, values: Mapping[str, Any] | None) -> dict[str, Any]:
        bound = {name: self._encoded(name, value) for name, value in (values or {}).items()}
        bound["tenant_id"] = self._tenant_id
        return bound

    def _encoded(self, name: str, value: Any) -> Any:
        if value is not StoreTime.NOW:
            return value if name == "limit" else encode(name, value)
        if self._now is None:
            self._now = int(self._connection.execute(Housekeeping.CLOCK).fetchone()[0])
        return self._now
