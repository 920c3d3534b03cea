"""Values to store: complete enough to be real, with ids that follow from a word."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from connectors.store.columns import VECTOR_LENGTH
from connectors.store.seam import Arrival, Parked, Scope
from schemas import identity
from schemas.decision import Action, Clause, Decision
from schemas.delivery import FinalState, Outcome
from schemas.envelope import Envelope, Phase, Revision
from schemas.lead import Mode

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
AWKWARD = "Zoë Ωmega 中文 👩‍🚀 \u202e rtl \x00 nul ' \" \\ ; -- %_ \n\t end"


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def named(word: str) -> str:
    """A UUID for a word."""
    return identity.derive("sample", word)


def vector(seed: int) -> list[float]:
    return [float(x) for x in np.random.default_rng(seed).normal(size=VECTOR_LENGTH).astype(np.float32)]


def arrival(event: str, *, offset: int = 0, topic: str = "inbound.calls", partition: int = 3) -> Arrival:
    return Arrival(
        event_id=named(event),
        request_id=named("request"),
        topic=topic,
        partition=partition,
        offset=offset,
        source="callrail",
        event_kind="post_call",
        received_at=NOON,
    )


def decision(scope: Scope, event: str = "event", *, why: str = "because", generation: int = 0, **more: Any) -> Decision:
    return Decision(
        decision_id=identity.decision_id(scope.tenant_id, named(event), "analyzed", generation),
        tenant_id=scope.tenant_id,
        event_id=named(event),
        request_id=named("request"),
        phase=Phase.ANALYZED,
        generation=generation,
        action=Action.DELIVER,
        rule_id="hot",
        rule_title="Hot leads",
        why=why,
        clauses=(Clause(text="score is at least 80", met=True),),
        rules_version="a" * 64,
        intake_version="b" * 64,
        facts_sha256="c" * 64,
        engine="datalogic 5",
        decided_at=NOON,
        **more,
    )


def envelope(scope: Scope, event: str, request: str) -> Envelope:
    return Envelope(
        tenant_id=scope.tenant_id,
        endpoint_id="calls",
        source="callrail",
        event_kind="post_call",
        mode=Mode.PHONE_CALL,
        event_id=named(event),
        request_id=named(request),
        contact_id=named("contact"),
        revision=Revision(received_at=NOON, event_id=named(event)),
        received_at=NOON,
    )


def outcome(
    scope: Scope,
    event: str = "event",
    *,
    request: str = "request",
    step: str = "1",
    state: FinalState = FinalState.DELIVERED,
    generation: int = 0,
    seconds: float = 0,
) -> Outcome:
    return Outcome(
        envelope=envelope(scope, event, request),
        outcome_id=identity.outcome_id(scope.tenant_id, named(event), "analyzed", step, generation),
        phase=Phase.ANALYZED,
        step_id=step,
        generation=generation,
        state=state,
        reason="the vendor has it",
        at=at(seconds),
    )


def parked(park_id: str = "p1", **more: Any) -> Parked:
    values: dict[str, Any] = {
        "stage": "delivery",
        "reason": "budget",
        "detail": AWKWARD,
        "event_id": named("event"),
        "request_id": named("request"),
        "topic": "deliver.hubspot",
        "record": bytes(range(256)),
        "headers": (("tenant", b"acme"), ("odd", b"\x00\xff"), ("tenant", b"twice")),
    }
    return Parked(park_id=park_id, **{**values, **more})
