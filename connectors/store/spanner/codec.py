"""Values as Spanner's protocol has them, without the client's own decoding, which is slower and loses JSON lists.

A 768-number vector goes out as a ready `ListValue`: packed by numpy that costs 0.07 ms, number by number 1.4 ms.
"""

import base64
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import numpy as np
from google.protobuf.struct_pb2 import ListValue, Value

from connectors.store.columns import Kind, Row, StoreTime, kind_of, normal
from connectors.store.spanner.catalogue import Query
from connectors.store.spanner.client import COMMIT_TIMESTAMP, param_types
from schemas import codec

PARAMETER_TYPES: Final[Mapping[Kind, Any]] = {
    Kind.TEXT: param_types.STRING,
    Kind.INT: param_types.INT64,
    Kind.TIME: param_types.TIMESTAMP,
    Kind.VECTOR: param_types.Array(param_types.FLOAT32),
}

# On the wire a Value with a number is tag 1, length 9, tag 1 of the double, eight bytes.
_NUMBER: Final = b"\x0a\x09\x11"


def encode(column: str, value: Any) -> Any:
    """What the client is given for a value; `Invalid` when it can never be stored."""
    if value is StoreTime.NOW:
        return COMMIT_TIMESTAMP
    plain = normal(column, value)
    if plain is None:
        return None
    match kind_of(column):
        case Kind.VECTOR:
            return packed(plain)
        case Kind.BYTES:
            return base64.b64encode(plain).decode("ascii")
        case _:
            return plain


def packed(array: "np.ndarray[Any, np.dtype[np.float32]]") -> ListValue:
    """A vector in its form on the wire."""
    records = np.empty(array.size, dtype=[("head", "S3"), ("number", "<f8")])
    records["head"], records["number"] = _NUMBER, array
    return ListValue.FromString(records.tobytes())


def parameters(query: Query, values: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """A query's parameters and their types."""
    encoded = {
        name: values[name] if name in ("limit", "vector") else encode(name, values[name]) for name in query.parameters
    }
    kinds = {"limit": Kind.INT, "vector": Kind.VECTOR}
    return encoded, {name: PARAMETER_TYPES[kinds.get(name, kind_of(name))] for name in query.parameters}


def decode(names: Sequence[str], cells: Sequence[Value]) -> Row:
    """A row of protocol values as the value types have it."""
    return {name: _decoded(name, cell) for name, cell in zip(names, cells, strict=True)}


def _decoded(column: str, cell: Value) -> Any:
    if cell.HasField("null_value"):
        return None
    match kind_of(column):
        case Kind.TEXT:
            return cell.string_value
        case Kind.INT:
            return int(cell.string_value)
        case Kind.REAL:
            return cell.number_value
        case Kind.BOOL:
            return cell.bool_value
        case Kind.TIME:
            return datetime.fromisoformat(cell.string_value)
        case Kind.JSON:
            return codec.loads(cell.string_value)
        case Kind.TEXTS:
            return tuple(each.string_value for each in cell.list_value.values)
        case Kind.VECTOR:
            numbers = [each.number_value for each in cell.list_value.values]
            return tuple(np.asarray(numbers, dtype=np.float32).tolist())
        case Kind.BYTES:
            return base64.b64decode(cell.string_value)
