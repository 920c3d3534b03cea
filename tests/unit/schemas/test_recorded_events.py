"""What was once written is read for ever, whole, and a change that breaks it is named."""

import copy
import json
from collections.abc import Callable
from typing import Any, Literal

import pytest
from pydantic import ValidationError

from ops.contracts import json_schemas
from schemas.base import Section
from schemas.documents import Document, RawBody
from schemas.lead import Consent, Lead
from tests.unit.schemas.recorded.compatibility import breaks
from tests.unit.schemas.recorded.reading import CONTRACTS, KINDS, Recorded, losses, recorded_events

EVENTS = recorded_events()
BY_NAME = {event.name: event for event in EVENTS}
THEN = {path.name.removesuffix(".schema.json"): json.loads(path.read_text()) for path in CONTRACTS.glob("*.json")}
TODAY = json_schemas()
RENEW = "to accept what was added: leadbus schemas export DIR, and copy DIR/{}.schema.json over the recorded contract"


def test_every_kind_of_document_and_every_way_a_stage_ends_is_recorded() -> None:
    assert {event.kind for event in EVENTS} == set(KINDS.values())
    values = [event.value for event in EVENTS if event.topic != "dead-letters"]
    assert {v["transcript"]["state"] for v in values if "transcript" in v} >= {"done", "none", "unavailable"}
    assert {v["analysis"]["state"] for v in values if "analysis" in v} == {"done", "unscored", "skipped"}
    assert {v["decision"]["action"] for v in values if "decision" in v} == {"deliver", "filter", "hold"}
    assert {v["step"]["scope"] for v in values if "step" in v} == {"record", "once"}
    ends = {"delivered", "recorded", "filtered", "superseded", "duplicate", "dead", "expired"}
    assert {v["state"] for v in values if "outcome_id" in v} == ends
    sources = {v["envelope"]["source"] for v in values if "unparsed" not in v and v.get("raw", {}).get("body")}
    assert sources == {"callrail", "form", "calendly", "tawk"}


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.name)
def test_a_recorded_event_is_read_without_loss(event: Recorded) -> None:
    assert losses(event.kind.model_validate(event.value), event.value) == []


@pytest.mark.parametrize("name", sorted(THEN))
def test_todays_contract_reads_everything_that_the_recorded_one_allowed(name: str) -> None:
    assert breaks(THEN[name], TODAY[name]) == []


@pytest.mark.parametrize("name", sorted(THEN))
def test_what_was_added_or_loosened_since_is_recorded_so_that_it_is_kept_as_well(name: str) -> None:
    assert breaks(TODAY[name], THEN[name]) == [], RENEW.format(name)


class RenamedLead(Section):
    """`lead` as a careless change would make it: `phone` under a new name."""

    name: str | None = None
    phone_number: str | None = None
    message: str | None = None
    consent: tuple[Consent, ...] = ()


class RenamedInbound(Document):
    lead: RenamedLead
    raw: RawBody


def test_a_field_that_was_renamed_is_named_although_nothing_is_refused() -> None:
    event = BY_NAME["inbound-form"]
    assert losses(RenamedInbound.model_validate(event.value), event.value) == ["lead.phone: not a field today"]


def test_a_value_that_is_read_as_another_is_named() -> None:
    event = BY_NAME["outcome-expired"]
    renamed = {**event.value, "state": "too_late"}
    assert losses(event.kind.model_validate(renamed), renamed) == ["state: reads as 'other', was 'too_late'"]


class NarrowRaw(Section):
    """The webhook's body, of a sender that is thought to write only ASCII."""

    encoding: Literal["ascii"]


class NarrowInbound(Document):
    lead: Lead
    raw: NarrowRaw


def test_a_type_that_was_narrowed_refuses_the_recorded_event() -> None:
    with pytest.raises(ValidationError, match=r"raw\.encoding"):
        NarrowInbound.model_validate(BY_NAME["inbound-form"].value)


def remove(name: str, field: str) -> Callable[[dict[str, Any]], None]:
    return lambda schema: schema["$defs"][name]["properties"].pop(field)


