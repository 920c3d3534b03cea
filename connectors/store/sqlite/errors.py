"""SQLite's errors as the store's. Messages name columns, never values."""

import re
import sqlite3

from connectors.store.seam import Conflict, Invalid, NotFound, StoreError, Unavailable


def translated(error: sqlite3.Error) -> StoreError:
    """What a caller can do about it."""
    words = str(error)
    if isinstance(error, sqlite3.IntegrityError):
        if words.startswith("FOREIGN KEY"):
            return NotFound("the tenant has no such office, or there is no such tenant")
        if words.startswith("UNIQUE"):
            return Conflict("another row has this key already")
        column = re.search(r"\w+\.(\w+)", words)
        return Invalid(f"{column.group(1) if column else 'a column'} cannot take this value")
    if isinstance(error, sqlite3.DataError | sqlite3.InterfaceError):
        return Invalid("a value is too large or of a type that cannot be stored")
    if "no such table" in words or "no such column" in words:
        return Unavailable("the store is not migrated: run `leadbus store migrate`")
    if "unable to open" in words:
        return Unavailable("the store's file cannot be opened: its folder must be there and writable")
    return Unavailable(f"SQLite: {type(error).__name__}, code {getattr(error, 'sqlite_errorname', 'unknown')}")
