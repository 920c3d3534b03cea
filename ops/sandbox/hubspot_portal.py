"""One HubSpot account: its objects, properties and associations, and the rules that HubSpot keeps on them.

Unique properties are unique (email without regard to case), upserts find by a unique property, and a refused row
says why as `RowError`. Nothing here knows HTTP; `ops.sandbox.hubspot` turns errors into answers.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from ops.sandbox.hubspot_properties import Property, problem_with, starting_properties
from ops.sandbox.world import JsonObject

# HubSpot's default association type ids, from -> to. Source: HubSpot Associations v4 guide.
ASSOCIATION_TYPES: Final = {
    ("contacts", "companies"): 279, ("companies", "contacts"): 280, ("deals", "contacts"): 3,
    ("contacts", "deals"): 4, ("deals", "companies"): 341, ("companies", "deals"): 342, ("notes", "contacts"): 202,
    ("contacts", "notes"): 201, ("notes", "deals"): 214, ("deals", "notes"): 213, ("tasks", "contacts"): 204,
    ("contacts", "tasks"): 203, ("tasks", "deals"): 216, ("deals", "tasks"): 215, ("notes", "companies"): 190,
    ("tickets", "contacts"): 16, ("contacts", "tickets"): 15, ("leads", "contacts"): 578,
    ("contacts", "leads"): 579, ("tickets", "deals"): 28, ("deals", "tickets"): 27, ("notes", "tickets"): 228,
    ("tickets", "notes"): 227, ("tasks", "tickets"): 230, ("tickets", "tasks"): 229,
}  # fmt: skip
_REQUIRED: Final = {"notes": "hs_timestamp", "tasks": "hs_timestamp", "leads": "hs_lead_name"}


class RowError(Exception):
    """HubSpot refuses one row. category and code are HubSpot's names."""

    def __init__(self, status: int, category: str, message: str, details: list[JsonObject] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.category = category
        self.message = message
        self.details = details or []


@dataclass
class Record:
    """One object. archived records are kept but answer as missing."""

    id: str
    properties: dict[str, str]
    created_at: str
    updated_at: str
    archived: bool = False

    def document(self, wanted: list[str] | None = None) -> JsonObject:
        """As the objects API answers it; `wanted` narrows the properties."""
        own = {"hs_object_id": self.id, "createdate": self.created_at, "hs_lastmodifieddate": self.updated_at}
        every: dict[str, str] = {**self.properties, **own}
        shown: Mapping[str, str | None] = every if not wanted else {**own, **{n: every.get(n) for n in wanted}}
        return {
            "id": self.id,
            "properties": dict(shown),
            "createdAt": self.created_at,
            "updatedAt": self.updated_at,
            "archived": self.archived,
        }


@dataclass
class Portal:
    """State of one account. `timestamp` gives the time of a write."""

    portal_id: int
    timestamp: Callable[[], str]
    properties: dict[str, dict[str, Property]] = field(default_factory=starting_properties)
    records: dict[str, dict[str, Record]] = field(default_factory=dict)
    associations: dict[tuple[str, str, str, str], list[int]] = field(default_factory=dict)
    _last_id: int = 100

    def of_type(self, object_type: str) -> dict[str, Record]:
        if object_type not in self.properties:
            raise RowError(400, "VALIDATION_ERROR", f"Unable to infer object type from: {object_type}")
        return self.records.setdefault(object_type, {})

    def check(self, object_type: str, values: Any) -> None:
        """Raises RowError when a property is unknown or a value does not fit."""
        if not isinstance(values, dict):
            raise RowError(400, "VALIDATION_ERROR", "properties must be an object of strings")
        known = self.properties.get(object_type, {})
        details = []
        for name, value in values.items():
            problem = problem_with(known.get(name), name, value)
            if problem is not None:
                code, message = problem
                context = {"propertyName": [name]}
                details.append({"message": message, "code": code, "error": code, "name": name, "context": context})
        if details:
            listed = json.dumps([{"isValid": False, **d} for d in details])
            raise RowError(400, "VALIDATION_ERROR", f"Property values were not valid: {listed}", details)

    def find(self, object_type: str, key: str, id_property: str | None = None) -> Record | None:
        """The live record by id, or by a unique property."""
        records = self.of_type(object_type)
        if id_property is None or id_property == "hs_object_id":
            record = records.get(key)
            return record if record is not None and not record.archived else None
        definition = self.properties[object_type].get(id_property)
        if definition is None:
            message = f'Property "{id_property}" does not exist'
            detail = {"message": message, "code": "PROPERTY_DOESNT_EXIST", "error": "PROPERTY_DOESNT_EXIST"}
            raise RowError(400, "VALIDATION_ERROR", f"PROPERTY_DOESNT_EXIST: {message}", [detail])
        if not definition.unique:
            raise RowError(400, "VALIDATION_ERROR", f"idProperty {id_property} is not a unique property")
        wanted = _normal(id_property, key)
        for record in records.values():
            if not record.archived and _normal(id_property, record.properties.get(id_property, "")) == wanted:
                return record
        return None

    def get(self, object_type: str, key: str, id_property: str | None = None) -> Record:
        record = self.find(object_type, key, id_property)
        if record is None:
            raise RowError(404, "OBJECT_NOT_FOUND", "resource not found")
        return record

    def create(self, object_type: str, values: Any, attached: Any = None) -> Record:
        """Create a record. attached is the `associations` list of a create call."""
        self.check(object_type, values)
        required = _REQUIRED.get(object_type)
        if required is not None and not values.get(required):
            raise RowError(400, "VALIDATION_ERROR", f"Some required properties were not set: {required}")
        self._refuse_duplicates(object_type, values, None)
        links = [self._link(object_type, item) for item in attached or []]
        self._last_id += 1
        now = self.timestamp()
        record = Record(str(self._last_id), dict(values), now, now)
        self.of_type(object_type)[record.id] = record
        for to_type, to_id, types in links:
            self._remember(object_type, record.id, to_type, to_id, types)
        return record

    def update(self, object_type: str, record: Record, values: Any) -> Record:
        self.check(object_type, values)
        self._refuse_duplicates(object_type, values, record.id)
        record.properties.update(values)
        record.updated_at = self.timestamp()
        return record

    def upsert(self, object_type: str, key: str, id_property: str, values: Any) -> tuple[Record, bool]:
        """Create or update by a unique property; says whether the record is new."""
        record = self.find(object_type, key, id_property)
        self.check(object_type, values)
        merged = {**values, id_property: values.get(id_property, key)}
        if record is None:
            return self.create(object_type, merged), True
        return self.update(object_type, record, merged), False

    def associate(self, from_type: str, from_id: str, to_type: str, to_id: str) -> tuple[int, int]:
        """Associate two records by default; safe to repeat. Returns the type ids there and back."""
        there = ASSOCIATION_TYPES.get((from_type, to_type))
        back = ASSOCIATION_TYPES.get((to_type, from_type), 0)
        if there is None:
            raise RowError(400, "VALIDATION_ERROR", f"no default association from {from_type} to {to_type}")
        self.get(from_type, from_id)
        self.get(to_type, to_id)
        self._remember(from_type, from_id, to_type, to_id, [there])
        return there, back

    def linked(self, from_type: str, from_id: str, to_type: str) -> list[tuple[str, list[int]]]:
        """Ids associated with a record, with their type ids."""
        wanted = (from_type, from_id, to_type)
        return [(key[3], types) for key, types in self.associations.items() if key[:3] == wanted]

    def snapshot(self) -> JsonObject:
        objects = {t: [r.document() for r in records.values()] for t, records in self.records.items() if records}
        links = [
            {"from_type": f, "from_id": fi, "to_type": t, "to_id": ti, "types": types}
            for (f, fi, t, ti), types in self.associations.items()
        ]
        return {"portal_id": self.portal_id, **objects, "associations": links}

    def _link(self, from_type: str, item: Any) -> tuple[str, str, list[int]]:
        """An entry of an `associations` list, checked: (to type, to id, type ids)."""
        try:
            to_id = str(item["to"]["id"])
            types = [int(spec["associationTypeId"]) for spec in item["types"]]
        except (KeyError, TypeError, ValueError):
            raise RowError(400, "VALIDATION_ERROR", "associations need to.id and types[]") from None
        for (source, target), number in ASSOCIATION_TYPES.items():
            if source == from_type and number in types:
                self.get(target, to_id)
                return target, to_id, types
        raise RowError(400, "VALIDATION_ERROR", f"association types {types} do not start at {from_type}")

    def _remember(self, from_type: str, from_id: str, to_type: str, to_id: str, types: list[int]) -> None:
        self.associations[(from_type, from_id, to_type, to_id)] = types
        back = ASSOCIATION_TYPES.get((to_type, from_type))
        if back is not None:
            self.associations.setdefault((to_type, to_id, from_type, from_id), [back])

    def _refuse_duplicates(self, object_type: str, values: Mapping[str, str], own_id: str | None) -> None:
        for name, definition in self.properties[object_type].items():
            if not definition.unique or not values.get(name):
                continue
            other = self.find(object_type, values[name], name)
            if other is not None and other.id != own_id:
                kind = "Contact" if object_type == "contacts" else "Object"
                message = f"{kind} already exists. Existing ID: {other.id}"
                raise RowError(409, "CONFLICT", message, [{"message": message, "context": {"name": [name]}}])


def _normal(name: str, value: str) -> str:
    return value.strip().lower() if name == "email" else value
