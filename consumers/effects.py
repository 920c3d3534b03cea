"""How a step's effect happens once: records by field ledger and upsert, everything else by claim.

    upsert by external id     select fields, write, note them in the ledger; a crash in between writes the same again
    create without upsert     each creation is claimed; afterwards the remote ids are known and updates are by id
    mail and the like         the order is claimed; unknown ends are looked up, then the step's `on_unknown` decides

The vendor's deadline, look-ups included, lies inside the lease, so a lease that expired belongs to a process that is
not writing any more.
"""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from connectors.crm.seam import (
    CrmConnector,
    Delivered,
    PermanentRefusal,
    Work,
)
from connectors.store.seam import Claim, Conflict, Scope, Store
from consumers.calls import Calls
from consumers.creations import Creations, creation_id
from consumers.ledger import (
    Leases,
    LedgerEffects,
    Selection,
    Sleep,
    after_writing,
    in_progress,
    select,
    vendor_deadline,
    with_tickets,
)
from consumers.runtime.failpoints import Failpoints
from consumers.runtime.seam import RetryAfter
from schemas.decision import MailWrite, RecordWrite
from schemas.decision import Scope as StepScope
from schemas.delivery import DeliveryOrder, FinalState
from schemas.headers import Release

TOLD_AGAIN = "written before; told again from the ledger"


@dataclass(frozen=True, slots=True)
class Done:
    """How a step ended well."""

    state: FinalState
    reason: str
    remote_ids: Mapping[str, str] = field(default_factory=dict)
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Effector:
    """Carries out steps against the ledger."""

    store: Store
    leases: Leases
    failpoints: Failpoints
    owner: str
    lease_seconds: float = 30.0
    sleep: Sleep = asyncio.sleep

    async def begun(self, order: DeliveryOrder) -> bool:
        """Whether the ledger knows of an attempt at this step. Such a step is finished, though its time has passed."""
        scope = Scope(order.envelope.tenant_id)
        if order.step.scope is not StepScope.RECORD:
            return await self._touched(scope, order.step.order_id)
        for record in order.step.records:
            selection = await self._selection(scope, order, record)
            if selection.written_before:
                return True
            creation = creation_id(scope, order.step.connector_id, record)
            if not selection.target.remote_id and await self._touched(scope, creation):
                return True
        return False

    async def _touched(self, scope: Scope, claimed: str) -> bool:
        claim = await self.store.claim_order(scope, claimed, self.owner, self.lease_seconds)
        if not claim.mine or claim.state != "claimed":
            return True
        await self.store.release_order(scope, claim, self.owner)
        return False

    async def write_records(self, order: DeliveryOrder, crm: CrmConnector) -> Done:
        """A step of scope `record`."""
        scope = Scope(order.envelope.tenant_id)
        asked = [_resolved(record, order) for record in order.step.records]
        shared = sorted({(r.object, r.external_id) for r in asked if r.external_id != order.envelope.request_id})
        async with contextlib.AsyncExitStack() as stack:
            deadlines = [vendor_deadline(self.lease_seconds)]
            for object_name, external_id in shared:
                lease = self.leases.held(scope, order.step.connector_id, object_name, external_id)
                deadlines.append(await stack.enter_async_context(lease))
            # The first deadline counts from before the waiting: it is for records that nobody shares.
            deadline = min(deadlines[1:] or deadlines)
            selections = [await self._selection(scope, order, record) for record in asked]
            if not any(s.write for s in selections):
                return _told_again(selections)
            creations = Creations(self.store, scope, self.owner, self.sleep)
            calls = self._calls(order, crm, deadline)
            if crm.upserts:
                delivered = await calls.made(_work(order, selections), creations)
            else:
                delivered = await self._create(calls, selections, creations)
            self.failpoints.hit("after_vendor_answer_before_done")
            for selection, written in zip(selections, _in_order(selections, delivered), strict=True):
                if written is not None:
                    await self._note(scope, order, selection, written)
        fields = sum(len(w.fields) for w in delivered.written)
        created = [w.object for w in delivered.written if w.created]
        if not fields and not created and not any(s.written_before for s in selections):
            return Done(
                FinalState.SUPERSEDED, "nothing left to write: the record's own values stand", delivered.remote_ids
            )
        if not fields and not created:
            return Done(FinalState.DELIVERED, TOLD_AGAIN, delivered.remote_ids, delivered.url)
        what = f"created {', '.join(created)}" if created else f"updated {fields} field{'s' if fields != 1 else ''}"
        return Done(FinalState.DELIVERED, f"{order.step.connector_id}: {what}", delivered.remote_ids, delivered.url)

    async def send_once(
        self, order: DeliveryOrder, crm: CrmConnector, answer: tuple[Release, str] | None = None
    ) -> Done:
        """A step of scope `once`. `answer` is what a person said who released it, and the id it was parked under."""
        scope = Scope(order.envelope.tenant_id)
        deadline = vendor_deadline(self.lease_seconds)
        claim = await self.store.claim_order(scope, order.step.order_id, self.owner, self.lease_seconds)
        work = Work(
            order_id=order.step.order_id,
            request_id=order.envelope.request_id,
            contact_id=order.envelope.contact_id,
            mail=_mail(order),
        )
        result = await self._claimed(scope, self._calls(order, crm, deadline), claim, work, answer)
        return Done(
            FinalState.DELIVERED,
            f"{order.step.connector_id}: sent once",
            result.get("remote_ids", {}),
            result.get("url"),
        )

    async def _selection(self, scope: Scope, order: DeliveryOrder, asked: RecordWrite) -> Selection:
        target = await self.store.get_target(scope, order.step.connector_id, asked.object, asked.external_id)
        return select(target, asked, _revision(order, asked), order.phase)

    def _calls(self, order: DeliveryOrder, crm: CrmConnector, deadline: float) -> Calls:
        return Calls(crm, order, deadline, self.failpoints, self.sleep)

    async def _create(self, calls: Calls, selections: Sequence[Selection], creations: Creations) -> Delivered:
        """Create what has no remote id yet, claimed; what is known is updated by id."""
        order = calls.order
        await creations.claim(order.step.connector_id, selections, self.lease_seconds)
        try:
            return await calls.claimed(lambda: _work(order, selections, creations.known), creations)
        except PermanentRefusal:
            await creations.release()  # a later revision may say it right
            raise

    async def _claimed(
        self, scope: Scope, calls: Calls, claim: Claim, work: Work, answer: tuple[Release, str] | None
    ) -> Mapping[str, Any]:
        """The effect of an order that must not be repeated; its result, fresh or from the ledger."""
        if claim.state == "done":
            return claim.result or {}
        if claim.state == "failed":
            raise PermanentRefusal((claim.result or {}).get("reason", "refused before"), code="ledger")
        if not claim.mine:
            raise in_progress()
        effects = LedgerEffects(self.store, scope, claim, self.owner, self.sleep)
        said, park_id = answer or (Release.AGAIN, "")
        if said is Release.SENT:
            await effects.settle(Delivered(()))
            return {}
        if said is Release.NOT_SENT and effects.in_doubt:
            await effects.rule_out(park_id)
        try:
            delivered = await calls.claimed(lambda: work, effects)
        except PermanentRefusal as error:
            await effects.refuse(error.words)
            raise
        return {"remote_ids": delivered.remote_ids, "url": delivered.url}

    async def _note(self, scope: Scope, order: DeliveryOrder, selection: Selection, written: Any) -> None:
        """Write the ledger row; on a race read it again and keep whatever is newer."""
        target = selection.target
        for _ in range(5):
            row = after_writing(target, selection.asked, written, _revision(order, selection.asked), order.phase)
            try:
                await self.store.put_target(scope, row)
                return
            except Conflict:
                target = await self.store.get_target(scope, target.connector_id, target.object, target.external_id)
        raise RetryAfter("ledger_busy", "the ledger row kept changing", delay=10.0)


