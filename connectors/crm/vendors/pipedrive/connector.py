"""Pipedrive behind the seam. Nothing there is unique and no write is an upsert, so effects are kept single by memory.

What the ledger knows is changed by its id. Otherwise the person is looked for, and created with our contact id in a
custom field; the lead carries our request id as `origin_id` and is looked for among the person's leads, which is a
listing and not the lagging index. Each id is remembered before the next part, so an attempt that breaks off is taken
up where it stood. Two inquiries of one contact in one process wait for each other; across processes it is the ledger
that must let only one of them create.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime
from typing import Any, ClassVar
from weakref import WeakValueDictionary

from connectors.crm.findings import finding_of
from connectors.crm.rounds import PERSON, person_only, rounds
from connectors.crm.seam import (
    ConfigBroken,
    ConnectorError,
    Delivered,
    Effects,
    Finding,
    Record,
    Validation,
    Work,
)
from connectors.crm.vendors.pipedrive.api import V1, PipedriveApi
from connectors.crm.vendors.pipedrive.attempt import Attempt
from connectors.crm.vendors.pipedrive.fields import CustomFields
from connectors.crm.vendors.pipedrive.parts import Leads, Notes, People
from connectors.crm.vendors.pipedrive.persons import Persons
from connectors.crm.vendors.pipedrive.settings import PipedriveSettings
from schemas.decision import ConnectorKind

_HINTS = 4096


class PipedriveConnector:
    """One tenant's company. `now` gives the time in UTC."""

    kind: ClassVar[ConnectorKind] = ConnectorKind.PIPEDRIVE
    upserts: ClassVar[bool] = False

    def __init__(self, api: PipedriveApi, settings: PipedriveSettings, now: Callable[[], datetime]) -> None:
        self._api = api
        self._settings = settings
        self._fields = CustomFields(api, now)
        self._persons = Persons(api, self._fields, settings.contact_field, now)
        self._parts: dict[str, People | Leads | Notes] = {
            PERSON: People(api, self._fields, self._persons, settings),
            "lead": Leads(api, self._fields, settings),
            "note": Notes(api),
        }
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        # Hints only: what the index cannot know yet. Losing one costs a search.
        self._recent: OrderedDict[str, str] = OrderedDict()

    async def create_lead(self, work: Work, effects: Effects) -> Delivered:
        return await self._deliver(work, effects)

    async def update_contact(self, work: Work, effects: Effects) -> Delivered:
        return await self._deliver(person_only(work), effects)

    async def reconcile(self, work: Work, effects: Effects) -> Delivered | None:
        """Delivered when every part stands there as asked for; else None, with the parts that were found remembered."""
        attempt = Attempt(work, effects)
        complete = True
        for record in self._ordered(work):
            there = await self._parts[record.object].look_up(record, attempt)
            if there is None:
                return None
            complete = complete and there
        return attempt.delivered(self._url) if complete else None

    async def validate_connection(self) -> Validation:
        findings: list[Finding] = []
        account: str | None = None
        try:
            me: dict[str, Any] = await self._api.get(f"{V1}/users/me") or {}
            account = str(me.get("company_name") or me.get("company_domain") or me.get("company_id"))
            if self._settings.company_id is not None and me.get("company_id") != self._settings.company_id:
                text = f"the token belongs to company {me.get('company_id')}, not {self._settings.company_id}"
                findings.append(Finding("account", text, "Use that company's token, or correct settings.company_id."))
            await self._persons.key()
        except ConnectorError as error:
            if isinstance(error, ConfigBroken) and error.code == "field":
                fix = f"Create a text field called {self._settings.contact_field!r} for persons."
                findings.append(Finding("field", error.words, fix))
            else:
                rights = "the right to add and change persons, leads and notes"
                findings.append(finding_of(error, credential="API token", rights=rights))
        return Validation(not findings, account, tuple(findings))

    async def close(self) -> None:
        """Nothing of its own is open: all tenants share one HTTP client."""

    async def _deliver(self, work: Work, effects: Effects) -> Delivered:
        attempt = Attempt(work, effects)
        try:
            for record in self._ordered(work):
                if record.object == PERSON:
                    await self._write_person(record, attempt)
                else:
                    await self._parts[record.object].write(record, attempt)
        except ConfigBroken:
            # A field may have been deleted and made anew, under another key.
            self._fields.forget()
            raise
        return attempt.delivered(self._url)

    async def _write_person(self, record: Record, attempt: Attempt) -> None:
        turn = self._turns.setdefault(record.external_id, asyncio.Lock())
        async with turn:
            attempt.hint = self._recent.get(record.external_id)
            await self._parts[PERSON].write(record, attempt)
            self._recent[record.external_id] = attempt.ids[PERSON]
            while len(self._recent) > _HINTS:
                self._recent.popitem(last=False)

    def _ordered(self, work: Work) -> list[Record]:
        known = ", ".join(self._parts)
        for record in work.records:
            if record.object not in self._parts:
                raise ConfigBroken(
                    f"the mapping writes to {record.object!r}; Pipedrive connectors know {known}", code="object"
                )
        order = list(self._parts)
        return sorted((r for wave in rounds(work.records) for r in wave), key=lambda r: order.index(r.object))

    def _url(self, ids: dict[str, str]) -> str | None:
        if "lead" in ids:
            return f"{self._settings.company_url}/leads/inbox/{ids['lead']}"
        return f"{self._settings.company_url}/person/{ids[PERSON]}" if PERSON in ids else None
