"""How a step's effect happens once: records by field ledger and upsert, everything else by claim.

    upsert by external id     select fields, write, note them in the ledger; a crash in between writes the same again
    create without upsert     the creation is claimed; afterwards the remote ids are known and updates are by id
    mail and the like         the order is claimed; unknown ends are looked up, then the step's `on_unknown` decides

The vendor's deadline lies inside the lease, so a lease that expired belongs to a process that is not writing any more.
"""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter

from connectors.crm.seam import (
    ConnectorError,
    CrmConnector,
    Delivered,
    Effects,
    EffectUnknown,
    PermanentRefusal,
    Retryable,
    Work,
)
from connectors.store.seam import Claim, Conflict, Scope, Store
from consumers.ledger import Leases, LedgerEffects, NoEffects, Selection, after_writing, select, with_tickets
from consumers.runtime.failpoints import Failpoints
from consumers.runtime.seam import Park, RetryAfter
from schemas import identity
from schemas.decision import MailWrite, OnUnknown, Operation, RecordWrite
from schemas.delivery import DeliveryOrder, FinalState


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

    async def write_records(self, order: DeliveryOrder, crm: CrmConnector) -> Done:
        """A step of scope `record`."""
        scope = Scope(order.envelope.tenant_id)
        asked = [_resolved(record, order) for record in order.step.records]
        shared = sorted({(r.object, r.external_id) for r in asked if r.external_id != order.envelope.request_id})
        async with contextlib.AsyncExitStack() as stack:
            for object_name, external_id in shared:
                await stack.enter_async_context(
                    self.leases.held(scope, order.step.connector_id, object_name, external_id)
                )
            selections = [await self._selection(scope, order, record) for record in asked]
            if not any(s.write for s in selections):
                return _told_again(selections)
            if crm.upserts or all(s.target.remote_id for s in selections):
                delivered = await self._call(crm, order, _work(order, selections), NoEffects())
            else:
                delivered = await self._create(scope, order, crm, selections)
            self.failpoints.hit("after_vendor_answer_before_done")
            for selection, written in zip(selections, _in_order(selections, delivered), strict=True):
                if written is not None:
                    await self._note(scope, order, selection, written)
        fields = sum(len(w.fields) for w in delivered.written)
        created = [w.object for w in delivered.written if w.created]
        if not fields and not created:
            return Done(
                FinalState.SUPERSEDED, "nothing left to write: the record's own values stand", delivered.remote_ids
            )
        what = f"created {', '.join(created)}" if created else f"updated {fields} field{'s' if fields != 1 else ''}"
        return Done(FinalState.DELIVERED, f"{order.step.connector_id}: {what}", delivered.remote_ids, delivered.url)

    async def send_once(self, order: DeliveryOrder, crm: CrmConnector) -> Done:
        """A step of scope `once`."""
        scope = Scope(order.envelope.tenant_id)
        claim = await self.store.claim_order(scope, order.step.order_id, self.owner, self.lease_seconds)
        mail = order.step.mail
        work = Work(
            order_id=order.step.order_id,
            request_id=order.envelope.request_id,
            contact_id=order.envelope.contact_id,
            mail=MailWrite.model_validate(with_tickets(mail.model_dump(), order.tickets)) if mail else None,
        )
        result = await self._claimed(scope, order, crm, claim, work)
        return Done(
            FinalState.DELIVERED,
            f"{order.step.connector_id}: sent once",
            result.get("remote_ids", {}),
            result.get("url"),
        )

    async def _selection(self, scope: Scope, order: DeliveryOrder, asked: RecordWrite) -> Selection:
        target = await self.store.get_target(scope, order.step.connector_id, asked.object, asked.external_id)
        return select(target, asked, _revision(order, asked), order.phase)

    async def _create(
        self, scope: Scope, order: DeliveryOrder, crm: CrmConnector, selections: Sequence[Selection]
    ) -> Delivered:
        """Create what has no remote id yet, claimed; what a finished creation left behind is updated by id."""
        missing = [s.asked.object for s in selections if not s.target.remote_id]
        creation = identity.derive(
            "creation", scope.tenant_id, order.step.connector_id, order.envelope.request_id, *missing
        )
        claim = await self.store.claim_order(scope, creation, self.owner, self.lease_seconds)
        if claim.state == "done":
            ids = {**claim.parts, **(claim.result or {}).get("remote_ids", {})}
            return await self._call(crm, order, _work(order, selections, ids), NoEffects(ids))
        work = _work(order, selections, claim.parts)
        effects = LedgerEffects(self.store, scope, _mine(claim), self.owner)
        try:
            return await self._effect(scope, order, crm, work, effects)
        except PermanentRefusal:
            await self._released(scope, effects)  # a later revision may say it right
            raise

    async def _claimed(
        self, scope: Scope, order: DeliveryOrder, crm: CrmConnector, claim: Claim, work: Work
    ) -> Mapping[str, Any]:
        """The effect of an order that must not be repeated; its result, fresh or from the ledger."""
        if claim.state == "done":
            return claim.result or {}
        if claim.state == "failed":
            raise PermanentRefusal((claim.result or {}).get("reason", "refused before"), code="ledger")
        effects = LedgerEffects(self.store, scope, _mine(claim), self.owner)
        try:
            delivered = await self._effect(scope, order, crm, work, effects)
        except PermanentRefusal as error:
            await self.store.finish_order(scope, effects.claim, self.owner, "failed", {"reason": error.words})
            raise
        return {"remote_ids": delivered.remote_ids, "url": delivered.url}

    async def _effect(
        self, scope: Scope, order: DeliveryOrder, crm: CrmConnector, work: Work, effects: LedgerEffects
    ) -> Delivered:
        """Under a claim of ours: look up what may have happened, else do it; then `done`."""
        delivered = await self._looked_up(order, crm, work, effects) if effects.claim.state == "sent" else None
        if delivered is None:
            try:
                delivered = await self._call(crm, order, work, effects)
            except (PermanentRefusal, EffectUnknown):
                raise
            except ConnectorError:
                if not effects.claim.parts:
                    await self._released(scope, effects)
                raise
        self.failpoints.hit("after_vendor_answer_before_done")
        result = {"remote_ids": delivered.remote_ids, "url": delivered.url}
        await self.store.finish_order(scope, effects.claim, self.owner, "done", result)
        return delivered

    async def _released(self, scope: Scope, effects: LedgerEffects) -> None:
        with contextlib.suppress(Conflict):
            await self.store.release_order(scope, effects.claim, self.owner)

    async def _looked_up(
        self, order: DeliveryOrder, crm: CrmConnector, work: Work, effects: LedgerEffects
    ) -> Delivered | None:
        try:
            return await crm.reconcile(work, effects)
        except EffectUnknown as error:
            if order.step.on_unknown is OnUnknown.RETRY:
                return None
            raise Park(
                "effect_unknown",
                f"{order.step.connector_id}: whether it was sent cannot be told; {error.words}",
                connector_id=order.step.connector_id,
            ) from error

    async def _call(self, crm: CrmConnector, order: DeliveryOrder, work: Work, effects: Effects) -> Delivered:
        """The vendor's call, its deadline inside the lease, with a few quick retries of what had no effect."""
        verb = crm.update_contact if order.step.operation is Operation.UPDATE_CONTACT else crm.create_lead
        try:
            async with asyncio.timeout(self.lease_seconds * 0.8):
                async for attempt in AsyncRetrying(
                    stop=stop_after_attempt(3),
                    wait=wait_exponential_jitter(initial=0.2, max=2.0),
                    retry=retry_if_exception_type(Retryable),
                    reraise=True,
                ):
                    with attempt:
                        return await verb(work, effects)
        except TimeoutError as error:
            raise EffectUnknown("no answer within the lease", code="timeout") from error
        raise AssertionError("unreachable: the last attempt returns or raises")

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


def _mine(claim: Claim) -> Claim:
    if not claim.mine:
        raise RetryAfter("in_progress", "another process holds the lease", delay=10.0)
    return claim


def _revision(order: DeliveryOrder, record: RecordWrite) -> str:
    revision = order.envelope.revision
    return revision.key() if record.external_id == order.envelope.request_id else revision.shared_key()


def _resolved(record: RecordWrite, order: DeliveryOrder) -> RecordWrite:
    fields = tuple(f.model_copy(update={"value": with_tickets(f.value, order.tickets)}) for f in record.fields)
    return record.model_copy(update={"fields": tuple(f for f in fields if f.value is not None)})


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
        return Done(FinalState.DELIVERED, "written before; told again from the ledger", ids)
    return Done(FinalState.SUPERSEDED, "a newer revision has written every field", ids)
