"""Spanner's errors as the store's. Its messages repeat keys and values, so only a column's name is taken from them."""

import re

from google.api_core import exceptions as google

from connectors.store.seam import Conflict, Invalid, NotFound, StoreError, Unavailable

REFUSED = (google.InvalidArgument, google.FailedPrecondition, google.OutOfRange)
CANNOT = (*REFUSED, google.MethodNotImplemented, google.InternalServerError, google.NotFound)
"""What a database answers to a statement that it does not know."""


def translated(error: Exception) -> StoreError:
    """What a caller can do about it."""
    words = str(getattr(error, "message", "") or error)
    if isinstance(error, google.AlreadyExists):
        return Conflict("another row has this key already")
    if isinstance(error, google.NotFound):
        if "parent" in words.lower():
            return NotFound("the tenant has no such office, or there is no such tenant")
        if re.search(r"\b(table|column|index)\b", words, re.IGNORECASE):
            return Unavailable("the store is not migrated: run `leadbus store migrate`")
        return Unavailable("the Spanner instance or database is not there, or a session of it was lost")
    if isinstance(error, REFUSED):
        if "table not found" in words.lower():
            return Unavailable("the store is not migrated: run `leadbus store migrate`")
        column = re.search(r"column:? `?(?:\w+\.)?(\w+)", words)
        return Invalid(f"{column.group(1) if column else 'a column'} cannot take this value ({type(error).__name__})")
    return Unavailable(f"Spanner: {type(error).__name__}")


def schema_change_is_busy(error: Exception) -> bool:
    """Whether another schema change, or a transaction, only stands in the way for now."""
    return isinstance(error, google.FailedPrecondition) and "concurrent schema change" in str(error)


def is_there_already(error: Exception) -> bool:
    """Whether a racing process has made the same thing."""
    words = str(error).lower()
    return isinstance(error, google.AlreadyExists) or "already exists" in words or "duplicate name" in words
