"""What may stand in a column: one table of kinds and lengths for every implementation, so that they refuse alike.

A column's name means the same thing in every table. `normal` turns a value into its one form (times in UTC, JSON as
canonical text, vectors as float32) or raises `Invalid`, naming the column and never the value, which may be personal.
The databases' own constraints stand behind it as a second wall.
"""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from enum import Enum
from typing import Any, Final

import numpy as np

from connectors.store.seam import Invalid
from schemas import codec

VECTOR_LENGTH: Final = 768
"""Dimensions of every stored vector. It is part of the schema: another length is a migration."""

LONGEST_TEXT: Final = 2_621_440
"""Characters; Spanner's STRING(MAX)."""
LARGEST_BYTES: Final = 10 * 1024 * 1024
"""Spanner's largest value."""

Row = Mapping[str, Any]
"""Column name to value, as the value types have it."""


class StoreTime(Enum):
    """Stands for the store's own clock in a row that is written."""

    NOW = "now"


class Kind(Enum):
    """The form of a column's values."""

    TEXT = "text"
    REAL = "real"
    INT = "int"
    BOOL = "bool"
    TIME = "time"
    JSON = "json"
    TEXTS = "texts"
    VECTOR = "vector"
    BYTES = "bytes"


KINDS: Final[Mapping[str, Kind]] = {
    **dict.fromkeys(
        ("audio_duration_seconds", "lead_score", "spam_likelihood", "sentiment_score", "lease_seconds", "distance"),
        Kind.REAL,
    ),
    **dict.fromkeys(
        (
            *("processing_time_ms", "kafka_partition", "kafka_offset", "generation", "number", "next_number"),
            *("version", "sequence", "rows_found"),
        ),
        Kind.INT,
    ),
    **dict.fromkeys(("embedding_enabled", "graph_features_enabled", "test", "is_first", "in_doubt"), Kind.BOOL),
    **dict.fromkeys(
        (
            *("created_at", "updated_at", "received_at", "processed_at", "leased_at", "ended_at", "due"),
            *("parked_at", "released_at", "applied_at", "now", "due_by", "oldest", "next_due"),
        ),
        Kind.TIME,
    ),
    **dict.fromkeys(
        (
            *("workflow_config", "transcription_data", "ai_analysis", "field_revisions", "document", "result"),
            *("parts", "fields", "headers", "body"),
        ),
        Kind.JSON,
    ),
    "semantic_tags": Kind.TEXTS,
    "office_embedding": Kind.VECTOR,
    "content_embedding": Kind.VECTOR,
    "record": Kind.BYTES,
}
"""Columns that are not text."""

LIMITS: Final[Mapping[str, int]] = {
    **dict.fromkeys(
        (
            *("tenant_id", "office_id", "request_id", "contact_id", "event_id", "decision_id", "order_id"),
            *("outcome_id", "communication_mode", "source", "event_kind", "phase", "status", "isolation_level"),
            *("state", "pool", "kind", "connector_id", "stage", "replaces"),
        ),
        64,
    ),
    **dict.fromkeys(("object", "input_hash", "digest", "revision", "step_id", "park_id"), 256),
    **dict.fromkeys(("name", "topic", "owner", "external_id", "callrail_company_id", "callrail_api_key"), 256),
}
"""Most characters of short text columns; the rest takes `LONGEST_TEXT`."""


def kind_of(column: str) -> Kind:
    """The form of a column's values."""
    return KINDS.get(column, Kind.TEXT)


def normal(column: str, value: Any) -> Any:
    """The one form of a value for a column; None passes. `Invalid` when it can never be stored."""
    if value is None:
        return None
    match kind_of(column):
        case Kind.TEXT:
            return _text(column, value)
        case Kind.REAL:
            if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
                raise Invalid(f"{column} must be a finite number")
            return float(value)
        case Kind.INT:
            if isinstance(value, bool) or not isinstance(value, int) or not -(2**63) <= value < 2**63:
                raise Invalid(f"{column} must be a whole number of 64 bits")
            return value
        case Kind.BOOL:
            if not isinstance(value, bool):
                raise Invalid(f"{column} must be true or false")
            return value
        case Kind.TIME:
            if not isinstance(value, datetime) or value.tzinfo is None:
                raise Invalid(f"{column} must be a time with a zone")
            return value.astimezone(UTC)
        case Kind.JSON:
            return _json(column, value)
        case Kind.TEXTS:
            if isinstance(value, str) or not isinstance(value, Sequence):
                raise Invalid(f"{column} must be a list of texts")
            return [_text(column, each) for each in value]
        case Kind.VECTOR:
            return vector(column, value)
        case Kind.BYTES:
            if not isinstance(value, bytes) or len(value) > LARGEST_BYTES:
                raise Invalid(f"{column} must be bytes, at most {LARGEST_BYTES}")
            return value


def vector(column: str, value: Any) -> "np.ndarray[Any, np.dtype[np.float32]]":
    """A float32 array of `VECTOR_LENGTH`. Zero vectors have no direction: one would fail every search over it."""
    try:
        with np.errstate(over="ignore"):
            array = np.asarray(value, dtype=np.float32)
    except (TypeError, ValueError):
        raise Invalid(f"{column} must be a list of numbers") from None
    if array.shape != (VECTOR_LENGTH,):
        raise Invalid(f"{column} must have {VECTOR_LENGTH} numbers, not {array.size}")
    length = float(np.linalg.norm(array.astype(np.float64)))
    # Outside these bounds the squares leave float32, and a distance would be NaN.
    if not np.isfinite(array).all() or not 1e-15 < length < 1e15:
        raise Invalid(f"{column} must be finite and not zero")
    return array


def _text(column: str, value: Any) -> str:
    if not isinstance(value, str):
        raise Invalid(f"{column} must be text")
    limit = LIMITS.get(column, LONGEST_TEXT)
    if len(value) > limit:
        raise Invalid(f"{column} has {len(value)} characters; at most {limit} fit")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise Invalid(f"{column} is not valid Unicode") from None
    return str(value)


def _json(column: str, value: Any) -> str:
    try:
        text = codec.canonical(value).decode()
    except (TypeError, ValueError, RecursionError):
        raise Invalid(f"{column} is not JSON") from None
    if len(text) > LONGEST_TEXT:
        raise Invalid(f"{column} has {len(text)} characters of JSON; at most {LONGEST_TEXT} fit")
    return text
