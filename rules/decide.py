"""The decision about one event in one phase: the first rule that matches, and its plan with every value resolved.

Pure and deterministic: the same bundle, document, phase and generation give the same bytes on every machine at any
time. No clock is read (`decided_at` and expiry come from the event), nothing is drawn: what a step takes from a pool
is asked for in `Proposal.draws`, and the store numbers it in the transaction that keeps the decision. Until then
fields hold the placeholder {"$ticket": "<pool>"} (rules/values.py), which delivery replaces from `Decision.tickets`.

Spam and other traffic is a matter of the tenant's rules: `drop` filters, `hold` parks, anything else delivers.

Fails with `NoRule` when no rule of the phase matches, which `check` rules out by asking for a fallback.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rules.engine import CompiledBundle, Match
from rules.operators import ENGINE_NAME
from rules.plan import Draw, Plan, Planner
from rules.words import clauses_of
from schemas import codec, identity
from schemas.decision import Action, Clause, Decision
from schemas.envelope import Envelope, Phase


class NoRule(Exception):
    """No rule of the phase matched: the bundle was never checked. The message names tenant and phase."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A decision without its tickets, and the tickets to draw for it."""

    decision: Decision
    draws: tuple[Draw, ...] = ()


def decide(
    compiled: CompiledBundle, facts: Mapping[str, Any], document: Mapping[str, Any], phase: Phase, generation: int = 0
) -> Proposal:
    """The proposal for a parsed document; `facts` are `facts_of(document, compiled.intake)`. Raises `NoRule`.

    Ask `compiled.decides(phase)` first: a tenant need not have rules for both phases.
    """
    envelope = Envelope.model_validate(document["envelope"])
    match = compiled.first_match(facts, phase)
    if match is None:
        raise NoRule(f"tenant {envelope.tenant_id}: no rule of phase {phase.value} matches")
    rule = match.rule
    if match.failed:
        plan = Plan(hold="a rule could not be evaluated")
    else:
        plan = Planner(compiled.intake, compiled.rules, facts, envelope, generation).plan(rule)
    action, reason = _action(plan)
    filtered = action is Action.FILTER
    decision = Decision(
        decision_id=identity.decision_id(envelope.tenant_id, envelope.event_id, phase.value, generation),
        tenant_id=envelope.tenant_id,
        event_id=envelope.event_id,
        request_id=envelope.request_id,
        phase=phase,
        generation=generation,
        action=action,
        rule_id=rule.id,
        rule_title=rule.title,
        why=rule.why,
        reason=reason,
        notes=(*_errors(match), *plan.notes),
        clauses=tuple(Clause(text=text, met=not match.failed) for text in clauses_of(rule)),
        rules_version=compiled.hashes.rules,
        intake_version=compiled.hashes.intake,
        facts_sha256=codec.digest(facts),
        engine=ENGINE_NAME,
        office_id=envelope.office_id,
        tags=tuple(plan.tags),
        steps=() if filtered else tuple(plan.steps),
        decided_at=envelope.received_at,
    )
    return Proposal(decision, () if filtered else tuple(plan.draws))


def _action(plan: Plan) -> tuple[Action, str | None]:
    if plan.drop:
        return Action.FILTER, plan.drop
    if plan.hold:
        # The steps stay in the decision: they are what happens when a person releases the lead.
        return Action.HOLD, plan.hold
    return Action.DELIVER, None


def _errors(match: Match) -> list[str]:
    return [f"rule {rule_id} could not be evaluated ({code})" for rule_id, code in sorted(match.errors.items())]
