"""The parts of a lead at Pipedrive: person, lead, note. Each can be written, and looked up without writing.

`write` changes the record that is known or found, else creates it. `look_up` tells whether it stands there as asked
for: True, False (it is there, and something is left to write) or None (it is not there).
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from connectors.crm.html_text import text_as_html
from connectors.crm.sameness import same
from connectors.crm.seam import Record
from connectors.crm.vendors.pipedrive.api import V1, Missing, PipedriveApi
from connectors.crm.vendors.pipedrive.attempt import Attempt
from connectors.crm.vendors.pipedrive.fields import CustomFields
from connectors.crm.vendors.pipedrive.persons import PERSONS, Persons
from connectors.crm.vendors.pipedrive.settings import PipedriveSettings
from connectors.crm.vendors.pipedrive.shapes import Shape, links
from connectors.crm.write_modes import plan

LEADS = f"{V1}/leads"
NOTES = f"{V1}/notes"
NOTE_LIMIT = 100_000
"""Characters of a note's HTML."""


class People:
    """Persons; the object `contact` of a mapping."""

    def __init__(self, api: PipedriveApi, fields: CustomFields, persons: Persons, settings: PipedriveSettings) -> None:
        self._api = api
        self._fields = fields
        self._persons = persons
        self._settings = settings

    async def write(self, record: Record, attempt: Attempt) -> None:
        shape = await Shape.of(record, "person", self._fields)
        row = await self._known(record, attempt) or await self._persons.matching(record, attempt.hidden)
        if row is not None and await self._change(record, attempt, shape, row):
            return
        todo = plan(record, None, shape.wire)
        body = shape.body(todo.send, None, nested=True)
        body.setdefault("name", self._name(todo.send))
        body["custom_fields"] = {**body.get("custom_fields", {}), await self._persons.key(): record.external_id}
        await attempt.begin()
        made = await self._api.write("POST", PERSONS, body, attempt.hidden)
        await attempt.found(record, str(made["id"]))
        attempt.wrote(record, todo.written, created=True)

    async def look_up(self, record: Record, attempt: Attempt) -> bool | None:
        row = await self._known(record, attempt) or await self._persons.ours(record.external_id)
        if row is None:
            return None
        shape = await Shape.of(record, "person", self._fields)
        todo = plan(record, shape.present(row), shape.wire)
        await attempt.found(record, str(row["id"]))
        attempt.wrote(record, todo.written, created=False)
        return not todo.send

    async def _known(self, record: Record, attempt: Attempt) -> dict[str, Any] | None:
        known = attempt.known(record)
        try:
            return await self._api.one(PERSONS, known) if known is not None else None
        except Missing:
            return None

    async def _change(self, record: Record, attempt: Attempt, shape: Shape, row: Mapping[str, Any]) -> bool:
        """Write what may be written; False when the person has been deleted meanwhile."""
        key = await self._persons.key()
        todo = plan(record, shape.present(row), shape.wire)
        body = shape.body(todo.send, row, nested=True)
        if not (row.get("custom_fields") or {}).get(key):
            body["custom_fields"] = {**body.get("custom_fields", {}), key: record.external_id}
        await attempt.found(record, str(row["id"]))
        if body:
            await attempt.begin()
            try:
                await self._api.write("PATCH", f"{PERSONS}/{row['id']}", body, attempt.hidden)
            except Missing:
                return False
        attempt.wrote(record, todo.written, created=False)
        return True

    def _name(self, send: Mapping[str, Any]) -> str:
        given = (send.get(name) for name in ("phone", "phones", "email", "emails"))
        return next((str(value) for value in given if value), self._settings.person_name)


