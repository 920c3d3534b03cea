"""One Pipedrive company: persons, leads, notes and field definitions, with Pipedrive's own oddities.

Custom fields are known by a 40-character hexadecimal key that differs per company; nothing is unique; and search
sees a write only after a lag. Values are checked strictly by type, as v2 of the vendor's API does.
Source: Pipedrive API reference (Persons v2, Leads v1, Notes v1), "API v2 migration guide".
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import NAMESPACE_URL, UUID, uuid5

from ops.sandbox.world import JsonObject

PERSON_KEYS: Final = ("name", "owner_id", "org_id", "emails", "phones", "label_ids", "visible_to", "custom_fields",
                      "marketing_status", "add_time", "update_time")  # fmt: skip
LEAD_KEYS: Final = ("title", "owner_id", "label_ids", "person_id", "organization_id", "value", "expected_close_date",
                    "visible_to", "was_seen", "origin_id", "channel", "channel_id", "is_archived")  # fmt: skip
LEAD_LABELS: Final = ("Hot", "Warm", "Cold")


class Invalid(Exception):
    """Pipedrive refuses the data, in words."""


@dataclass(frozen=True)
class CustomField:
    """A custom field: its human name, type (varchar, text, double, varchar_auto, …) and company-wide key."""

    id: int
    name: str
    kind: str
    key: str


def _starting_fields() -> dict[str, list[tuple[str, str]]]:
    """object -> (name, type) of the custom fields that a tenant of leadbus has set up beforehand."""
    lead = [("leadbus request id", "varchar"), ("lead score", "double"), ("spam likelihood", "double")]
    lead += [("sentiment score", "double"), ("sentiment", "varchar"), ("source detail", "varchar")]
    lead += [("office", "varchar"), ("urgency", "varchar"), ("service", "varchar"), ("recording url", "varchar")]
    lead += [("call summary", "text"), ("transcript", "text")]
    person = [("leadbus contact id", "varchar"), ("source detail", "varchar"), ("lead score", "double")]
    return {"person": person, "deal": lead}


@dataclass
class Company:
    """State of one company. `monotonic` measures the search lag, `timestamp` stamps writes."""

    account: str
    timestamp: Callable[[], str]
    monotonic: Callable[[], float]
    persons: dict[int, JsonObject] = field(default_factory=dict)
    leads: dict[str, JsonObject] = field(default_factory=dict)
    notes: dict[int, JsonObject] = field(default_factory=dict)
    _fields: dict[str, dict[str, CustomField]] = field(default_factory=dict)
    # What search sees: the document of the last write, and when it was written.
    _written: dict[str, list[tuple[float, JsonObject]]] = field(default_factory=dict)
    _last: int = 0

    def __post_init__(self) -> None:
        for object_type, definitions in _starting_fields().items():
            for name, kind in definitions:
                self.add_field(object_type, name, kind)

    @property
    def company_id(self) -> int:
        return 9_000_000 + int(hashlib.sha256(self.account.encode()).hexdigest()[:5], 16)

    def fields(self, object_type: str) -> list[CustomField]:
        return list(self._fields.get(object_type, {}).values())

    def add_field(self, object_type: str, name: str, kind: str) -> CustomField:
        """Create a custom field; the key is the same every time for the same company and name."""
        seed = f"{self.account}/{object_type}/{name}".encode()
        key = hashlib.sha256(seed).hexdigest()[:40]
        known = self._fields.setdefault(object_type, {})
        known[key] = CustomField(9_000 + len(known), name, kind, key)
        return known[key]

    def write_person(self, body: JsonObject, person_id: int | None = None) -> JsonObject:
        """Create, or change the person with `person_id` (KeyError when there is none)."""
        person = self.persons[person_id] if person_id is not None else None
        _only(body, PERSON_KEYS)
        if person is None and not body.get("name"):
            raise Invalid("name: is required")
        _typed(body, "name", str)
        _typed(body, "owner_id", int)
        _typed(body, "org_id", int)
        for listed in ("emails", "phones"):
            _contact_values(body, listed)
        custom = body.get("custom_fields", {})
        self._check_custom("person", custom)
        if person is None:
            person = {
                "id": self._next(), "owner_id": 1, "org_id": None, "emails": [], "phones": [], "label_ids": [],
                "is_deleted": False, "add_time": self.timestamp(), "custom_fields": {},
            }  # fmt: skip
            self.persons[person["id"]] = person
        person.update({name: value for name, value in body.items() if name != "custom_fields"})
        person["custom_fields"] = {**person["custom_fields"], **custom}
        person["update_time"] = self.timestamp()
        self._note_write(f"person/{person['id']}", person)
        return person

    def write_lead(self, body: JsonObject, lead_id: str | None = None) -> JsonObject:
        """Create, or change the lead with `lead_id` (KeyError when there is none)."""
        lead = self.leads[lead_id] if lead_id is not None else None
        custom = {name: value for name, value in body.items() if len(name) == 40}
        plain = {name: value for name, value in body.items() if name not in custom}
        _only(plain, LEAD_KEYS)
        self._check_custom("deal", custom)
        for name, kind in (("title", str), ("person_id", int), ("organization_id", int), ("origin_id", str)):
            _typed(plain, name, kind)
        value = plain.get("value")
        if value is not None and not (isinstance(value, dict) and {"amount", "currency"} <= value.keys()):
            raise Invalid("value: must be an object with amount and currency")
        person_id = plain.get("person_id")
        if person_id is not None and person_id not in self.persons:
            raise Invalid("person_id: no such person")
        if lead is None:
            if not plain.get("title"):
                raise Invalid("title: is required")
            if person_id is None and plain.get("organization_id") is None:
                raise Invalid("A lead must be linked to a person or an organization")
            made_id = str(UUID(str(uuid5(NAMESPACE_URL, f"{self.account}/lead/{self._next()}"))))
            lead = {
                "id": made_id, "owner_id": 1, "label_ids": [], "organization_id": None, "person_id": None,
                "value": None, "is_archived": False, "origin": "API", "origin_id": None, "source_name": "API",
                "was_seen": False, "add_time": self.timestamp(),
            }  # fmt: skip
            self.leads[made_id] = lead
        elif "origin_id" in plain:
            raise Invalid("origin_id: can be set when a lead is created only")
        lead.update(body)
        lead["update_time"] = self.timestamp()
        self._note_write(f"lead/{lead['id']}", lead)
        return lead

    def write_note(self, body: JsonObject, note_id: int | None = None) -> JsonObject:
        """Create, or change the note with `note_id` (KeyError when there is none)."""
        note = self.notes[note_id] if note_id is not None else None
        content = body.get("content")
        if not isinstance(content, str) or not content:
            raise Invalid("content: is required")
        if note is None:
            if not any(body.get(link) for link in ("lead_id", "person_id", "deal_id", "org_id")):
                raise Invalid("A note must belong to a lead, person, deal or organization")
            if body.get("lead_id") and body["lead_id"] not in self.leads:
                raise Invalid("lead_id: no such lead")
            if body.get("person_id") and body["person_id"] not in self.persons:
                raise Invalid("person_id: no such person")
            note = {"id": self._next(), "active_flag": True, "add_time": self.timestamp()}
            self.notes[note["id"]] = note
        note.update(body)
        note["update_time"] = self.timestamp()
        return note

    def search(self, object_type: str, term: str, fields: set[str], exact: bool, lag_s: float) -> list[JsonObject]:
        """Objects that the search index has by now: the last write that is at least `lag_s` old."""
        wanted, found = term.strip().lower(), []
        for key, versions in self._written.items():
            if not key.startswith(object_type + "/"):
                continue
            old_enough = [doc for at, doc in versions if self.monotonic() - at >= lag_s]
            if not old_enough:
                continue
            texts = [text.lower() for text in _searchable(old_enough[-1], fields)]
            if any(text == wanted if exact else wanted in text for text in texts):
                found.append(old_enough[-1])
        return found

    def snapshot(self) -> JsonObject:
        named = {kind: {f.name: f.key for f in self.fields(kind)} for kind in self._fields}
        return {
            "company_id": self.company_id,
            "persons": list(self.persons.values()),
            "leads": list(self.leads.values()),
            "notes": list(self.notes.values()),
            "fields": named,
        }

    def _next(self) -> int:
        self._last += 1
        return self._last

    def _note_write(self, key: str, document: JsonObject) -> None:
        versions = self._written.setdefault(key, [])
        versions.append((self.monotonic(), dict(document)))
        # Two versions are enough: the one search may still show, and the newest.
        del versions[:-8]

    def _check_custom(self, object_type: str, custom: Any) -> None:
        if not isinstance(custom, dict):
            raise Invalid("custom_fields: must be an object")
        known = self._fields.get(object_type, {})
        for key, value in custom.items():
            definition = known.get(key)
            if definition is None:
                raise Invalid(f"{key}: is not a known field")
            numeric = definition.kind in ("double", "int")
            fits = isinstance(value, int | float) if numeric else isinstance(value, str)
            if value is not None and (not fits or isinstance(value, bool)):
                raise Invalid(f"{key}: must be a {'number' if numeric else 'string'}")
            if definition.kind == "varchar" and isinstance(value, str) and len(value) > 255:
                raise Invalid(f"{key}: must not be longer than 255 characters")


def _only(body: JsonObject, allowed: tuple[str, ...]) -> None:
    unknown = sorted(body.keys() - set(allowed))
    if unknown:
        raise Invalid(f"{unknown[0]}: is not allowed")


def _typed(body: JsonObject, name: str, kind: type) -> None:
    value = body.get(name)
    if value is not None and (not isinstance(value, kind) or isinstance(value, bool)):
        raise Invalid(f"{name}: must be a {'number' if kind is int else 'string'}")


def _contact_values(body: JsonObject, name: str) -> None:
    for entry in body.get(name, []):
        if not isinstance(entry, dict) or not isinstance(entry.get("value"), str):
            raise Invalid(f"{name}: must be an array of objects with value, primary and label")
        if not isinstance(entry.get("primary", False), bool):
            raise Invalid(f"{name}.primary: must be a boolean")


def _searchable(document: JsonObject, fields: set[str]) -> list[str]:
    texts: list[str] = []
    if not fields or fields & {"name", "title"}:
        texts += [str(document[name]) for name in ("name", "title") if document.get(name)]
    for listed, field_name in (("emails", "email"), ("phones", "phone")):
        if not fields or field_name in fields:
            texts += [str(entry["value"]) for entry in document.get(listed, [])]
    if not fields or "custom_fields" in fields:
        at_root = {name: value for name, value in document.items() if len(name) == 40}
        custom = {**document.get("custom_fields", {}), **at_root}
        texts += [value for value in custom.values() if isinstance(value, str)]
    return texts
