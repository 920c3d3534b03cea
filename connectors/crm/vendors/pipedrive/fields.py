"""Custom fields of a company: people know them by name, the API by a 40-character key that differs per company.

Definitions are read once and kept; they are read again when a name is unknown, at most once a minute, because a person
may just have created the field. Names are compared without regard to case, `_` and blanks.
"""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from connectors.crm.seam import ConfigBroken
from connectors.crm.vendors.pipedrive.api import V2, PipedriveApi

FieldOwner = Literal["person", "deal"]
"""Leads have no fields of their own: they use the deals'."""
_AGAIN = timedelta(minutes=1)
_NUMERIC = frozenset({"double", "int", "monetary"})


@dataclass(frozen=True, slots=True)
class CustomField:
    """A custom field's key and whether it takes numbers."""

    key: str
    numeric: bool

    def wire(self, value: Any) -> Any:
        """The value in the type that the field takes; one that is no number goes as it is, to be refused in words."""
        if self.numeric:
            return _number(value)
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, list | tuple):
            return ", ".join(str(part) for part in value)
        return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


class CustomFields:
    """One company's definitions."""

    def __init__(self, api: PipedriveApi, now: Callable[[], datetime]) -> None:
        self._api = api
        self._now = now
        self._known: dict[FieldOwner, dict[str, CustomField]] = {}
        self._read_at: dict[FieldOwner, datetime] = {}
        self._reading = asyncio.Lock()

    async def find(self, owner: FieldOwner, name: str) -> CustomField:
        """The field with that name (or key); `ConfigBroken` when the company has none."""
        for again in (False, True):
            await self._read(owner, again)
            found = self._known[owner].get(_plain(name))
            if found is not None:
                return found
        whose = "persons" if owner == "person" else "deals and leads"
        raise ConfigBroken(
            f"{whose} have no field called {name!r}. Create it (Settings, Data fields) or correct the mapping",
            code="field",
        )

    def forget(self) -> None:
        """Read the definitions anew at the next use: the company refused a key."""
        self._known.clear()
        self._read_at.clear()

    async def _read(self, owner: FieldOwner, again: bool) -> None:
        async with self._reading:
            read_at = self._read_at.get(owner)
            if read_at is not None and (not again or self._now() - read_at < _AGAIN):
                return
            made: dict[str, CustomField] = {}
            async for row in self._api.pages(f"{V2}/{owner}Fields"):
                key, name = row.get("field_code"), row.get("field_name")
                if isinstance(key, str) and isinstance(name, str) and re.fullmatch(r"[0-9a-f]{40}", key):
                    made[_plain(name)] = made[key] = CustomField(key, row.get("field_type") in _NUMERIC)
            self._known[owner] = made
            self._read_at[owner] = self._now()


def _plain(name: str) -> str:
    return " ".join(name.replace("_", " ").split()).casefold()


def _number(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return value
    try:
        number = float(value)
    except ValueError:
        return value
    return int(number) if number.is_integer() else number
