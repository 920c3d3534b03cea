"""Salesforce behind the seam: upserts on External ID fields, so writing twice is one effect.

The person is a Lead (or a Contact) under our contact id, the inquiry a Task under our request id, tied to the person
by `WhoId`. What a new Lead must have and a caller did not say (LastName, Company) comes from the settings.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Any, ClassVar, TypeVar

from connectors.crm.findings import finding_of
from connectors.crm.rounds import all_of, person_only, rounds
from connectors.crm.seam import (
    ConfigBroken,
    ConnectorError,
    Delivered,
    Effects,
    Finding,
    Record,
    Retryable,
    Validation,
    Work,
    Written,
)
from connectors.crm.slots import Slots
from connectors.crm.vendor_words import personal
from connectors.crm.vendors.salesforce.api import Refused, SalesforceApi, Unreached
from connectors.crm.vendors.salesforce.errors import error_of, record_is_missing
from connectors.crm.vendors.salesforce.objects import PERSONS, Objects, Present, wire
from connectors.crm.vendors.salesforce.settings import SalesforceSettings
from connectors.crm.write_modes import plan
from schemas.decision import ConnectorKind

T = TypeVar("T")


class SalesforceConnector:
    """One tenant's org. `scope` names the rate limit, `now` gives the time in UTC."""

    kind: ClassVar[ConnectorKind] = ConnectorKind.SALESFORCE
    upserts: ClassVar[bool] = True

    def __init__(
        self,
        api: SalesforceApi,
        settings: SalesforceSettings,
        slots: Slots,
        *,
        scope: str,
        secret: str,
        now: Callable[[], datetime],
    ) -> None:
        self._api = api
        self._settings = settings
        self._objects = Objects(settings)
        self._slots = slots
        self._scope = scope
        self._secret = secret
        self._now = now

    async def create_lead(self, work: Work, effects: Effects) -> Delivered:
        return await self._deliver(work)

    async def update_contact(self, work: Work, effects: Effects) -> Delivered:
        return await self._deliver(person_only(work, PERSONS))

    async def reconcile(self, work: Work, effects: Effects) -> Delivered | None:
        """Delivered when every record stands there as asked for; else None, and writing again is harmless."""
        found = await all_of([self._read(work, record) for record in work.records])
        written: list[Written] = []
        for record, there in zip(work.records, found, strict=True):
            if there is None or (left := plan(record, there, wire)).send or self._tie(record, written, there):
                return None
            written.append(Written(record.object, record.external_id, there.id, False, left.written))
        return self._delivered(written)

    async def validate_connection(self) -> Validation:
        findings: list[Finding] = []
        try:
            await self._call(self._api.limits)
            findings += [f for f in await all_of([self._key_problem(name) for name in self._settings.objects]) if f]
        except ConnectorError as error:
            rights = "the right to use the API and to create and edit leads and tasks"
            findings.append(finding_of(error, credential="session token", rights=rights))
        return Validation(not findings, self._settings.instance_url, tuple(findings))

    async def close(self) -> None:
        self._api.close()

    async def _key_problem(self, name: str) -> Finding | None:
        sobject, key = self._objects.sobject(name), self._objects.key(name)
        fix = f"Create the text field {key} on {sobject} with External ID and Unique, and let the user edit it."
        described = await self._call(partial(self._api.describe, sobject))
        field: dict[str, Any] = next((f for f in described.get("fields", []) if f.get("name") == key), {})
        if not field:
            return Finding("field", f"{sobject} has no field {key}", fix)
        lacking = [word for word in ("externalId", "unique", "createable") if field.get(word) is not True]
        return Finding("field", f"{sobject}.{key} is not {', '.join(lacking)}", fix) if lacking else None

    async def _deliver(self, work: Work) -> Delivered:
        waves = rounds(work.records, PERSONS)
        present = await all_of([self._find(work, record) for record in work.records])
        found = {record.object: there for record, there in zip(work.records, present, strict=True)}
        written: list[Written] = []
        for wave in waves:
            written += await all_of([self._write(work, r, found[r.object], tuple(written)) for r in wave])
        return self._delivered(written)

    def _delivered(self, written: list[Written]) -> Delivered:
        done = Delivered(tuple(written))
        return Delivered(done.written, self._objects.url(done.remote_ids))

    async def _find(self, work: Work, record: Record) -> Present | None:
        """What stands there; None when there is no such record, or when nothing depends on it."""
        return await self._read(work, record) if self._objects.depends_on_present(record) else None

    async def _read(self, work: Work, record: Record) -> Present | None:
        sobject, key = self._objects.sobject(record.object), self._objects.key(record.object)
        names = [field.name for field in record.fields]
        names += ["WhoId"] if record.associate_with else []
        try:
            return Present(await self._run(partial(self._api.read, sobject, key, record.external_id, names)))
        except Refused as refusal:
            if record_is_missing(refusal.status, refusal.details):
                return None
            raise self._error(refusal, work) from None
        except Unreached as fault:
            raise Retryable(f"Salesforce: {fault}") from None

    async def _write(self, work: Work, record: Record, found: Present | None, before: tuple[Written, ...]) -> Written:
        todo = plan(record, found, wire)
        values = {**todo.send, **self._tie(record, before, found)}
        if found is None:
            values = {**self._objects.defaults(record, values), **values}
        elif not values:
            return Written(record.object, record.external_id, found.id, False, todo.written)
        sobject, key = self._objects.sobject(record.object), self._objects.key(record.object)
        upsert = partial(self._api.upsert, sobject, key, record.external_id, values)
        record_id, created = await self._call(upsert, work)
        known = record_id or (found.id if found else record.remote_id)
        if known is None:
            known = (await self._call(partial(self._api.read, sobject, key, record.external_id, ()), work)).get("Id")
        return Written(record.object, record.external_id, known, created, todo.written)

    def _tie(self, record: Record, before: Sequence[Written], found: Present | None) -> dict[str, str]:
        """The person's id for a task, unless the task has one: after a conversion it is the contact's."""
        if not record.associate_with or (found is not None and found.get("WhoId")):
            return {}
        if record.object != "task":
            raise ConfigBroken(f"{record.object} cannot be tied to anything; only a task can", code="mapping")
        ids = {w.object: w.remote_id for w in before}
        tied = [ids[name] for name in record.associate_with if name in PERSONS and ids.get(name)]
        return {"WhoId": str(tied[0])} if tied else {}

    async def _run(self, call: Callable[[], T]) -> T:
        return await self._slots.in_thread(call)

    async def _call(self, call: Callable[[], T], work: Work | None = None) -> T:
        try:
            return await self._run(call)
        except Refused as refusal:
            raise self._error(refusal, work) from None
        except Unreached as fault:
            raise Retryable(f"Salesforce: {fault}") from None

    def _error(self, refusal: Refused, work: Work | None) -> ConnectorError:
        return error_of(
            refusal.status,
            refusal.details,
            refusal.headers,
            now=self._now(),
            scope=self._scope,
            keys=frozenset({self._settings.contact_key, self._settings.request_key}),
            hidden=personal(work.records if work else (), self._secret),
        )
