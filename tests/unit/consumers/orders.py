"""Orders, a CRM that keeps records in memory, and delivery's parts, for the tests of the ledger and of crashes."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, ClassVar, cast

from connectors.bundles.live import LiveBundles
from connectors.crm.opening import ConnectorPool
from connectors.crm.seam import CrmConnector, Delivered, Effects, EffectUnknown, Record, Validation, Work, Written
from connectors.crm.write_modes import plan as plan_of
from connectors.store.seam import FullStore
from consumers import delivery
from consumers.effects import Effector
from consumers.ledger import Leases
from consumers.runtime.failpoints import Failpoints
from schemas import identity
from schemas.decision import ConnectorKind
from schemas.delivery import DeliveryOrder
from schemas.tenant import Connector, IntakeBundle
from tests.unit.consumers.house import NOW, RECEIVED_AT, TENANT, StillClock, envelope

CONTACT, DEAL = "contact", "deal"


def record(
    name: str, external_id: str, fields: Mapping[str, Any], write: str = "always", tied: Sequence[str] = ()
) -> dict[str, Any]:
    listed = [{"name": key, "value": value, "write": write} for key, value in fields.items()]
    return {"object": name, "external_id": external_id, "fields": listed, "associate_with": list(tied)}


def step(
    *records: dict[str, Any],
    step_id: str = "step-1",
    connector: str = "pipedrive",
    kind: str = "pipedrive",
    **more: Any,
) -> dict[str, Any]:
    return {
        "step_id": step_id,
        "operation": "create_lead",
        "scope": "record",
        "connector_id": connector,
        "connector_kind": kind,
        "records": list(records),
        "order_id": identity.order_id(TENANT, "request", "rule", step_id, 0),
    } | more


def mail(step_id: str = "mail", *, thing: str = "1", **more: Any) -> dict[str, Any]:
    lines = more.pop("lines", [["Phone", "+13125550142"]])
    return step(
        step_id=step_id,
        connector="mailbox",
        kind="email",
        operation="send",
        scope="once",
        mail={"to": ["main@acme.example.test"], "subject": "A lead", "lines": lines},
        order_id=identity.order_id(TENANT, thing, "rule", step_id, 0),
        **more,
    )


def order(
    first: dict[str, Any], *following: dict[str, Any], phase: str = "received", tickets: Any = (), **of: Any
) -> dict[str, Any]:
    about = envelope(**of)
    return {
        "envelope": about,
        "decision_id": identity.decision_id(TENANT, about["event_id"], phase, 0),
        "phase": phase,
        "generation": 0,
        "rule_id": "a-rule",
        "rules_version": "e" * 64,
        "step": first,
        "following": list(following),
        "results": {},
        "tickets": list(tickets),
        "ordered_at": RECEIVED_AT.isoformat(),
    }


def lead_order(
    fields: Mapping[str, Any] | None = None,
    *,
    person: Mapping[str, Any] | None = None,
    write: str = "always",
    **of: Any,
) -> dict[str, Any]:
    """An order to write the person and the deal of a request."""
    about = envelope(**{key: value for key, value in of.items() if key not in ("phase", "following")})
    made = step(
        record(CONTACT, about["contact_id"], person or {"phone": "+13125550142"}, write),
        record(DEAL, about["request_id"], fields or {"title": "Roof"}, write, tied=[CONTACT]),
        **of.pop("step", {}),
    )
    return order(made, *of.pop("following", ()), **of)


@dataclass
class Crm:
    """A remote system that outlives its clients: records by their own ids, mails in a list."""

    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    mails: list[str] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    knows_mails: bool = True
    """Whether a mail can be looked up afterwards."""
    errors: list[Exception] = field(default_factory=list)
    """Raised by the next writes, before anything happens."""
    lost_answers: int = 0
    """So many writes happen, and their answer never comes."""

    def named(self, name: str) -> list[dict[str, Any]]:
        return [row["fields"] for row in self.records.values() if row["object"] == name]

    def find(self, name: str, external_id: str) -> str | None:
        found = (key for key, row in self.records.items() if (row["object"], row["id"]) == (name, external_id))
        return next(found, None)

    def write(self, what: str) -> None:
        self.calls.append(what)
        if self.errors:
            raise self.errors.pop(0)

    def answer(self) -> None:
        if self.lost_answers:
            self.lost_answers -= 1
            raise EffectUnknown("no answer", code="timeout")


class Client:
    """A connector to a `Crm`. `upserts` decides whether it finds records by external id while writing."""

    kind: ClassVar[ConnectorKind] = ConnectorKind.PIPEDRIVE
    upserts: ClassVar[bool] = False

    def __init__(self, crm: Crm) -> None:
        self.crm = crm

    async def create_lead(self, work: Work, effects: Effects) -> Delivered:
        if work.mail is not None:
            return await self._mail(work, effects)
        written = []
        for wanted in work.records:
            remote_id = effects.known.get(wanted.object) or wanted.remote_id
            if remote_id is None and self.upserts:
                remote_id = self.crm.find(wanted.object, wanted.external_id)
            written.append(await self._write(wanted, remote_id, effects))
        return Delivered(tuple(written), url="https://crm.example.test/1")

    async def update_contact(self, work: Work, effects: Effects) -> Delivered:
        return await self.create_lead(work, effects)

    async def validate_connection(self) -> Validation:
        return Validation(True)

    async def reconcile(self, work: Work, effects: Effects) -> Delivered | None:
        self.crm.calls.append("reconcile")
        if work.mail is not None:
            if not self.crm.knows_mails:
                raise EffectUnknown("nobody can tell")
            return self._sent(work) if work.order_id in self.crm.mails else None
        written = []
        for wanted in work.records:
            remote_id = effects.known.get(wanted.object) or self.crm.find(wanted.object, wanted.external_id)
            if remote_id is None:
                return None
            await effects.remember(wanted.object, remote_id)
            todo = plan_of(wanted, self.crm.records[remote_id]["fields"])
            if todo.send:
                return None
            written.append(Written(wanted.object, wanted.external_id, remote_id, False, todo.written))
        return Delivered(tuple(written))

    async def close(self) -> None:
        """Nothing is open."""

    async def _write(self, wanted: Record, remote_id: str | None, effects: Effects) -> Written:
        todo = plan_of(wanted, self.crm.records[remote_id]["fields"] if remote_id else None)
        created = remote_id is None
        await effects.sending()
        if created:
            self.crm.write(f"create {wanted.object}")
            remote_id = f"{wanted.object}-{len(self.crm.records) + 1}"
            row = {"object": wanted.object, "id": wanted.external_id, "fields": dict(todo.send)}
            self.crm.records[remote_id] = row
            self.crm.answer()
        elif todo.send:
            self.crm.write(f"update {wanted.object}")
            self.crm.records[cast(str, remote_id)]["fields"].update(todo.send)
            self.crm.answer()
        await effects.remember(wanted.object, cast(str, remote_id))
        return Written(wanted.object, wanted.external_id, remote_id, created, todo.written)

    async def _mail(self, work: Work, effects: Effects) -> Delivered:
        await effects.sending()
        self.crm.write("send")
        self.crm.mails.append(work.order_id)
        self.crm.answer()
        return self._sent(work)

    def _sent(self, work: Work) -> Delivered:
        return Delivered((Written("mail", work.order_id, f"m-{work.order_id}", True, ("mail",)),))


class Upserter(Client):
    """The same system with upserts."""

    upserts: ClassVar[bool] = True


class Pool:
    """The connectors of the process: one client for every order."""

    def __init__(self, client: CrmConnector | Exception) -> None:
        self.client = client
        self.secrets: list[str | None] = []

    @asynccontextmanager
    async def using(self, tenant_id: str, connector: Connector, secret: str | None) -> AsyncIterator[CrmConnector]:
        self.secrets.append(secret)
        if isinstance(self.client, Exception):
            raise self.client
        yield self.client


class Keys:
    """Secrets by reference, or an error."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error

    async def get(self, tenant_id: str, ref: str) -> str:
        if self.error is not None:
            raise self.error
        return "s3cr3t-token"

    async def close(self) -> None:
        """Nothing is open."""


