"""How a request grows out of what its events say: per field the newest revision wins, older ones fill gaps.

Pure: the same rows in any order give the same request, as long as their revisions differ. The same revision told
again replaces its own facts (a replay may know better). `test` is true once any event says so, so that a test lead
never becomes a real one. A row without revision is older than all others.

The row remembers who wrote what as `{revision: [fields]}`; a request has few revisions and many fields.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

from connectors.store.seam import Invalid, RequestRow

NO_OFFICE: Final = "-"
"""The office that requests without an office lie in. It is made when first needed and never listed."""

FACTS: Final = tuple(
    f.name for f in fields(RequestRow) if f.name not in ("request_id", "test", "created_at", "revision")
)
"""Fields that follow the rule of revisions, `office_id` among them."""


@dataclass(frozen=True, slots=True)
class Known:
    """What the stored row tells of its own history."""

    office_id: str
    test: bool
    revision: str | None
    field_revisions: Mapping[str, list[str]]


@dataclass(frozen=True, slots=True)
class Growth:
    """What is to be written: only fields that change, and the history with them."""

    facts: Mapping[str, Any]
    test: bool
    revision: str | None
    field_revisions: Mapping[str, list[str]]


def grow(known: Known | None, row: RequestRow) -> Growth | None:
    """What `row` changes; None when it changes nothing. `Invalid` when it claims the reserved office."""
    if row.office_id == NO_OFFICE:
        raise Invalid(f"office_id {NO_OFFICE!r} is reserved; leave it out")
    mine = row.revision or ""
    writers = {name: revision for revision, names in (known.field_revisions if known else {}).items() for name in names}
    said = {name: value for name in FACTS if (value := getattr(row, name)) is not None}
    facts = {name: value for name, value in said.items() if name not in writers or writers[name] <= mine}
    test = row.test or (known is not None and known.test)
    newest = max(filter(None, (row.revision, known.revision if known else None)), default=None)
    if known is not None and not facts and test == known.test and newest == known.revision:
        return None
    writers.update(dict.fromkeys(facts, mine))
    history: dict[str, list[str]] = {}
    for name, revision in sorted(writers.items()):
        history.setdefault(revision, []).append(name)
    return Growth(facts=facts, test=test, revision=newest, field_revisions=history)


def known_after(known: Known | None, growth: Growth) -> Known:
    """What the row tells of its history once the growth is written."""
    before = known.office_id if known else NO_OFFICE
    return Known(
        office_id=growth.facts.get("office_id", before),
        test=growth.test,
        revision=growth.revision,
        field_revisions=growth.field_revisions,
    )
