"""A tenant's bundle: immutable, named by the hash of its content, in two halves that are pinned apart.

Rolling the rules back never removes an endpoint or brings back a secret, because those live in the other half.
"""

from typing import Any

from schemas import codec
from schemas.base import Moment, Section, Sha256, Slug
from schemas.rulefile import RulesBundle
from schemas.tenant import IntakeBundle


def content_hash(half: IntakeBundle | RulesBundle) -> str:
    """The name of a half: SHA-256 of its canonical JSON."""
    return codec.digest(as_json(half))


def as_json(half: IntakeBundle | RulesBundle) -> dict[str, Any]:
    """The half as the JSON that is stored under its hash."""
    return half.model_dump(mode="json", by_alias=True, exclude_none=True)


class LiveBundle(Section):
    """Which halves a tenant runs now: the value of its record in `tenants`, and of its row in the store."""

    tenant_id: Slug
    intake: Sha256
    rules: Sha256
    commit: str | None = None
    """The Git commit the files came from."""
    sequence: int
    """Rises with every change; an older one never replaces a newer one."""
    changed_at: Moment | None = None
