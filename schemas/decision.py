"""What routing decided about an event in a phase: made once, kept in the store, published from there.

A decision is complete: every value that a step will write is resolved in it, so that carrying it out needs neither the
rules nor the facts, and re-evaluating it later gives the same bytes.
"""

from typing import Any, ClassVar, Literal

from pydantic import Field

from schemas.base import Id, Json, Moment, OpenEnum, Section, Sha256, Slug
from schemas.documents import Analysis, Document, RawBody, Transcript
from schemas.envelope import Phase
from schemas.lead import Lead


class Write(OpenEnum):
    """When a field may be written to a record that a person may have edited."""

    ON_CREATE = "on_create"
    IF_EMPTY = "if_empty"
    IF_OURS = "if_ours"
    ALWAYS = "always"
    OTHER = "other"


class Scope(OpenEnum):
    """`record`: a record that later revisions and phases write again. `once`: an effect that is never repeated."""

    RECORD = "record"
    ONCE = "once"
    OTHER = "other"


class Operation(OpenEnum):
    """What a step asks of a connector."""

    CREATE_LEAD = "create_lead"
    UPDATE_CONTACT = "update_contact"
    SEND = "send"
    OTHER = "other"


class ConnectorKind(OpenEnum):
    """The kinds of systems that leads are delivered to; each has a `deliver.*` topic."""

    HUBSPOT = "hubspot"
    SALESFORCE = "salesforce"
    PIPEDRIVE = "pipedrive"
    EMAIL = "email"
    HTTP = "http"
    MCP = "mcp"
    OTHER = "other"


class FieldWrite(Section):
    """One field of a record and the value for it. Null never overwrites: such fields are left out."""

    name: str
    value: Json
    write: Write = Write.IF_EMPTY


class RecordWrite(Section):
    """One record of the remote system: the person (external id = contact_id) or the deal, lead, note (request_id)."""

    object: str
    """The mapping's name of the object: contact, deal, lead, note."""
    external_id: Id
    fields: tuple[FieldWrite, ...] = ()
    associate_with: tuple[str, ...] = ()
    """Objects of the same step that this record is tied to."""


class MailWrite(Section):
    """A mail to a tenant's mailbox. Values are text; the connector escapes them."""

    to: tuple[str, ...]
    subject: str
    lines: tuple[tuple[str, str], ...] = ()
    """Label and value, in order."""
    reply_to: str | None = None
    template_id: str | None = None


class OnUnknown(OpenEnum):
    """What to do when a non-idempotent effect can neither be confirmed nor ruled out."""

    RETRY = "retry"
    PARK = "park"
    OTHER = "other"


class OnError(OpenEnum):
    """Whether the chain goes on after a step that ended dead."""

    CONTINUE = "continue"
    STOP = "stop"
    OTHER = "other"


class PlannedStep(Section):
    """One step of the plan with everything needed to carry it out."""

    step_id: Slug
    operation: Operation
    scope: Scope
    connector_id: Slug
    connector_kind: ConnectorKind
    records: tuple[RecordWrite, ...] = ()
    mail: MailWrite | None = None
    payload: dict[str, Any] | None = None
    """Arguments for http and mcp."""
    order_id: Id
    """Identity of a `once` effect; of a `record` step it names the step in ledgers and logs."""
    on_error: OnError = OnError.CONTINUE
    on_unknown: OnUnknown = OnUnknown.PARK
    give_up_after_hours: float = 72.0
    expires_at: Moment | None = None


class Ticket(Section):
    """A place drawn from a pool, numbered without gaps in the order of drawing."""

    pool: Slug
    order_id: Id
    number: int
    member: str


class Action(OpenEnum):
    """What the decision amounts to."""

    DELIVER = "deliver"
    FILTER = "filter"
    HOLD = "hold"
    OTHER = "other"


class Clause(Section):
    """One condition of the winning rule, in words, as it was met."""

    text: str
    met: bool


class Decision(Section):
    """Which rule won, in which version, why, and the plan."""

    decision_id: Id
    tenant_id: Slug
    event_id: Id
    request_id: Id
    phase: Phase
    generation: int = 0
    action: Action
    rule_id: Slug
    rule_title: str
    why: str
    """One sentence for a person."""
    reason: str | None = None
    """Why it is filtered or held, in the words of the step; null when it is delivered."""
    notes: tuple[str, ...] = ()
    """What went wrong on the way here, without personal data: rules that could not be evaluated, steps left out."""
    clauses: tuple[Clause, ...] = ()
    rules_version: Sha256
    """Hash of the rules half of the bundle."""
    intake_version: Sha256
    facts_sha256: Sha256
    engine: str
    """Name and version of the rule engine."""
    office_id: Slug | None = None
    tags: tuple[str, ...] = ()
    steps: tuple[PlannedStep, ...] = ()
    tickets: tuple[Ticket, ...] = ()
    decided_at: Moment
    """The event's own time, not the wall clock: a decision made again has the same bytes."""


class Decided(Document):
    """What routing publishes to `decided`."""

    schema_name: ClassVar[str] = "decided"

    lead: Lead
    raw: RawBody
    transcript: Transcript | None = None
    analysis: Analysis | None = None
    decision: Decision


class StepResult(Section):
    """What a finished step left behind, for the steps after it."""

    state: Literal["delivered", "recorded", "superseded", "dead", "expired"] | str
    remote_ids: dict[str, str] = Field(default_factory=dict)
    """Object name to the vendor's id."""
    url: str | None = None
