"""From a document and the tenant's intake half to the facts that rules and mappings read.

Computed once per event, with the event's own time: the same document gives the same facts whenever it is replayed.
Every declared field is there, null when it is not known, so that a missing name is a typing error and not a silent
null; lists are empty, never null. What a newer version added to the document is not among the facts.

Shape: nested JSON, `{"lead": {"email": …}, "clock": {…}, …}`; `catalogue` names every path. Raises
`pydantic.ValidationError` for a document that is none.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import Enum
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import BaseModel

from rules.contact_facts import email_facts, name_facts, phone_facts
from schemas.documents import Analysis, Transcript
from schemas.envelope import Envelope
from schemas.lead import Attribution, Booking, Call, Chat, Lead, SpamSigns
from schemas.tenant import IntakeBundle, Office

_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_TRANSCRIPT = ("state", "reason", "text", "language", "confidence", "audio_seconds")
_ANALYSIS = (
    "state", "reason", "lead_score", "spam_likelihood", "sentiment", "sentiment_score", "confidence", "intent",
    "service", "urgency", "summary", "language", "tags", "reasons", "model",
)  # fmt: skip
_OFFICE = ("id", "name", "time_zone", "region", "mailbox", "pool", "crm_owner")
_PLAIN = frozenset((str, bool, int, float))
_NESTED_IN_LEAD = ("attribution", "call", "booking", "chat", "spam")


def facts_of(document: Mapping[str, Any], intake: IntakeBundle) -> dict[str, Any]:
    """The facts of a parsed `Inbound` or `Analyzed` record (or of any later document)."""
    envelope = Envelope.model_validate(document["envelope"])
    lead = Lead.model_validate(document.get("lead") or {})
    transcript = Transcript.model_validate(found) if (found := document.get("transcript")) else None
    analysis = Analysis.model_validate(found) if (found := document.get("analysis")) else None
    office = intake.office(envelope.office_id)
    time = event_time(envelope)
    return {
        "tenant": {"id": envelope.tenant_id},
        "event": _event(envelope, time),
        "lead": _lead(lead, envelope, intake),
        "content": {"text": _content(lead, transcript)},
        "call": _section(Call, lead.call),
        "booking": _section(Booking, lead.booking),
        "chat": _section(Chat, lead.chat),
        "email": email_facts(lead.email),
        "phone": phone_facts(lead.phone),
        "office": _office(office, intake),
        "clock": _clock(time, office.time_zone if office else "UTC"),
        "transcript": _only(_TRANSCRIPT, _section(Transcript, transcript)),
        "analysis": _only(_ANALYSIS, _section(Analysis, analysis)),
    }


def event_time(envelope: Envelope) -> datetime:
    """When it happened: the vendor's own time, unless it lies after the arrival (a wrong clock) or is not known."""
    occurred = envelope.occurred_at
    return min(occurred, envelope.received_at) if occurred else envelope.received_at


def _event(envelope: Envelope, time: datetime) -> dict[str, Any]:
    return {
        "id": envelope.event_id,
        "request_id": envelope.request_id,
        "contact_id": envelope.contact_id,
        "replaces": envelope.replaces,
        "kind": envelope.event_kind,
        "source": envelope.source,
        "endpoint": envelope.endpoint_id,
        "mode": envelope.mode.value,
        "time": _json(time),
        "received_at": _json(envelope.received_at),
        "test": envelope.test,
        "interim": envelope.interim,
    }


def _lead(lead: Lead, envelope: Envelope, intake: IntakeBundle) -> dict[str, Any]:
    plain = {name: _json(getattr(lead, name)) for name in Lead.model_fields if name not in _NESTED_IN_LEAD}
    declared = {field[7:] for e in intake.endpoints for field in e.fields if field.startswith("custom.")}
    return {
        **plain,
        **name_facts(lead, envelope.mode),
        "attribution": _section(Attribution, lead.attribution),
        "spam": _section(SpamSigns, lead.spam),
        "custom": dict.fromkeys(sorted(declared)) | lead.custom,
    }


def _content(lead: Lead, transcript: Transcript | None) -> str | None:
    """What the person wrote or said, in their own words."""
    chat = [message.text for message in lead.chat.messages if message.by == "visitor"] if lead.chat else []
    parts = [lead.message, *chat, transcript.text if transcript else None]
    return "\n".join(part for part in parts if part) or None


def _office(office: Office | None, intake: IntakeBundle) -> dict[str, Any]:
    own = dict.fromkeys(sorted({name for o in intake.offices for name in o.values}))
    fields = {name: getattr(office, name) if office else None for name in _OFFICE}
    return {**fields, "values": own | dict(office.values if office else {})}


def _clock(time: datetime, zone: str) -> dict[str, Any]:
    local = time.astimezone(ZoneInfo(zone))
    return {
        "weekday": local.isoweekday(),
        "day": _DAYS[local.weekday()],
        "date": local.date().isoformat(),
        "time": f"{local:%H:%M}",
        "minutes": local.hour * 60 + local.minute,
        "zone": zone,
    }


def _only(names: tuple[str, ...], section: dict[str, Any]) -> dict[str, Any]:
    return {name: section[name] for name in names}


def _section(model: type[BaseModel], section: BaseModel | None) -> dict[str, Any]:
    """The declared fields of a section; of an absent one null, or an empty list."""
    if section is not None:
        return {name: _json(getattr(section, name)) for name, _ in _shape(model)}
    return {name: [] if is_list else None for name, is_list in _shape(model)}


@cache
def _shape(model: type[BaseModel]) -> tuple[tuple[str, bool], ...]:
    return tuple((name, field.default == ()) for name, field in model.model_fields.items())


def _json(value: Any) -> Any:
    if value is None or type(value) in _PLAIN:
        return value
    if isinstance(value, BaseModel):
        return {name: _json(getattr(value, name)) for name, _ in _shape(type(value))}
    if isinstance(value, tuple | list):
        return [_json(item) for item in value]
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return value
