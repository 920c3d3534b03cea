"""How records look at HubSpot: object types, key properties, values as strings, what a new record needs besides."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from connectors.crm.html_text import text_as_html
from connectors.crm.seam import ConfigBroken, Record
from connectors.crm.vendors.hubspot.settings import HubSpotSettings
from schemas import codec

TEXT_LIMIT = 65_536
"""Characters of a text property. Source: HubSpot, "Property limits"."""
_TYPES = {"contact": "contacts", "deal": "deals", "note": "notes", "task": "tasks", "ticket": "tickets"}
_TYPE_IDS = {"contact": "0-1", "deal": "0-3", "ticket": "0-5"}
_HTML = frozenset({"hs_note_body", "hs_task_body"})


@dataclass(frozen=True, slots=True)
class ObjectKind:
    """HubSpot's name of an object and the unique property that holds our id."""

    name: str
    key: str


class Objects:
    """One tenant's objects."""

    def __init__(self, settings: HubSpotSettings, now: Callable[[], datetime]) -> None:
        self._settings = settings
        self._now = now

    def kind(self, name: str) -> ObjectKind:
        """The kind for a mapping's object name; `ConfigBroken` for one that is not served."""
        if name not in _TYPES:
            known = ", ".join(_TYPES)
            raise ConfigBroken(f"the mapping writes to object {name!r}; HubSpot connectors know {known}", code="object")
        key = self._settings.contact_key if name == "contact" else self._settings.request_key
        return ObjectKind(_TYPES[name], key)

    def defaults(self, record: Record) -> dict[str, str]:
        """Properties that a new record needs and the mapping does not give."""
        wanted: dict[str, str | None] = {}
        if record.object == "deal":
            wanted = {"pipeline": self._settings.pipeline, "dealstage": self._settings.dealstage}
        elif record.object in ("note", "task"):
            # A note without a time is refused. The clock, because a step does not say when its lead came in.
            wanted = {"hs_timestamp": self._now().astimezone(UTC).isoformat(timespec="milliseconds")}
        given = {field.name for field in record.fields if field.value not in (None, "")}
        return {name: value for name, value in wanted.items() if value is not None and name not in given}

    def url(self, remote_ids: Mapping[str, str]) -> str | None:
        """Where a person sees the most telling of the records."""
        if self._settings.portal_id is None:
            return None
        for name in ("deal", "ticket", "contact"):
            if name in remote_ids:
                portal = self._settings.portal_id
                return f"https://app.hubspot.com/contacts/{portal}/record/{_TYPE_IDS[name]}/{remote_ids[name]}"
        return None


def wire(name: str, value: Any) -> str:
    """A value as HubSpot takes it: always a string; the bodies of notes and tasks as HTML that shows the text."""
    if isinstance(value, bool):
        text = "true" if value else "false"
    elif isinstance(value, float) and value.is_integer() and abs(value) < 1e16:
        text = str(int(value))
    elif isinstance(value, list | tuple):
        text = ";".join(wire("", part) for part in value)
    elif isinstance(value, dict):
        text = codec.canonical(value).decode()
    else:
        text = str(value)
    return text_as_html(text, TEXT_LIMIT) if name in _HTML else text[:TEXT_LIMIT]
