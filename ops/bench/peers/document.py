"""The measured document as a peer types it: the fields of the envelope, checked as strictly as ours are.

A copy and not an import, because a peer's Python has none of our packages. A test holds it to the original.
"""

from enum import StrEnum
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, StringConstraints

Id = Annotated[str, StringConstraints(min_length=36, max_length=36, pattern=r"^[0-9a-f-]{36}$")]
Slug = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[a-z0-9][a-z0-9_-]*$")]
Moment = AwareDatetime


class Mode(StrEnum):
    """How the person got in touch."""

    PHONE_CALL = "phone_call"
    FORM = "form"
    CALENDAR = "calendar"
    CHAT = "chat"
    OTHER = "other"


class Part(BaseModel):
    """Unknown fields are kept."""

    model_config = ConfigDict(extra="allow", frozen=True)


class Revision(Part):
    """The place of an event among the events of its request."""

    sequence: int | None = None
    rank: int = 0
    received_at: Moment
    event_id: Id


class Envelope(Part):
    """Identity, ownership and order of one event."""

    tenant_id: Slug
    office_id: Slug | None = None
    endpoint_id: Slug
    source: Annotated[str, StringConstraints(min_length=1, max_length=32)]
    event_kind: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    mode: Mode
    event_id: Id
    request_id: Id
    contact_id: Id
    replaces: Id | None = None
    revision: Revision
    interim: bool = False
    received_at: Moment
    occurred_at: Moment | None = None
    test: bool = False


class Measured(Part):
    """Envelope and filling."""

    envelope: Envelope
    filling: str = ""
