"""From a schema error of pydantic to a finding that a tenant admin understands.

Never repeats the refused value: it may be a secret that was pasted in the wrong place.
"""

from collections.abc import Iterator
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from rules.findings import Finding, finding
from rules.parsed import Parsed, Path

M = TypeVar("M", bound=BaseModel)

_FIXES = {
    "string_pattern_mismatch": "Lower-case letters, digits, - and _ for names; secret://NAME for secrets.",
    "string_type": "Put the value in quotes.",
    "literal_error": "Use one of the words named.",
    "enum": "Use one of the words named.",
    "union_tag_invalid": "Use one of the steps named after `do`.",
    "union_tag_not_found": "Say what the step does: `do: create_lead`.",
    "too_short": "Add an entry.",
}


def validated(model: type[M], parsed: Parsed, value: Any, inside: Path, findings: list[Finding]) -> M | None:
    """The value as a model; None when it does not fit, with the reasons added to `findings`."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        findings.extend(_of(error, parsed, inside))
        return None


def _of(error: ValidationError, parsed: Parsed, inside: Path) -> Iterator[Finding]:
    told: set[tuple[int, int]] = set()
    details = error.errors(include_url=False, include_input=False)
    for detail in details:
        path = (*inside, *detail["loc"])
        kind = detail["type"]
        # A list whose items do not fit is also called too short, because only the fitting ones are counted.
        size = len(detail["loc"])
        if kind == "too_short" and any(d["loc"][:size] == detail["loc"] and len(d["loc"]) > size for d in details):
            continue
        name = str(detail["loc"][-1]) if detail["loc"] else ""
        place = parsed.where(path, key=kind == "extra_forbidden")
        if kind == "missing":
            yield finding(place, "missing-field", f"`{name}` is missing.", "Add it.")
            continue
        if kind == "extra_forbidden":
            yield finding(place, "unknown-field", f"`{name}` is not known here.", "Correct its name, or remove it.")
            continue
        # A value that fits no member of a union is reported once for every member.
        if (place.line, place.column) in told:
            continue
        told.add((place.line, place.column))
        field = next((step for step in reversed(parsed.nearest(path)) if isinstance(step, str)), name)
        message = detail["msg"].removeprefix("Value error, ")
        yield finding(place, "bad-value", f"`{field}`: {message}.", _FIXES.get(kind, "Correct the value."))