def _revision(order: DeliveryOrder, record: RecordWrite) -> str:
    revision = order.envelope.revision
    return revision.key() if record.external_id == order.envelope.request_id else revision.shared_key()


def _resolved(record: RecordWrite, order: DeliveryOrder) -> RecordWrite:
    fields = tuple(f.model_copy(update={"value": with_tickets(f.value, order.tickets)}) for f in record.fields)
    return record.model_copy(update={"fields": tuple(f for f in fields if f.value is not None)})


def _mail(order: DeliveryOrder) -> MailWrite | None:
    """The mail with its tickets; a line whose ticket was never drawn is left out."""
    mail = order.step.mail
    if mail is None:
        return None
    values = with_tickets(mail.model_dump(), order.tickets)
    values["lines"] = [line for line in values["lines"] if None not in line]
    return MailWrite.model_validate(values)


def _work(order: DeliveryOrder, selections: Sequence[Selection], ids: Mapping[str, str] | None = None) -> Work:
    return Work(
        order_id=order.step.order_id,
        request_id=order.envelope.request_id,
        contact_id=order.envelope.contact_id,
        records=tuple(s.record((ids or {}).get(s.asked.object)) for s in selections),
    )


def _in_order(selections: Sequence[Selection], delivered: Delivered) -> list[Any]:
    by_object = {w.object: w for w in delivered.written}
    return [by_object.get(s.asked.object) for s in selections]


def _told_again(selections: Sequence[Selection]) -> Done:
    """Nothing is left to write: either this very step was done before, or everything in it has been overtaken."""
    ids = {s.asked.object: s.target.remote_id for s in selections if s.target.remote_id}
    if any(s.written_before for s in selections):
        return Done(FinalState.DELIVERED, TOLD_AGAIN, ids)
    if not any(s.asked.fields for s in selections):
        return Done(FinalState.SUPERSEDED, "the step has no value to write", ids)
    return Done(FinalState.SUPERSEDED, "a newer revision has written every field", ids)
