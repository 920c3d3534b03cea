"""Answers of the gateway and the API, errors included (RFC 9457)."""

from schemas.base import Id, Json, Moment, Section
from schemas.delivery import FinalState
from schemas.envelope import Phase
from schemas.lead import Mode

PROBLEM_CONTENT_TYPE = "application/problem+json"


class Problem(Section):
    """An RFC 9457 problem: what is wrong, where, and what to do. It never repeats a secret or a body."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str | None = None
    instance: str | None = None


class Accepted(Section):
    """The gateway's 202: the broker, or a spool that outlives the process, has it."""

    request_ids: tuple[Id, ...]


class OutcomeSummary(Section):
    """One final state of a lead."""

    phase: Phase
    step_id: str
    state: FinalState
    reason: str
    connector_id: str | None = None
    at: Moment


class LeadSummary(Section):
    """One request in a list; personal data is masked unless the token's role asks for it."""

    request_id: Id
    office_id: str | None = None
    mode: Mode
    name: str | None = None
    phone: str | None = None
    email: str | None = None
    lead_score: int | None = None
    spam_likelihood: float | None = None
    created_at: Moment | None = None
    processed_at: Moment | None = None


class LeadDetail(LeadSummary):
    """One request with everything known about it."""

    transcription: Json = None
    analysis: Json = None
    decisions: tuple[Json, ...] = ()
    outcomes: tuple[OutcomeSummary, ...] = ()


class LeadPage(Section):
    """A page of leads, newest first; `next` continues it."""

    leads: tuple[LeadSummary, ...]
    next: str | None = None
