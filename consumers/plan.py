"""A plan is a chain: from a decision to its first order, from a finished step to the next.

Every order carries the steps that follow and the results so far, so whoever finishes a step knows what is next, and
nobody keeps workflow state. A chain that stops ends every step it leaves behind with a reason.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from consumers.publishing import outcome, publication
from consumers.runtime.seam import Publication
from schemas.decision import Decision, OnError, PlannedStep, StepResult
from schemas.delivery import DeliveryOrder, FinalState
from schemas.envelope import Envelope
from schemas.topics import DELIVER


def first_order(envelope: Mapping[str, Any], decision: Decision) -> Sequence[Publication]:
    """The order of a decision's first step; nothing for a decision without steps."""
    if not decision.steps:
        return ()
    order = DeliveryOrder(
        envelope=Envelope.model_validate(envelope),
        decision_id=decision.decision_id,
        phase=decision.phase,
        generation=decision.generation,
        rule_id=decision.rule_id,
        rules_version=decision.rules_version,
        step=decision.steps[0],
        following=decision.steps[1:],
        tickets=decision.tickets,
        ordered_at=decision.decided_at,
    )
    told = order.model_dump(mode="json", exclude={"envelope"})
    return (_published(order, {"envelope": envelope, **told}),)


def next_order(order: DeliveryOrder, as_read: Mapping[str, Any], result: StepResult) -> Sequence[Publication]:
    """The order of the step after this one, with this one's result; nothing after the last."""
    if not order.following:
        return ()
    following = list(as_read["following"])
    grown = dict(as_read) | {
        "step": following[0],
        "following": following[1:],
        "results": {**as_read.get("results", {}), order.step.step_id: result.model_dump(mode="json")},
    }
    return (_published(DeliveryOrder.model_validate(grown), grown),)


def finished(
    order: DeliveryOrder,
    as_read: Mapping[str, Any],
    state: FinalState,
    reason: str,
    at: datetime,
    *,
    remote_ids: Mapping[str, str] | None = None,
    url: str | None = None,
) -> Sequence[Publication]:
    """The final state of the step, and what becomes of the rest of the chain."""
    failed = state in (FinalState.DEAD, FinalState.EXPIRED)
    stops = failed and order.step.on_error is OnError.STOP
    ended = [_ended(order, as_read, order.step, state, reason, at, last=not order.following, ids=remote_ids)]
    if stops:
        untried = f"not tried: step {order.step.step_id} ended {state}"
        left = [
            _ended(order, as_read, step, state, untried, at, last=step is order.following[-1])
            for step in order.following
        ]
        return (*ended, *left)
    result = StepResult(state=state.value, remote_ids=dict(remote_ids or {}), url=url)
    return (*ended, *next_order(order, as_read, result))


def discarded(order: DeliveryOrder, as_read: Mapping[str, Any], reason: str, at: datetime) -> Sequence[Publication]:
    """The end of a chain that a person does not want: this step and all that follow are filtered."""
    steps = (order.step, *order.following)
    return [_ended(order, as_read, s, FinalState.FILTERED, reason, at, last=s is steps[-1]) for s in steps]


def _ended(
    order: DeliveryOrder,
    as_read: Mapping[str, Any],
    step: PlannedStep,
    state: FinalState,
    reason: str,
    at: datetime,
    *,
    last: bool,
    ids: Mapping[str, str] | None = None,
) -> Publication:
    return outcome(
        as_read["envelope"],
        phase=order.phase,
        state=state,
        reason=reason[:1000],
        at=at,
        step_id=step.step_id,
        generation=order.generation,
        rule_id=order.rule_id,
        connector_id=step.connector_id,
        connector_kind=step.connector_kind,
        remote_ids=dict(ids or {}),
        last=last,
    )


def _published(order: DeliveryOrder, as_json: Mapping[str, Any]) -> Publication:
    # A kind that a newer routing knows has its topic by the same rule.
    topic = DELIVER.get(order.step.connector_kind) or f"deliver.{as_json['step']['connector_kind']}"
    return publication(topic, DeliveryOrder, order.envelope, as_json)