def effector_of(
    store: Any, owner: str = "one", *, lease_seconds: float = 30.0, clock: StillClock | None = None
) -> Effector:
    return Effector(
        store=store,
        leases=Leases(store, owner, lease_seconds, patience=0.0),
        failpoints=Failpoints(),
        owner=owner,
        lease_seconds=lease_seconds,
        sleep=(clock or StillClock()).sleep,
    )


def delivery_of(
    store: FullStore,
    tenants: LiveBundles[IntakeBundle],
    client: CrmConnector | Exception,
    *,
    owner: str = "one",
    lease_seconds: float = 30.0,
    clock: StillClock | None = None,
    secrets: Keys | None = None,
) -> delivery.Delivery:
    clock = clock or StillClock()
    return delivery.Delivery(
        tenants=tenants,
        connectors=cast(ConnectorPool, Pool(client)),
        secrets=secrets or Keys(),
        effector=effector_of(store, owner, lease_seconds=lease_seconds, clock=clock),
        failpoints=Failpoints(),
        clock=clock,
    )


def model(document: Mapping[str, Any]) -> DeliveryOrder:
    return DeliveryOrder.model_validate(document)


def later(seconds: float) -> str:
    """A moment after NOW (before, when negative), as JSON has it."""
    return (NOW + timedelta(seconds=seconds)).isoformat()