def rename(name: str, field: str, to: str) -> Callable[[dict[str, Any]], None]:
    def change(schema: dict[str, Any]) -> None:
        properties = schema["$defs"][name]["properties"]
        properties[to] = properties.pop(field)

    return change


def require(name: str, field: str) -> Callable[[dict[str, Any]], None]:
    def change(schema: dict[str, Any]) -> None:
        schema["$defs"][name].setdefault("required", []).append(field)
        schema["$defs"][name]["properties"].setdefault(field, {"type": "string"})

    return change


def put(name: str, field: str, value: dict[str, Any]) -> Callable[[dict[str, Any]], None]:
    return lambda schema: schema["$defs"][name]["properties"].update({field: value})


def limit(name: str, field: str, **limits: object) -> Callable[[dict[str, Any]], None]:
    return lambda schema: schema["$defs"][name]["properties"][field].update(limits)


def without_value(name: str, value: str) -> Callable[[dict[str, Any]], None]:
    return lambda schema: schema["$defs"][name]["anyOf"][0]["enum"].remove(value)


def closed(name: str) -> Callable[[dict[str, Any]], None]:
    def change(schema: dict[str, Any]) -> None:
        schema["$defs"][name] = {"type": "string", **schema["$defs"][name].pop("anyOf")[0]}

    return change


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (remove("Envelope", "contact_id"), "envelope.contact_id: removed"),
        (rename("Lead", "phone", "phone_number"), "lead.phone: removed"),
        (remove("Call", "recording_url"), "lead.call.recording_url: removed"),
        (require("Lead", "consent_version"), "lead.consent_version: newly required"),
        (require("Envelope", "office_id"), "envelope.office_id: newly required"),
        (put("RawBody", "size", {"type": "string"}), "raw.size: was integer, must be string"),
        (put("Lead", "name", {"type": "string"}), "lead.name: was null, must be string"),
        (put("RawBody", "encoding", {"enum": ["utf-8"]}), "raw.encoding: no longer base64"),
        (put("Envelope", "replaces", {"type": "null"}), "envelope.replaces: was string, must be null"),
        (put("Lead", "custom", {"type": "object", "additionalProperties": {"type": "string"}}), "lead.custom[]: was"),
        (limit("Envelope", "source", maxLength=8), "envelope.source: maxLength 8 where 32 was asked for"),
        (limit("Envelope", "event_kind", minLength=2), "envelope.event_kind: minLength 2 where 1 was asked for"),
        (limit("RawBody", "sha256", pattern="^[0-9]+$"), "raw.sha256: must fit another pattern"),
        (without_value("Mode", "chat"), "envelope.mode: no longer chat"),
        (closed("ConsentState"), "lead.consent[].state: takes only"),
        (lambda schema: schema.update(additionalProperties=False), "the document: unknown fields are refused now"),
    ],
)
def test_a_change_that_breaks_an_older_event_is_named(change: Callable[[dict[str, Any]], None], says: str) -> None:
    changed = copy.deepcopy(THEN["inbound-1"])
    change(changed)
    found = breaks(THEN["inbound-1"], changed)
    assert any(line.startswith(says) for line in found), found


@pytest.mark.parametrize(
    "change",
    [
        put("Lead", "pronouns", {"type": "string"}),
        put("RawBody", "size", {"type": "number"}),
        put("Envelope", "endpoint_id", {"type": "string"}),
        lambda schema: schema["$defs"]["Mode"]["anyOf"][0]["enum"].append("fax"),
        lambda schema: schema["$defs"]["Envelope"]["required"].remove("contact_id"),
    ],
)
def test_a_change_that_only_allows_more_breaks_nothing(change: Callable[[dict[str, Any]], None]) -> None:
    changed = copy.deepcopy(THEN["inbound-1"])
    change(changed)
    assert breaks(THEN["inbound-1"], changed) == []


def test_a_removed_field_of_a_bundle_is_named_because_kept_bundles_would_be_refused() -> None:
    changed = copy.deepcopy(THEN["bundle-rules"])
    remove("Rule", "priority")(changed)
    assert breaks(THEN["bundle-rules"], changed) == ["rules[].priority: removed"]