class Leads:
    """Leads; `origin_id` holds our request id and can be set at creation only."""

    def __init__(self, api: PipedriveApi, fields: CustomFields, settings: PipedriveSettings) -> None:
        self._api = api
        self._fields = fields
        self._settings = settings

    async def write(self, record: Record, attempt: Attempt) -> None:
        shape = await Shape.of(record, "deal", self._fields, self._settings.currency)
        row = await self._find(record, attempt)
        if row is not None and await self._change(record, attempt, shape, row):
            return
        todo = plan(record, None, shape.wire)
        body = {"title": self._settings.lead_title, **shape.body(todo.send, None, nested=False)}
        body |= {"person_id": attempt.person(), "origin_id": record.external_id}
        await attempt.begin()
        made = await self._api.write("POST", LEADS, body, attempt.hidden)
        await attempt.found(record, str(made["id"]))
        attempt.wrote(record, todo.written, created=True)

    async def look_up(self, record: Record, attempt: Attempt) -> bool | None:
        row = await self._find(record, attempt)
        if row is None:
            return None
        shape = await Shape.of(record, "deal", self._fields, self._settings.currency)
        todo = plan(record, shape.present(row), shape.wire)
        await attempt.found(record, str(row["id"]))
        attempt.wrote(record, todo.written, created=False)
        return not todo.send

    async def _find(self, record: Record, attempt: Attempt) -> dict[str, Any] | None:
        known = attempt.known(record)
        if known is not None:
            try:
                return await self._api.one(LEADS, known)
            except Missing:
                pass
        if "contact" in attempt.created:
            return None
        async for row in self._api.pages(LEADS, person_id=str(attempt.person())):
            if row.get("origin_id") == record.external_id:
                return row
        return None

    async def _change(self, record: Record, attempt: Attempt, shape: Shape, row: Mapping[str, Any]) -> bool:
        todo = plan(record, shape.present(row), shape.wire)
        await attempt.found(record, str(row["id"]))
        if todo.send:
            await attempt.begin()
            path = f"{LEADS}/{quote(str(row['id']), safe='')}"
            try:
                await self._api.write("PATCH", path, shape.body(todo.send, row, nested=False), attempt.hidden)
            except Missing:
                return False
        attempt.wrote(record, todo.written, created=False)
        return True


class Notes:
    """Notes; the field `content` is text and is kept as HTML. They carry no id of ours: equal text is our note."""

    def __init__(self, api: PipedriveApi) -> None:
        self._api = api

    async def write(self, record: Record, attempt: Attempt) -> None:
        tied = links(record, attempt.ids)
        row = await self._find(record, attempt, tied)
        if row is not None and await self._change(record, attempt, row):
            return
        todo = plan(record, None, _note)
        if not todo.send:
            return
        await attempt.begin()
        made = await self._api.write("POST", NOTES, {**todo.send, **tied}, attempt.hidden)
        await attempt.found(record, str(made["id"]))
        attempt.wrote(record, todo.written, created=True)

    async def look_up(self, record: Record, attempt: Attempt) -> bool | None:
        row = await self._find(record, attempt, links(record, attempt.ids))
        todo = plan(record, row, _note)
        if row is None:
            return None if todo.send else True
        await attempt.found(record, str(row["id"]))
        attempt.wrote(record, todo.written, created=False)
        return not todo.send

    async def _change(self, record: Record, attempt: Attempt, row: Mapping[str, Any]) -> bool:
        todo = plan(record, row, _note)
        await attempt.found(record, str(row["id"]))
        if todo.send:
            await attempt.begin()
            try:
                await self._api.write("PUT", f"{NOTES}/{row['id']}", todo.send, attempt.hidden)
            except Missing:
                return False
        attempt.wrote(record, todo.written, created=False)
        return True

    async def _find(self, record: Record, attempt: Attempt, tied: Mapping[str, Any]) -> dict[str, Any] | None:
        known, wanted = attempt.known(record), plan(record, None, _note).send.get("content")
        if known is None and attempt.created & {"lead", "contact"}:
            return None
        name, value = next(iter(tied.items()))
        async for row in self._api.pages(NOTES, **{name: str(value)}):
            if str(row.get("id")) == known or (known is None and same(row.get("content"), wanted)):
                return row
        return None


def _note(name: str, value: Any) -> Any:
    return text_as_html(str(value), NOTE_LIMIT) if name == "content" else value
