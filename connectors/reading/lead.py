"""A normalizer's draft made into the lead of the document: the tenant's mapping, contact data, bounds, the rest.

Promise: pure, never raises, and what comes out is JSON in the shape of schemas.lead.Lead (tests hold it against the
model). Fields that are not told are left out, which readers take for null. A phone or e-mail that is none goes to
`extra` under the lead field's name, so that a person can still read what was typed.
"""

from collections.abc import Collection, Mapping
from typing import Any

from connectors.reading.contact import email_of, phone_of
from connectors.reading.text import bounded, clean, text_of, tree_of
from schemas.tenant import Endpoint

LeadDraft = dict[str, Any]
"""JSON in the shape of schemas.lead.Lead; phones and e-mails as the vendor wrote them."""

LONGEST = {
    "name": 200,
    "first_name": 100,
    "last_name": 100,
    "email": 320,
    "phone": 64,
    "company": 200,
    "message": 20_000,
    "street": 300,
    "city": 100,
    "region": 100,
    "postal_code": 20,
    "country": 100,
    "language": 35,
}
"""Lead fields that are text, with their largest length in characters."""

ATTRIBUTION = ("source", "medium", "campaign", "term", "content", "click_id", "landing_page", "referrer")
_SECTIONS = ("call", "booking", "chat", "spam", "consent")


def finish(
    draft: LeadDraft, fields: Mapping[str, Any], taken: Collection[str], endpoint: Endpoint, region: str
) -> LeadDraft:
    """The lead of one event; `region` reads phones that have no country code.

    `fields` is what the vendor sent, as a tree that the endpoint's mapping points into; its top-level names in `taken`
    are told by the draft already.
    """
    draft = dict(draft)
    draft["attribution"] = dict(draft.get("attribution") or {})
    custom: dict[str, Any] = {}
    taken = set(taken)
    for target, path in endpoint.fields.items():
        value = look_up(fields, path)
        if value is not None and _put(draft, custom, target, value):
            taken.add(path)
    extra: dict[str, Any] = {}
    lead = _texts(draft, extra, region)
    for name in _SECTIONS:
        if draft.get(name):
            lead[name] = draft[name]
    if attribution := {k: clean(v, 2_000) for k, v in draft["attribution"].items() if k in ATTRIBUTION and v}:
        lead["attribution"] = attribution
    if custom:
        lead["custom"] = bounded(custom.items())
    rest = {name: value for name, value in fields.items() if name not in taken and value not in (None, "")}
    if extra or rest:
        lead["extra"] = bounded({**rest, **extra}.items())
    return lead


def look_up(tree: Mapping[str, Any], path: str) -> Any:
    """The value at a dotted path; digits index lists. A top-level name that holds dots itself is found as well."""
    if path in tree:
        return tree[path]
    value: Any = tree
    for name in path.split("."):
        if isinstance(value, Mapping):
            value = value.get(name)
        elif isinstance(value, list) and name.isdecimal() and len(name) < 5:
            value = value[int(name)] if int(name) < len(value) else None
        else:
            return None
    return value


def _put(draft: LeadDraft, custom: dict[str, Any], target: str, value: Any) -> bool:
    kind, dot, name = target.partition(".")
    if target in LONGEST:
        draft[target] = ", ".join(filter(None, map(text_of, value))) if isinstance(value, list) else value
    elif dot and kind == "custom":
        custom[name] = tree_of(value)
    elif dot and kind == "attribution" and (text := text_of(value)):
        draft["attribution"][name] = text
    else:
        return False
    return True


def _texts(draft: LeadDraft, extra: dict[str, Any], region: str) -> LeadDraft:
    lead: LeadDraft = {}
    for name, longest in LONGEST.items():
        written = text_of(draft.get(name), longest)
        if written is None:
            continue
        value: str | None = written
        if name == "phone":
            value = phone_of(written, region)
        elif name == "email":
            value = email_of(written)
        if value is None:
            extra[name] = written
        else:
            lead[name] = value
    if "name" not in lead and (both := " ".join(lead[n] for n in ("first_name", "last_name") if n in lead)):
        lead["name"] = both
    return lead
