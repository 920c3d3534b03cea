"""HubSpot behind the seam: upserts on a unique property, so writing twice is one effect.

A delivery takes four rounds at most: read what stands there (where a write mode asks), write the person, write what
belongs to it, associate. When the e-mail of a new contact belongs to a contact that has it already, that one is
updated instead, and gets our key only if it has none; when a known contact is given an e-mail of another one, the
e-mail is left out, because only a person can merge the two.
"""

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, ClassVar, TypeVar

from connectors.crm.findings import finding_of
from connectors.crm.rounds import all_of, person_only, rounds
from connectors.crm.seam import (
    ConnectorError,
    Delivered,
    Effects,
    Finding,
    PermanentRefusal,
    Record,
    Retryable,
    Validation,
    Work,
    Written,
)
from connectors.crm.slots import Slots
from connectors.crm.vendor_words import personal
from connectors.crm.vendors.hubspot.api import HubSpotApi, Refused, Unreached
from connectors.crm.vendors.hubspot.errors import error_of, existing_id
from connectors.crm.vendors.hubspot.objects import ObjectKind, Objects, wire
from connectors.crm.vendors.hubspot.settings import HubSpotSettings
from connectors.crm.write_modes import needs_present, plan
from schemas.decision import ConnectorKind

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Found:
    """A record as it stands at HubSpot; `key` is its value of our key property."""

    id: str
    key: str
    values: dict[str, Any]


