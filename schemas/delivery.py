"""Orders to the delivery daemon, and the final states that make the counts add up.

A plan is a chain: an order carries the step to do, the steps that follow and the results so far; whoever finishes a
step publishes the next order. There is no other workflow state.
"""

from typing import ClassVar

from pydantic import Field

from schemas.base import Id, Moment, OpenEnum, Sha256, Slug
from schemas.decision import ConnectorKind, PlannedStep, StepResult, Ticket
from schemas.documents import Document
from schemas.envelope import Phase


class DeliveryOrder(Document):
    """What routing, and then delivery itself, publishes to `deliver.<kind>`."""

    schema_name: ClassVar[str] = "delivery-order"

    decision_id: Id
    phase: Phase
    generation: int = 0
    rule_id: Slug
    rules_version: Sha256
    step: PlannedStep
    following: tuple[PlannedStep, ...] = ()
    results: dict[str, StepResult] = Field(default_factory=dict)
    tickets: tuple[Ticket, ...] = ()
    ordered_at: Moment
    """When the chain began: `give_up_after_hours` counts from here."""


class FinalState(OpenEnum):
    """How (event, phase, step) ended. Parked and retrying are open states and are not listed here."""

    DELIVERED = "delivered"
    RECORDED = "recorded"
    FILTERED = "filtered"
    SUPERSEDED = "superseded"
    DUPLICATE = "duplicate"
    DEAD = "dead"
    EXPIRED = "expired"
    OTHER = "other"


class OpenState(OpenEnum):
    """States that something or someone must still end."""

    PARKED = "parked"
    RETRYING = "retrying"
    OTHER = "other"


class Outcome(Document):
    """What every daemon publishes to `outcomes`: one per (event, phase, step), always with a reason."""

    schema_name: ClassVar[str] = "outcome"

    outcome_id: Id
    phase: Phase
    step_id: str = ""
    """Empty for the phase as a whole."""
    generation: int = 0
    state: FinalState
    reason: str
    """For a person: which rule filtered it, what the vendor said, which revision was newer."""
    rule_id: Slug | None = None
    connector_id: Slug | None = None
    connector_kind: ConnectorKind | None = None
    remote_ids: dict[str, str] = Field(default_factory=dict)
    last: bool = True
    """No further step of this phase will be tried."""
    at: Moment
