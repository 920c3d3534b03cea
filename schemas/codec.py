"""The one JSON writer and reader of the project.

Canonical bytes (sorted keys, no blanks) are what is hashed and stored, so equal values have equal bytes.
"""

import hashlib
from typing import Any

import orjson


def dumps(value: Any) -> bytes:
    """JSON bytes in the order given; for the wire."""
    return orjson.dumps(value)


def canonical(value: Any) -> bytes:
    """JSON bytes with sorted keys; for hashing and storing."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def loads(data: bytes | str) -> Any:
    """The JSON value; raises ValueError for anything that is not JSON (NaN and lone surrogates included)."""
    return orjson.loads(data)


def sha256(data: bytes) -> str:
    """Lower-case hexadecimal SHA-256."""
    return hashlib.sha256(data).hexdigest()


def digest(value: Any) -> str:
    """SHA-256 of a value's canonical JSON."""
    return sha256(canonical(value))
