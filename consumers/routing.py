"""The routing daemon: decides what becomes of an event, once per phase, and starts the plan.

`inbound.*` is decided in the phase `received`, `analyzed` in the phase `analyzed`. The decision is put into the store
if absent, with its tickets, and what the store holds is published: a re-run after a crash cannot choose another way.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from connectors.store.seam import Draw, Parked, Scope, Store, StoreError
from consumers.own_parts import one, patient_batch, refused, unnamed
from consumers.plan import first_order
from consumers.publishing import ends_dead, outcome, publication
from consumers.rulesets import RuleSets
from consumers.runtime.clock import Clock
from consumers.runtime.failures import answer_of, parked_headers
from consumers.runtime.seam import DaemonSpec, HandlerError, Park, Publication, Record
from rules.decide import NoRule, Proposal, decide
from rules.facts import facts_of
from schemas import identity, topics
from schemas.decision import Action, Decided, Decision
from schemas.delivery import DeliveryOrder, FinalState, Outcome
from schemas.documents import Analyzed, Document, Inbound, grow
from schemas.envelope import Phase
from schemas.headers import Release


@dataclass(frozen=True, slots=True)
class Routing:
    """The daemon's handler and the parts it works with."""

    rules: RuleSets
    store: Store
    clock: Clock

    async def handle(self, records: Sequence[Record[Document]]) -> Sequence[Sequence[Publication] | HandlerError]:
        """Events, each in one phase: all are decided, what is to be kept is kept at once, then all are told."""
        proposed = [self._proposed(record) for record in records]
        kept = [_kept(proposal) for proposal in proposed if isinstance(proposal, Proposal)]
        stored = iter(await self.store.put_decisions_if_absent(kept))
        return [
            await self._told(record, next(stored)) if isinstance(proposal, Proposal) else proposal
            for record, proposal in zip(records, proposed, strict=True)
        ]

    def _proposed(self, record: Record[Document]) -> Proposal | Sequence[Publication] | HandlerError:
        """What to decide; or, where there is nothing to decide, the answer."""
        document = record.document
        envelope = document.envelope
        if isinstance(document, Inbound) and document.unparsed is not None:
            return Park("unparsed", document.unparsed.reason)
        phase = _phase(record)
        rules = self.rules.get(envelope.tenant_id)
        if rules is None:
            return unnamed(
                "unknown_tenant", "no live bundle names this tenant", loaded=self.rules.loaded, record=record
            )
        if not rules.decides(phase):
            return (self._ended(record, phase, FinalState.FILTERED, f"the tenant has no rules of phase {phase}"),)
        # The sections that were validated when the record was read need not be validated again.
        known = {**record.json, **{name: getattr(document, name) for name in type(document).model_fields}}
        try:
            return decide(rules, facts_of(known, rules.intake), known, phase)
        except NoRule as error:
            return Park("no_rule", str(error))

    async def _told(
        self, record: Record[Document], decision: Decision | StoreError
    ) -> Sequence[Publication] | HandlerError:
        if isinstance(decision, StoreError):
            return refused(decision)
        grown = grow(record.json, decision=decision)
        published = publication(topics.DECIDED, Decided, record.document.envelope, grown)
        return (published, *await self._begun(record, decision))

    async def _begun(self, record: Record[Document], decision: Decision) -> Sequence[Publication]:
        answer = answer_of(record.headers)
        if decision.action is Action.HOLD and (answer is None or answer[0] is not Release.APPROVE):
            await self._hold(record, decision, answer[1] if answer else "")
            return ()
        if decision.action is Action.FILTER:
            reason = f"rule {decision.rule_id}: {decision.reason or decision.why}"
            return (self._ended(record, decision.phase, FinalState.FILTERED, reason, decision),)
        if not decision.steps:
            approved = "; approved by a person" if decision.action is Action.HOLD else ""
            reason = f"rule {decision.rule_id} has nothing to deliver{approved}"
            return (self._ended(record, decision.phase, FinalState.RECORDED, reason, decision),)
        return first_order(record.json["envelope"], decision)

    async def _hold(self, record: Record[Document], decision: Decision, released: str) -> None:
        envelope = record.document.envelope
        await self.store.park(
            Scope(envelope.tenant_id),
            Parked(
                # What was released and is held again is a new row: noting the release of the old one never hides it.
                park_id=identity.derive("hold", decision.decision_id, released),
                stage="routing",
                reason="held_by_rule",
                detail=f"rule {decision.rule_id}: {decision.reason or decision.why}",
                event_id=envelope.event_id,
                request_id=envelope.request_id,
                topic=record.place.topic,
                record=record.value,
                headers=parked_headers(record.headers, record.place),
            ),
        )

    def _ended(
        self,
        record: Record[Document],
        phase: Phase,
        state: FinalState,
        reason: str,
        decision: Decision | None = None,
    ) -> Publication:
        return outcome(
            record.json["envelope"],
            phase=phase,
            state=state,
            reason=reason,
            at=self.clock.now(),
            generation=decision.generation if decision else 0,
            rule_id=decision.rule_id if decision else None,
        )


def _kept(proposal: Proposal) -> tuple[Scope, Decision, Sequence[Draw]]:
    draws = [Draw(pool=d.pool, order_id=d.order_id, members=d.members) for d in proposal.draws]
    return Scope(proposal.decision.tenant_id), proposal.decision, draws


def _phase(record: Record[Any]) -> Phase:
    return Phase.RECEIVED if isinstance(record.document, Inbound) else Phase.ANALYZED


def spec(handler: Routing) -> DaemonSpec[Document]:
    """The daemon."""
    inbound = (topics.INBOUND_CALLS, topics.INBOUND_MESSAGES)
    handle = patient_batch(handler.handle)
    return DaemonSpec(
        name="routing",
        description="Decides by each tenant's rules what becomes of a lead, once per phase.",
        topics={
            **dict.fromkeys((*inbound, *map(topics.overflow, inbound)), Inbound),
            topics.ANALYZED: Analyzed,
        },
        publishes={
            topics.DECIDED: Decided,
            **dict.fromkeys(sorted(topics.DELIVER.values()), DeliveryOrder),
            topics.OUTCOMES: Outcome,
        },
        handler=one(handle),
        batch_handler=handle,
        batch_size=50,
        slots=16,
        on_dead=ends_dead("routing", handler.clock, _phase),
        handler_timeout=60.0,
    )
