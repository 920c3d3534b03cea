"""How records look at Pipedrive: which fields are its own, how they are typed, and what stands in a record now."""

from collections.abc import Mapping
from typing import Any

from connectors.crm.sameness import is_empty, same
from connectors.crm.seam import ConfigBroken, Record
from connectors.crm.vendors.pipedrive.fields import CustomField, CustomFields, FieldOwner

PERSON_FIELDS = frozenset({"name", "owner_id", "org_id", "label_ids", "visible_to", "marketing_status"})
LEAD_FIELDS = frozenset(
    {
        "title",
        "owner_id",
        "label_ids",
        "value",
        "expected_close_date",
        "visible_to",
        "was_seen",
        "channel",
        "channel_id",
    }
)
_LISTS = {"email": "emails", "emails": "emails", "phone": "phones", "phones": "phones"}
_IDS = frozenset({"owner_id", "org_id", "channel"})


class Shape:
    """A record's fields, sorted into the vendor's own and custom ones."""

    def __init__(self, record: Record, own: frozenset[str], custom: Mapping[str, CustomField], currency: str) -> None:
        self._record = record
        self._own = own
        self._custom = custom
        self._currency = currency

    @classmethod
    async def of(cls, record: Record, owner: FieldOwner, fields: CustomFields, currency: str = "USD") -> "Shape":
        """Looks the custom fields up; `ConfigBroken` when the company lacks one."""
        own = PERSON_FIELDS if owner == "person" else LEAD_FIELDS
        listed = _LISTS if owner == "person" else {}
        names = [f.name for f in record.fields if f.name not in own and f.name not in listed]
        return cls(record, own, {name: await fields.find(owner, name) for name in names}, currency)

    def wire(self, name: str, value: Any) -> Any:
        """A value in the type that Pipedrive takes; numbers are numbers and text is text, or it is refused."""
        if name in self._custom:
            return self._custom[name].wire(value)
        if name in _IDS and isinstance(value, str) and value.strip().isdigit():
            return int(value)
        if name == "value" and not isinstance(value, Mapping):
            return {"amount": CustomField("", True).wire(value), "currency": self._currency}
        if name in ("name", "title", "email", "phone", "emails", "phones") and not isinstance(value, str):
            return str(value)
        return value

    def present(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """What stands in the record now, by the names of the mapping."""
        custom = row.get("custom_fields")
        nested: Mapping[str, Any] = custom if isinstance(custom, Mapping) else row
        there: dict[str, Any] = {}
        for field in self._record.fields:
            if field.name in self._custom:
                there[field.name] = _bare(nested.get(self._custom[field.name].key))
            elif field.name in self._own:
                there[field.name] = row.get(field.name)
            else:
                there[field.name] = _listed(row.get(_LISTS[field.name]), field.value)
        return there

    def body(self, send: Mapping[str, Any], row: Mapping[str, Any] | None, *, nested: bool) -> dict[str, Any]:
        """The body of a write. Addresses and numbers that a person has keep their place behind the new one.

        `nested`: v2 takes custom fields under `custom_fields`, v1 at the root.
        """
        made: dict[str, Any] = {}
        custom: dict[str, Any] = {}
        for name, value in send.items():
            if name in self._custom:
                custom[self._custom[name].key] = value
            elif name in self._own:
                made[name] = value
            else:
                made[_LISTS[name]] = _first(str(value), (row or {}).get(_LISTS[name]))
        return {**made, **({"custom_fields": custom} if custom and nested else custom)}


def links(record: Record, ids: Mapping[str, str]) -> dict[str, Any]:
    """What a note is tied to; to everything in the step when the mapping does not say."""
    wanted = record.associate_with or tuple(name for name in ("lead", "contact") if name in ids)
    made: dict[str, Any] = {}
    if "lead" in wanted:
        made["lead_id"] = ids["lead"]
    if "contact" in wanted:
        made["person_id"] = int(ids["contact"])
    if not made:
        raise ConfigBroken("a note needs a person or a lead in the same mapping", code="mapping")
    return made


def _listed(entries: Any, wanted: Any) -> Any:
    values = [e.get("value") for e in entries if isinstance(e, Mapping)] if isinstance(entries, list) else []
    for value in values:
        if not is_empty(value) and same(value, wanted):
            return value
    primary = [e.get("value") for e in entries or () if isinstance(e, Mapping) and e.get("primary") is True]
    return next((value for value in (*primary, *values) if not is_empty(value)), None)


def _first(value: str, entries: Any) -> list[dict[str, Any]]:
    kept = [e for e in entries if isinstance(e, Mapping)] if isinstance(entries, list) else []
    others = [{**e, "primary": False} for e in kept if not same(e.get("value"), value) and not is_empty(e.get("value"))]
    return [{"value": value, "primary": True, "label": "work"}, *others]


def _bare(value: Any) -> Any:
    """v2 wraps some custom values: `{"value": …}`."""
    return value.get("value") if isinstance(value, Mapping) and "value" in value else value
