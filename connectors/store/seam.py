"""The store: what the pipeline remembers. One protocol, value types only: no rows, no SQL, no client leaves this room.

Promises every implementation keeps (tests/conformance/store):
- Every method but those of `StoreAdmin` takes a `Scope`, or one with each row, and touches that tenant alone.
- `put_..._if_absent` is atomic: of any number of racing callers one writes, all get what is stored.
- Compare-and-set is by `version`; the loser gets `Conflict` and nothing has changed.
- Times are the store's own clock (commit timestamps); a caller's clock never decides a lease.
- A method that raises `Unavailable` may be called again: it has taken effect at most once, and calling again is safe.
- A verb for many rows, of any tenants, is that verb for each in the order given, for the price of few round trips: one
  answer a row. Every row is atomic by itself; one that cannot be stored is answered with its error (a `StoreError` but
  `Unavailable`) and spoils no other. `Unavailable` is raised for all, though some may be stored.

Errors: `Conflict` (read again and retry), `NotFound`, `Invalid` (the values can never be stored), `Unavailable` (wait).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol

from schemas.bundle import LiveBundle
from schemas.decision import Decision, Ticket
from schemas.delivery import Outcome


class StoreError(Exception):
    """The root of the store's errors."""


class Conflict(StoreError):
    """Somebody else changed it first; nothing was written."""


class NotFound(StoreError):
    """There is no such thing in this scope."""


class Invalid(StoreError):
    """The values can never be stored; the message names the column."""


class Unavailable(StoreError):
    """The store cannot answer now; the call may be repeated."""


@dataclass(frozen=True, slots=True)
class Scope:
    """The tenant on whose behalf a call is made."""

    tenant_id: str


