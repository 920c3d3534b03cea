"""One Salesforce org: its records and the rules that Salesforce keeps on writing them.

Upserts go by an External ID field that is unique; a refused row says why as `RowRefused` with Salesforce's own
errorCode. A converted Lead is closed for updates. Nothing here knows HTTP.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from ops.sandbox.salesforce_schema import Field, sobjects
from ops.sandbox.world import JsonObject

_KEY_PREFIX: Final = {"Lead": "00Q", "Contact": "003", "Task": "00T"}
_QUERY: Final = re.compile(
    r"\s*SELECT\s+(?P<fields>[\w\s,]+?)\s+FROM\s+(?P<object>\w+)"
    r"(?:\s+WHERE\s+(?P<field>\w+)\s*=\s*'(?P<value>(?:[^'\\]|\\.)*)')?(?:\s+LIMIT\s+(?P<limit>\d+))?\s*",
    re.IGNORECASE,
)


class RowRefused(Exception):
    """Salesforce refuses a row or a query."""

    def __init__(self, status: int, code: str, message: str, fields: list[str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.fields = fields or []


@dataclass
class Org:
    """State of one org. `timestamp` gives the time of a write."""

    timestamp: Callable[[], str]
    schema: dict[str, dict[str, Field]] = field(default_factory=sobjects)
    records: dict[str, dict[str, JsonObject]] = field(default_factory=dict)
    _last: int = 0

    def fields(self, sobject: str) -> dict[str, Field]:
        known = self.schema.get(sobject)
        if known is None:
            raise RowRefused(404, "NOT_FOUND", "The requested resource does not exist")
        return known

    def named(self, sobject: str, values: Mapping[str, Any]) -> JsonObject:
        """The values under the fields' own names: Salesforce takes field names in any case."""
        names = {name.lower(): name for name in self.fields(sobject)}
        return {names.get(name.lower(), name): value for name, value in values.items()}

    def document(self, sobject: str, record: Mapping[str, Any], wanted: list[str]) -> JsonObject:
        """A record with all its fields, or those that are wanted; what was never written is null."""
        known = self.fields(sobject)
        every = {name: record.get(name) for name in known}
        if not wanted:
            return {"attributes": {"type": sobject}, **every}
        chosen = self.named(sobject, dict.fromkeys(wanted))
        for name in chosen:
            if name not in known:
                raise RowRefused(400, "INVALID_FIELD", f"No such column '{name}' on entity '{sobject}'.", [name])
        return {"attributes": {"type": sobject}, **{name: every[name] for name in chosen}}

    def by_key(self, sobject: str, key_field: str, value: str) -> JsonObject | None:
        """The record by Id or External ID; None when there is none. Values are compared without regard to case."""
        key_field = next(iter(self.named(sobject, {key_field: None})))
        definition = self.fields(sobject).get(key_field)
        if definition is None or not (definition.external_id or key_field == "Id"):
            message = f"Provided external ID field does not exist or is not accessible: {key_field}"
            raise RowRefused(404, "NOT_FOUND", message)
        for record in self.records.get(sobject, {}).values():
            if str(record.get(key_field, "")).lower() == value.lower():
                return record
        return None

    def create(self, sobject: str, values: Mapping[str, Any]) -> str:
        """Create a record; returns its 18-character id."""
        values = self.named(sobject, values)
        self._check(sobject, values)
        known = self.fields(sobject)
        missing = [n for n, f in known.items() if f.required and not values.get(n)]
        if missing:
            message = f"Required fields are missing: [{', '.join(missing)}]"
            raise RowRefused(400, "REQUIRED_FIELD_MISSING", message, missing)
        self._refuse_duplicates(sobject, values, None)
        self._last += 1
        record_id = f"{_KEY_PREFIX[sobject]}Sb{self._last:010d}AAA"
        stamps = dict.fromkeys(("CreatedDate", "LastModifiedDate"), self.timestamp())
        standing = {"Status": "Open - Not Contacted", "IsConverted": False} if sobject == "Lead" else {}
        self.records.setdefault(sobject, {})[record_id] = {"Id": record_id, **standing, **stamps, **values}
        return record_id

    def update(self, sobject: str, record: JsonObject, values: Mapping[str, Any]) -> None:
        """Change a record."""
        values = self.named(sobject, values)
        self._check(sobject, values)
        if record.get("IsConverted") is True:
            raise RowRefused(400, "CANNOT_UPDATE_CONVERTED_LEAD", "cannot reference converted lead")
        emptied = [n for n, f in self.fields(sobject).items() if f.required and n in values and not values[n]]
        if emptied:
            message = f"Required fields are missing: [{', '.join(emptied)}]"
            raise RowRefused(400, "REQUIRED_FIELD_MISSING", message, emptied)
        self._refuse_duplicates(sobject, values, record["Id"])
        record.update(values)
        record["LastModifiedDate"] = self.timestamp()

    def upsert(self, sobject: str, key_field: str, value: str, values: Mapping[str, Any]) -> tuple[str, bool]:
        """Create or update by External ID; returns the id and whether the record is new."""
        record = self.by_key(sobject, key_field, value)
        if record is None:
            return self.create(sobject, {**values, key_field: value}), True
        self.update(sobject, record, values)
        return str(record["Id"]), False

    def query(self, soql: str) -> list[JsonObject]:
        """`SELECT … FROM … [WHERE Field = 'value'] [LIMIT n]`, and no more than that."""
        parsed = _QUERY.fullmatch(soql)
        if parsed is None:
            raise RowRefused(400, "MALFORMED_QUERY", "the sandbox reads SELECT … FROM … WHERE Field = 'value'")
        sobject, wanted = parsed["object"], [name.strip() for name in parsed["fields"].split(",")]
        known = self.schema.get(sobject)
        if known is None:
            raise RowRefused(400, "INVALID_TYPE", f"sObject type '{sobject}' is not supported.")
        named = [*wanted, parsed["field"]] if parsed["field"] else wanted
        for name in named:
            if name not in known:
                raise RowRefused(400, "INVALID_FIELD", f"No such column '{name}' on entity '{sobject}'.", [name])
        rows = list(self.records.get(sobject, {}).values())
        if parsed["field"]:
            value = re.sub(r"\\(.)", r"\1", parsed["value"]).lower()
            rows = [row for row in rows if str(row.get(parsed["field"], "")).lower() == value]
        if parsed["limit"]:
            rows = rows[: int(parsed["limit"])]
        attributes = {"type": sobject}
        return [{"attributes": attributes, **{name: row.get(name) for name in wanted}} for row in rows]

    def _check(self, sobject: str, values: Mapping[str, Any]) -> None:
        known = self.fields(sobject)
        for name, value in values.items():
            definition = known.get(name)
            if definition is None:
                message = f"No such column '{name}' on sobject of type {sobject}"
                raise RowRefused(400, "INVALID_FIELD", message, [name])
            problem = definition.problem_with(value)
            if problem is not None:
                raise RowRefused(400, problem[0], problem[1], [name])

    def _refuse_duplicates(self, sobject: str, values: Mapping[str, Any], own_id: str | None) -> None:
        for name, definition in self.fields(sobject).items():
            if not definition.external_id or not values.get(name):
                continue
            other = self.by_key(sobject, name, str(values[name]))
            if other is not None and other["Id"] != own_id:
                message = f"duplicate value found: {name} duplicates value on record with id: {other['Id']}"
                raise RowRefused(400, "DUPLICATE_VALUE", message, [name])
