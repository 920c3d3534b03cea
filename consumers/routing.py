"""The routing daemon: decides what becomes of an event, once per phase, and starts the plan.

`inbound.*` is decided in the phase `received`, `analyzed` in the phase `analyzed`. The decision is put into the store
if absent, with its tickets, and what the store holds is published: a re-run after a crash cannot choose another way.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from connectors.store.seam import Draw, Parked, Scope, Store
from consumers.own_parts import patient, unnamed
from consumers.plan import first_order
from consumers.publishing import ends_dead, outcome, publication
from consumers.rulesets import RuleSets
from consumers.runtime.clock import Clock
from consumers.runtime.failures import OURS
from consumers.runtime.seam import DaemonSpec, Park, Publication, Record
from rules.decide import NoRule, decide
from rules.facts import facts_of
from schemas import identity, topics
from schemas.decision import Action, Decided, Decision
from schemas.delivery import DeliveryOrder, FinalState, Outcome
from schemas.documents import Analyzed, Document, Inbound, grow
from schemas.envelope import Phase


@dataclass(frozen=True, slots=True)
class Routing:
    """The daemon's handler and the parts it works with."""

    rules: RuleSets
    store: Store
    clock: Clock

    async def handle(self, record: Record[Document]) -> Sequence[Publication]:
        """One event in one phase."""
        document = record.document
        envelope = document.envelope
        if isinstance(document, Inbound) and document.unparsed is not None:
            raise Park("unparsed", document.unparsed.reason)
        phase = _phase(record)
        rules = self.rules.get(envelope.tenant_id)
        if rules is None:
            raise unnamed("unknown_tenant", "no live bundle names this tenant", loaded=self.rules.loaded, record=record)
        if not rules.decides(phase):
            return (self._ended(record, phase, FinalState.FILTERED, f"the tenant has no rules of phase {phase}"),)
        try:
            proposal = decide(rules, facts_of(record.json, rules.intake), record.json, phase)
        except NoRule as error:
            raise Park("no_rule", str(error)) from error
        draws = [Draw(pool=d.pool, order_id=d.order_id, members=d.members) for d in proposal.draws]
        decision = await self.store.put_decision_if_absent(Scope(envelope.tenant_id), proposal.decision, draws)
        grown = grow(record.json, decision=decision)
        published = publication(topics.DECIDED, Decided, envelope, grown)
        return (published, *await self._begun(record, decision))

    async def _begun(self, record: Record[Document], decision: Decision) -> Sequence[Publication]:
        if decision.action is Action.HOLD:
            await self._hold(record, decision)
            return ()
        if decision.action is Action.FILTER:
            reason = f"rule {decision.rule_id}: {decision.reason or decision.why}"
            return (self._ended(record, decision.phase, FinalState.FILTERED, reason, decision),)
        if not decision.steps:
            reason = f"rule {decision.rule_id} has nothing to deliver"
            return (self._ended(record, decision.phase, FinalState.RECORDED, reason, decision),)
        return first_order(record.json["envelope"], decision)

    async def _hold(self, record: Record[Document], decision: Decision) -> None:
        envelope = record.document.envelope
        await self.store.park(
            Scope(envelope.tenant_id),
            Parked(
                park_id=identity.derive("hold", decision.decision_id),
                stage="routing",
                reason="held_by_rule",
                detail=f"rule {decision.rule_id}: {decision.reason or decision.why}",
                event_id=envelope.event_id,
                request_id=envelope.request_id,
                topic=record.place.topic,
                record=record.value,
                headers=tuple((n, value) for n, value in record.headers.raw if value is not None and n not in OURS),
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


def _phase(record: Record[Any]) -> Phase:
    return Phase.RECEIVED if isinstance(record.document, Inbound) else Phase.ANALYZED


def spec(handler: Routing) -> DaemonSpec[Document]:
    """The daemon."""
    inbound = (topics.INBOUND_CALLS, topics.INBOUND_MESSAGES)
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
        handler=patient(handler.handle),
        on_dead=ends_dead("routing", handler.clock, _phase),
        handler_timeout=60.0,
    )