@dataclass(frozen=True, slots=True)
class TenantRow:
    """Table `tenants`."""

    tenant_id: str
    name: str
    status: Literal["active", "suspended", "deleted"] = "active"
    embedding_enabled: bool = True
    graph_features_enabled: bool = False
    isolation_level: str = "shared"
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class OfficeRow:
    """Table `offices`, interleaved in tenants. `callrail_api_key` is a secret reference, never a key."""

    office_id: str
    name: str
    callrail_company_id: str | None = None
    callrail_api_key: str | None = None
    workflow_config: Any = None
    office_embedding: Sequence[float] | None = None
    status: str = "active"
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class RequestRow:
    """Table `requests`, interleaved in offices (a request without an office lies in office `-`).

    As an argument of `merge_request`, None means "says nothing of it"; as a result, "not known".
    """

    request_id: str
    office_id: str | None = None
    contact_id: str | None = None
    communication_mode: str | None = None
    source: str | None = None
    test: bool = False
    caller_name: str | None = None
    caller_phone: str | None = None
    caller_email: str | None = None
    call_id: str | None = None
    recording_url: str | None = None
    audio_duration_seconds: float | None = None
    transcription_data: Any = None
    ai_analysis: Any = None
    lead_score: float | None = None
    spam_likelihood: float | None = None
    sentiment_score: float | None = None
    content_embedding: Sequence[float] | None = None
    semantic_tags: Sequence[str] | None = None
    processing_time_ms: int | None = None
    gemini_model_used: str | None = None
    speech_model_used: str | None = None
    replaces: str | None = None
    received_at: datetime | None = None
    created_at: datetime | None = None
    processed_at: datetime | None = None
    revision: str | None = None
    """Key of the newest revision that wrote the row (schemas.envelope.Revision.key)."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """One record of `inbound.*`: the same event may arrive several times, at different places."""

    event_id: str
    request_id: str
    topic: str
    partition: int
    offset: int
    source: str
    event_kind: str
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Draw:
    """A ticket to be drawn from a pool together with a decision; `members` in a fixed order, weights repeated."""

    pool: str
    order_id: str
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FieldState:
    """What the ledger knows of one field of a remote record: who wrote it last, and (by hash) what."""

    revision: str
    phase: str
    value_hash: str


@dataclass(frozen=True, slots=True)
class Target:
    """Ledger row of a record target (tenant, connector, object, external id)."""

    connector_id: str
    object: str
    external_id: str
    remote_id: str | None = None
    fields: Mapping[str, FieldState] = field(default_factory=dict)
    version: int = 0
    """0 for a target that was never written."""


ClaimState = Literal["claimed", "sent", "done", "failed"]


@dataclass(frozen=True, slots=True)
class Claim:
    """Ledger row of a non-upsert effect, as it stands after the call.

    `mine` says whether this caller holds the lease now. `taken_over` says that an expired lease of somebody else in
    state `sent` was taken over: the effect may have happened and must be looked up, never blindly sent again.
    """

    order_id: str
    state: ClaimState
    mine: bool
    version: int
    taken_over: bool = False
    result: Any = None
    parts: Mapping[str, str] = field(default_factory=dict)
    """Remote ids remembered along the way (part to id)."""


@dataclass(frozen=True, slots=True)
class Parked:
    """Something that waits for a person, a repaired connector, a budget or a quota."""

    park_id: str
    stage: str
    reason: str
    detail: str
    event_id: str
    request_id: str
    topic: str
    record: bytes
    headers: tuple[tuple[str, bytes], ...] = ()
    connector_id: str | None = None
    due: datetime | None = None
    parked_at: datetime | None = None
    released_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ParkedGroup:
    """What waits of one tenant at one stage for one reason: how much, since when, and when the first of it is due."""

    tenant_id: str
    stage: str
    reason: str
    count: int
    oldest: datetime
    next_due: datetime | None = None
    """None when all of it waits for a person or a repair."""


@dataclass(frozen=True, slots=True)
class Similar:
    """A request near a vector; distance is cosine distance (0 same direction, 2 opposite)."""

    request_id: str
    distance: float


class Store(Protocol):
    """Everything that belongs to one tenant."""

    # requests and events -------------------------------------------------------------------------------------------
    async def record_arrival(self, scope: Scope, arrival: Arrival) -> bool:
        """Remember an arrival; True when the event had not arrived at another place before."""
        ...

    async def record_arrivals(self, arrivals: Sequence[tuple[Scope, Arrival]]) -> Sequence[bool | StoreError]:
        """`record_arrival` for many."""
        ...

    async def merge_request(self, scope: Scope, row: RequestRow) -> None:
        """Create or update a request. A fact of a newer revision replaces an older one's, an older fact fills gaps
        only, None changes nothing. `created_at` is set once, by the store."""
        ...

    async def merge_requests(self, requests: Sequence[tuple[Scope, RequestRow]]) -> Sequence[StoreError | None]:
        """`merge_request` for many."""
        ...

    async def get_request(self, scope: Scope, request_id: str) -> RequestRow:
        """The request; `NotFound` when there is none in this scope."""
        ...

    async def list_requests(self, scope: Scope, *, limit: int = 50, before: str | None = None) -> Sequence[RequestRow]:
        """Newest first by (received_at, request_id); `before` is the last request_id of the page before."""
        ...

    async def similar_requests(self, scope: Scope, vector: Sequence[float], k: int = 10) -> Sequence[Similar]:
        """The k nearest requests by cosine distance, exact. `Invalid` for a zero or wrong-length vector."""
        ...

    # paid results --------------------------------------------------------------------------------------------------
    async def get_result(self, scope: Scope, kind: str, input_hash: str) -> Any | None:
        """The stored result of paid work on this input, or None."""
        ...

    async def put_result_if_absent(self, scope: Scope, kind: str, input_hash: str, result: Any) -> Any:
        """Store a paid result; returns the stored one, which is another's when a race was lost."""
        ...

    # decisions -----------------------------------------------------------------------------------------------------
    async def put_decision_if_absent(self, scope: Scope, decision: Decision, draws: Sequence[Draw] = ()) -> Decision:
        """Store the decision together with its tickets in one transaction, or return the stored one unchanged.

        Tickets are numbered without gaps per pool and drawn once per order_id (an order that has one keeps it); the
        stored decision's `tickets` are the drawn ones. The member is `members[number % len(members)]`.
        """
        ...

    async def put_decisions_if_absent(
        self, decisions: Sequence[tuple[Scope, Decision, Sequence[Draw]]]
    ) -> Sequence[Decision | StoreError]:
        """`put_decision_if_absent` for many; tickets are drawn in the order of the decisions."""
        ...

    async def list_decisions(self, scope: Scope, request_id: str) -> Sequence[Decision]:
        """All decisions about a request, oldest first."""
        ...

    async def list_tickets(self, scope: Scope, pool: str) -> Sequence[Ticket]:
        """All tickets of a pool in the order of drawing."""
        ...

    # delivery ledger -----------------------------------------------------------------------------------------------
    async def get_target(self, scope: Scope, connector_id: str, object_name: str, external_id: str) -> Target:
        """The ledger row of a record; one with version 0 when it was never written."""
        ...

    async def put_target(self, scope: Scope, target: Target) -> Target:
        """Write the row if its version is still `target.version`, else `Conflict`; returns it with the next version."""
        ...

    async def claim_order(self, scope: Scope, order_id: str, owner: str, lease_seconds: float) -> Claim:
        """Take the lease of an effect if it is free, expired or already the owner's; never when done or failed."""
        ...

    async def mark_sent(self, scope: Scope, claim: Claim, owner: str) -> Claim:
        """`claimed` to `sent`, just before the first byte; `Conflict` when the lease is not the owner's any more."""
        ...

    async def remember_part(self, scope: Scope, claim: Claim, owner: str, part: str, remote_id: str) -> Claim:
        """Keep a remote id before the next part of the effect; `Conflict` when the lease is lost."""
        ...

    async def finish_order(
        self, scope: Scope, claim: Claim, owner: str, state: Literal["done", "failed"], result: Any
    ) -> Claim:
        """`done` or `failed`, with what a later reader needs to republish outcome and continuation."""
        ...

    async def release_order(self, scope: Scope, claim: Claim, owner: str) -> None:
        """Give the lease back because it is certain that nothing happened."""
        ...

    # outcomes and parked -------------------------------------------------------------------------------------------
    async def put_outcome(self, scope: Scope, outcome: Outcome) -> bool:
        """Keep a final state; False when this (event, phase, step, generation) already had one."""
        ...

    async def put_outcomes(self, outcomes: Sequence[tuple[Scope, Outcome]]) -> Sequence[bool | StoreError]:
        """`put_outcome` for many."""
        ...

    async def list_outcomes(self, scope: Scope, request_id: str | None = None) -> Sequence[Outcome]:
        """Final states of a request, or of all."""
        ...

    async def park(self, scope: Scope, parked: Parked) -> bool:
        """Park if absent (by park_id); False when it is parked already."""
        ...

    async def list_parked(self, scope: Scope, *, released: bool = False) -> Sequence[Parked]:
        """Oldest first."""
        ...

    async def get_parked(self, scope: Scope, park_id: str) -> Parked:
        """One of them, released or not; `NotFound` when nothing is parked under this id."""
        ...

    async def due_parked(self, scope: Scope, due_by: datetime, limit: int) -> Sequence[Parked]:
        """What is due by this time and not released, oldest first, at most `limit`."""
        ...

    async def mark_released(self, scope: Scope, park_id: str) -> None:
        """Note that a parked record has been published again."""
        ...

    # tenant --------------------------------------------------------------------------------------------------------
    async def get_tenant(self, scope: Scope) -> TenantRow:
        """The tenant."""
        ...

    async def list_offices(self, scope: Scope) -> Sequence[OfficeRow]:
        """The tenant's offices, by id."""
        ...

    async def count(self, scope: Scope) -> Mapping[str, int]:
        """Row counts by table, plus `outcomes.<state>`: what the balance of the final states is made of."""
        ...


