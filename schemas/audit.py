"""What a person did, as it is told on the topic `audit`: who, what, to what, when. Never what a lead says."""

from typing import ClassVar

from schemas.base import Moment, Section


class AuditEntry(Section):
    """One action on one tenant's things."""

    schema_name: ClassVar[str] = "audit-entry"
    schema_version: ClassVar[str] = "1.0"

    tenant_id: str
    """Not a slug: also what nobody knows can be acted on."""
    what: str
    """A code: `parked.release`."""
    by: str
    """Who, as the person's account is called."""
    at: Moment
    answer: str | None = None
    subjects: tuple[str, ...] = ()
    """Ids of what it was done to."""
