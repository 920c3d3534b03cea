"""Values as SQLite keeps them: times in microseconds, truth as 0 and 1, JSON and lists as text, vectors as bytes."""

import sqlite3
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import numpy as np

from connectors.store.columns import Kind, Row, kind_of, normal
from schemas import codec

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)


def encode(column: str, value: Any) -> Any:
    """What is bound for a value; `Invalid` when it can never be stored."""
    plain = normal(column, value)
    if plain is None:
        return None
    match kind_of(column):
        case Kind.TIME:
            return (plain - EPOCH) // MICROSECOND
        case Kind.BOOL:
            return int(plain)
        case Kind.TEXTS:
            return codec.canonical(plain).decode()
        case Kind.VECTOR:
            return plain.astype("<f4").tobytes()
        case _:
            return plain


def decode(row: sqlite3.Row) -> Row:
    """A fetched row as the value types have it."""
    return {column: _decoded(column, row[column]) for column in row.keys()}  # noqa: SIM118 - iterating gives values


def _decoded(column: str, raw: Any) -> Any:
    if raw is None:
        return None
    match kind_of(column):
        case Kind.TIME:
            return EPOCH + raw * MICROSECOND
        case Kind.BOOL:
            return bool(raw)
        case Kind.JSON:
            return codec.loads(raw)
        case Kind.TEXTS:
            return tuple(codec.loads(raw))
        case Kind.VECTOR:
            return tuple(np.frombuffer(raw, dtype="<f4").tolist())
        case _:
            return raw