class StoreAdmin(Protocol):
    """Cross-tenant work: set-up, bundles, health."""

    async def migrate(self) -> Sequence[str]:
        """Apply the migrations that are missing; their names."""
        ...

    async def put_tenant(self, row: TenantRow, offices: Sequence[OfficeRow]) -> None:
        """Create or update a tenant and its offices."""
        ...

    async def list_tenants(self) -> Sequence[TenantRow]:
        """All tenants, by id."""
        ...

    async def parked_groups(self) -> Sequence[ParkedGroup]:
        """What waits, by tenant, stage and reason; also of tenants that nobody knows."""
        ...

    async def erase_tenant(self, tenant_id: str) -> None:
        """Delete a tenant with everything under it."""
        ...

    async def put_bundle_half(self, tenant_id: str, half: Literal["intake", "rules"], digest: str, body: Any) -> None:
        """Keep a half under its hash; keeping it again changes nothing."""
        ...

    async def get_bundle_half(self, tenant_id: str, half: Literal["intake", "rules"], digest: str) -> Any:
        """The half's JSON; `NotFound` when there is none."""
        ...

    async def set_live(self, live: LiveBundle) -> bool:
        """Point a tenant at its halves; False when the stored sequence is not older."""
        ...

    async def list_live(self) -> Sequence[LiveBundle]:
        """Which halves each tenant runs."""
        ...

    async def ping(self) -> None:
        """Raise `Unavailable` when the store does not answer."""
        ...

    async def close(self) -> None:
        """Let go of files, sessions and channels."""
        ...


class FullStore(Store, StoreAdmin, Protocol):
    """Both halves, as `open_store(url)` returns them."""