class HubSpotConnector:
    """One tenant's portal. `scope` names the rate limit, `now` gives the time in UTC."""

    kind: ClassVar[ConnectorKind] = ConnectorKind.HUBSPOT
    upserts: ClassVar[bool] = True

    def __init__(
        self,
        api: HubSpotApi,
        settings: HubSpotSettings,
        slots: Slots,
        *,
        scope: str,
        secret: str,
        now: Callable[[], datetime],
    ) -> None:
        self._api = api
        self._settings = settings
        self._objects = Objects(settings, now)
        self._slots = slots
        self._scope = scope
        self._secret = secret
        self._now = now

    async def create_lead(self, work: Work, effects: Effects) -> Delivered:
        return await self._deliver(work)

    async def update_contact(self, work: Work, effects: Effects) -> Delivered:
        return await self._deliver(person_only(work))

    async def reconcile(self, work: Work, effects: Effects) -> Delivered | None:
        """Delivered when every record stands there as asked for; else None, and writing again is harmless."""
        found = await all_of([self._find(work, record) for record in work.records])
        written: list[Written] = []
        for record, there in zip(work.records, found, strict=True):
            if there is None or (left := plan(record, there.values, wire)).send:
                return None
            written.append(Written(record.object, record.external_id, there.id, False, left.written))
        return await self._associated(work, written)

    async def validate_connection(self) -> Validation:
        findings: list[Finding] = []
        account: str | None = None
        try:
            details = await self._call(self._api.account)
            account = str(details.get("portalId", ""))
            if self._settings.portal_id is not None and account != str(self._settings.portal_id):
                text = f"the token belongs to portal {account}, the settings name {self._settings.portal_id}"
                findings.append(Finding("account", text, "Use a token of that portal, or correct settings.portal_id."))
            findings += [f for f in await all_of([self._key_problem(name) for name in self._settings.objects]) if f]
        except ConnectorError as error:
            rights = "read and write scopes for contacts, deals and notes (Settings, Integrations, Private apps)"
            findings.append(finding_of(error, credential="access token", rights=rights))
        return Validation(not findings, account, tuple(findings))

    async def close(self) -> None:
        """Nothing of its own is open: all tenants share one connection pool."""

    async def _key_problem(self, name: str) -> Finding | None:
        kind = self._objects.kind(name)
        fix = f"Create the property {kind.key} on {kind.name}: single-line text, with unique values required."
        try:
            definition = await self._call(partial(self._api.definition, kind.name, kind.key))
        except PermanentRefusal:
            return Finding("field", f"{kind.name} have no property {kind.key}", fix)
        if definition.get("hasUniqueValue") is not True:
            return Finding("field", f"{kind.name}.{kind.key} does not require unique values", fix)
        return None

    async def _deliver(self, work: Work) -> Delivered:
        waves = rounds(work.records)
        present = await all_of([self._find(work, record) for record in work.records])
        found = {record.object: there for record, there in zip(work.records, present, strict=True)}
        written: list[Written] = []
        for wave in waves:
            written += await all_of([self._write(work, record, found[record.object]) for record in wave])
        return await self._associated(work, written)

    async def _associated(self, work: Work, written: Sequence[Written]) -> Delivered:
        done = Delivered(tuple(written))
        ids = done.remote_ids
        ties: list[Coroutine[Any, Any, None]] = []
        for record in work.records:
            for other in record.associate_with:
                kind, to = self._objects.kind(record.object), self._objects.kind(other)
                tie = partial(self._api.associate, kind.name, ids[record.object], to.name, ids[other])
                ties.append(self._call(tie, work))
        await all_of(ties)
        return Delivered(tuple(written), self._objects.url(ids))

    async def _find(self, work: Work, record: Record) -> "_Found | None":
        """What stands there; None when there is no such record, or when nothing depends on it."""
        kind = self._objects.kind(record.object)
        if not (needs_present(record) or record.remote_id or self._objects.defaults(record)):
            return None
        if record.remote_id is not None:
            there = await self._read(work, record, kind, record.remote_id, None)
            if there is not None:
                return there
        return await self._read(work, record, kind, record.external_id, kind.key)

    async def _read(
        self, work: Work, record: Record, kind: ObjectKind, key: str, id_property: str | None
    ) -> "_Found | None":
        names = [kind.key, *(field.name for field in record.fields)]
        row = await self._call(partial(self._api.read, kind.name, key, id_property, names), work)
        if row is None:
            return None
        values = row.get("properties") or {}
        return _Found(row["id"], str(values.get(kind.key) or ""), values)

    async def _write(self, work: Work, record: Record, found: "_Found | None") -> Written:
        if found is None:
            return await self._create(work, record)
        kind = self._objects.kind(record.object)
        todo = plan(record, found.values, wire)
        send = dict(todo.send)
        while send:
            try:
                await self._run(partial(self._api.update, kind.name, found.id, send))
                break
            except Refused as refusal:
                if refusal.status == 404:
                    return await self._create(work, record)
                if refusal.status != 409 or send.pop("email", None) is None:
                    raise self._error(refusal, work) from None
            except Unreached as fault:
                raise Retryable(f"HubSpot: {fault}") from None
        names = tuple(name for name in todo.written if name in send or name in todo.standing)
        return Written(record.object, record.external_id, found.id, False, names)

    async def _create(self, work: Work, record: Record) -> Written:
        kind = self._objects.kind(record.object)
        todo = plan(record, None, wire)
        values = {**self._objects.defaults(record), **todo.send}
        upsert = partial(self._api.upsert, kind.name, record.external_id, kind.key, values, work.order_id)
        try:
            row = await self._run(upsert)
        except Refused as refusal:
            if refusal.status != 409:
                raise self._error(refusal, work) from None
            conflict = refusal
        except Unreached as fault:
            raise Retryable(f"HubSpot: {fault}") from None
        else:
            return Written(record.object, record.external_id, row["id"], row.get("new") is True, todo.written)
        # The key may stand on a record that was not read, or that another delivery has made meanwhile.
        mine = await self._read(work, record, kind, record.external_id, kind.key)
        return await (self._write(work, record, mine) if mine else self._adopt(work, record, kind, conflict))

    async def _adopt(self, work: Work, record: Record, kind: ObjectKind, refusal: Refused) -> Written:
        """Update the record that has the value already."""
        owner = existing_id(refusal.document)
        email = next((str(f.value) for f in record.fields if f.name == "email" and f.value), None)
        there: _Found | None = None
        if owner is not None:
            there = await self._read(work, record, kind, owner, None)
        elif email is not None and record.object == "contact":
            there = await self._read(work, record, kind, email, "email")
        if there is None:
            raise self._error(refusal, work)
        todo = plan(record, there.values, wire)
        send = dict(todo.send) if there.key else {**todo.send, kind.key: record.external_id}
        if send:
            await self._call(partial(self._api.update, kind.name, there.id, send), work)
        return Written(record.object, record.external_id, there.id, False, todo.written)

    async def _run(self, call: Callable[[], T]) -> T:
        return await self._slots.in_thread(call)

    async def _call(self, call: Callable[[], T], work: Work | None = None) -> T:
        try:
            return await self._run(call)
        except Refused as refusal:
            raise self._error(refusal, work) from None
        except Unreached as fault:
            raise Retryable(f"HubSpot: {fault}") from None

    def _error(self, refusal: Refused, work: Work | None) -> ConnectorError:
        return error_of(
            refusal.status,
            refusal.document,
            refusal.headers,
            now=self._now(),
            scope=self._scope,
            hidden=personal(work.records if work else (), self._secret),
            time_zone=self._settings.time_zone,
        )
