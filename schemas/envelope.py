"""What every travelling document says of itself: whose it is, what it is about, and where it stands in time.

The envelope is written once at the gateway and never changed; replay and retry keep it.
"""

from datetime import datetime
from typing import Annotated

from pydantic import StringConstraints

from schemas.base import Id, Moment, OpenEnum, Section, Slug
from schemas.lead import Mode


class Phase(OpenEnum):
    """When a rule acts: on what the webhook says, or when transcript and score are known."""

    RECEIVED = "received"
    ANALYZED = "analyzed"
    OTHER = "other"


class Revision(Section):
    """The place of an event among the events of its request. Nothing depends on the order of arrival."""

    sequence: int | None = None
    """The vendor's own sequence number or update time (microseconds), where it has one."""
    rank: int = 0
    """The rank of the event kind, where the vendor has no sequence: a post-call is after a pre-call."""
    received_at: Moment
    event_id: Id

    def key(self) -> str:
        """Text of fixed width that sorts as the revisions do (also in SQL)."""
        return revision_key(self.sequence, self.rank, self.received_at, self.event_id)

    def shared_key(self) -> str:
        """The same for what several requests share (the person): by the time of receipt, then the event.

        Sequence and rank order the events of one request only; between requests they say nothing.
        """
        return revision_key(None, 0, self.received_at, self.event_id)


def revision_key(sequence: int | None, rank: int, received_at: datetime, event_id: str) -> str:
    """`sequence.rank.received.event`, each part zero-padded."""
    micros = round(received_at.timestamp() * 1_000_000)
    return f"{max(sequence or 0, 0):020d}.{max(rank, 0):04d}.{max(micros, 0):017d}.{event_id}"


class Envelope(Section):
    """Identity, ownership and order of one event."""

    tenant_id: Slug
    office_id: Slug | None = None
    endpoint_id: Slug
    source: Annotated[str, StringConstraints(min_length=1, max_length=32)]
    event_kind: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    """The source's own kind: post_call, form_submission, invitee.created, chat:start."""
    mode: Mode
    event_id: Id
    request_id: Id
    contact_id: Id
    replaces: Id | None = None
    """The request that this one replaces: the booking before it was rescheduled."""
    revision: Revision
    interim: bool = False
    """More events of the same request are sure to follow (a call still running): there is nothing to analyze yet."""
    received_at: Moment
    occurred_at: Moment | None = None
    test: bool = False
    """A test lead: it reaches only connectors with `accept_test`."""
