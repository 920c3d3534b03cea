"""Finding a person at Pipedrive, where nothing is unique and the search index lags behind.

A new inquiry looks for the person by e-mail address, else by number. After an effect of unknown end the person is
looked for by our own id: in the index, and, because that may be late, in the listing of what has changed lately.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors.crm.sameness import is_empty, same
from connectors.crm.seam import Record
from connectors.crm.vendors.pipedrive.api import V2, Missing, PipedriveApi
from connectors.crm.vendors.pipedrive.fields import CustomFields

PERSONS = f"{V2}/persons"
LATELY = timedelta(minutes=15)
"""Longer than the search index has been seen to lag."""


class Persons:
    """One company's persons."""

    def __init__(
        self, api: PipedriveApi, fields: CustomFields, contact_field: str, now: Callable[[], datetime]
    ) -> None:
        self._api = api
        self._fields = fields
        self._contact_field = contact_field
        self._now = now

    async def key(self) -> str:
        """Key of the custom field that holds our contact id."""
        return (await self._fields.find("person", self._contact_field)).key

    async def matching(self, record: Record, hidden: Iterable[str]) -> dict[str, Any] | None:
        """The oldest person with the record's e-mail address, or, where it has none, with its number."""
        values = {f.name: str(f.value) for f in record.fields if not is_empty(f.value)}
        for listed, field in (("emails", "email"), ("phones", "phone")):
            term = values.get(field) or values.get(listed)
            if term is None:
                continue
            hits = await self._api.search_persons(term, field, hidden)
            # The index is told to match exactly, and is not trusted to.
            true_hits = [hit for hit in hits if any(same(value, term) for value in hit.get(listed) or ())]
            if not true_hits:
                return None
            return await self._still(min(int(hit["id"]) for hit in true_hits))
        return None

    async def ours(self, external_id: str) -> dict[str, Any] | None:
        """The oldest person with our contact id; None when there certainly is none."""
        key, found = await self.key(), dict[int, dict[str, Any]]()
        since = (self._now() - LATELY).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        async for row in self._api.pages(PERSONS, updated_since=since, custom_fields=key):
            if _custom(row).get(key) == external_id:
                found[int(row["id"])] = row
        for hit in await self._api.search_persons(external_id, "custom_fields"):
            there = await self._still(int(hit["id"])) if int(hit["id"]) not in found else None
            if there is not None and _custom(there).get(key) == external_id:
                found[int(there["id"])] = there
        return found[min(found)] if found else None

    async def _still(self, person_id: int) -> dict[str, Any] | None:
        """A hit's person; None when the index has not yet heard that it was deleted."""
        try:
            return await self._api.one(PERSONS, str(person_id))
        except Missing:
            return None


def _custom(row: Mapping[str, Any]) -> Mapping[str, Any]:
    custom = row.get("custom_fields")
    return custom if isinstance(custom, Mapping) else {}
