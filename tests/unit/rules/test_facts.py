"""Facts: all that is declared is there, computed with the event's own time."""

from datetime import UTC, datetime
from typing import Any

import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.catalogue import OPEN, catalogue
from rules.contact_facts import email_facts, phone_facts
from rules.facts import facts_of
from rules.loader import load_folder
from schemas.envelope import Phase
from schemas.lead import Mode
from tests.unit.rules.documents import RECEIVED_AT, TENANTS, analyzed, call, inbound

DENTAL = load_folder(TENANTS / "bright-dental").intake
SUMMIT = load_folder(TENANTS / "summit-roofing").intake


def paths(value: Any, prefix: str = "") -> set[str]:
    if not isinstance(value, dict) or prefix in OPEN:
        return {prefix}
    return {path for name, inner in value.items() for path in paths(inner, f"{prefix}.{name}" if prefix else name)}


def test_the_catalogue_and_the_facts_say_the_same() -> None:
    assert paths(facts_of(inbound(), SUMMIT)) == set(catalogue())


def test_facts_of_the_catalogue_have_the_type_they_promise() -> None:
    document = analyzed(call("bright-dental", "downtown", email="info@example.test"), words="Hola", lead_score=80)
    facts = facts_of(document, DENTAL)
    types = {"text": str, "number": int | float, "boolean": bool, "time": str, "list": list, "object": dict}
    for path, fact in catalogue().items():
        value: Any = facts
        for part in path.split("."):
            value = value[part]
        assert value is None or isinstance(value, types[fact.type]), path


def test_what_is_not_known_is_null_and_lists_are_empty() -> None:
    facts = facts_of(inbound(office=None), SUMMIT)
    assert facts["lead"]["email"] is None
    assert facts["call"]["tags"] == []
    assert facts["analysis"] == dict.fromkeys(facts["analysis"]) | {"tags": [], "reasons": []}
    assert facts["transcript"]["text"] is None
    assert facts["office"]["id"] is None
    assert facts["clock"]["zone"] == "UTC"


def test_own_fields_and_office_values_are_always_there() -> None:
    facts = facts_of(inbound("bright-dental", office="lakeside"), DENTAL)
    assert facts["lead"]["custom"] == {"insurance": None}
    assert facts["office"]["values"] == {"city": "Evanston"}
    assert catalogue(DENTAL)["lead.custom.insurance"].phase is Phase.RECEIVED


def test_the_clock_is_the_events_in_the_offices_zone() -> None:
    late = inbound(office="main", occurred_at=datetime(2026, 3, 2, 2, 30, tzinfo=UTC))
    facts = facts_of(late, SUMMIT)
    assert facts["event"]["time"] == "2026-03-02T02:30:00Z"
    expected = {"weekday": 7, "day": "sunday", "date": "2026-03-01", "time": "19:30", "minutes": 1170}
    assert facts["clock"] == expected | {"zone": "America/Denver"}


def test_a_vendors_clock_that_runs_ahead_is_not_believed() -> None:
    facts = facts_of(inbound(occurred_at=datetime(2027, 1, 1, tzinfo=UTC)), SUMMIT)
    assert facts["event"]["time"] == "2026-03-02T16:14:22Z"
    assert facts["event"]["received_at"] == "2026-03-02T16:14:22Z"


def test_fields_of_the_future_do_not_disturb() -> None:
    document = analyzed(inbound(email="zoe@example.test"), lead_score=80)
    grown = {
        **document,
        "envelope": {**document["envelope"], "galaxy": 1, "mode": "hologram"},
        "lead": {**document["lead"], "aura": "blue", "attribution": {"source": "google", "planet": "mars"}},
        "analysis": {**document["analysis"], "sentiment": "ecstatic", "empathy": [1]},
        "prophecy": {"likely": True},
    }
    facts = facts_of(grown, SUMMIT)
    assert paths(facts) == set(catalogue())
    assert facts["event"]["mode"] == "other"
    assert facts["analysis"]["sentiment"] == "other"
    assert facts["lead"]["attribution"]["source"] == "google"


@pytest.mark.parametrize(
    ("lead", "given", "family", "shown", "always"),
    [
        ({"name": "Zoe Ann Marchand"}, "Zoe Ann", "Marchand", "Zoe Ann Marchand", "Marchand"),
        ({"name": "Zoe"}, None, "Zoe", "Zoe", "Zoe"),
        ({"first_name": "Zoe", "last_name": "Marchand"}, "Zoe", "Marchand", "Zoe Marchand", "Marchand"),
        ({"phone": "+13125550142"}, None, None, "+13125550142", "+13125550142"),
        ({"email": "zoe@example.test"}, None, None, "zoe@example.test", "zoe@example.test"),
        ({}, None, None, "Unknown caller", "Unknown caller"),
    ],
)
def test_there_is_always_a_name(lead: dict[str, str], given: str, family: str, shown: str, always: str) -> None:
    facts = facts_of(inbound(mode=Mode.CHAT) | {"lead": lead}, SUMMIT)["lead"]
    assert (facts["given_name"], facts["family_name"]) == (given, family)
    assert (facts["display_name"], facts["last_name_or_unknown"]) == (shown, always)
    assert facts["title"] == f"Chat: {shown}"


def test_content_is_what_the_person_wrote_or_said() -> None:
    chat = {"chat_id": "1", "messages": [{"by": "visitor", "text": "Hi"}, {"by": "agent", "text": "Hello, how …"}]}
    document = analyzed(inbound(message="A leak", chat=chat), words="It drips")
    assert facts_of(document, SUMMIT)["content"]["text"] == "A leak\nHi\nIt drips"


def test_an_email_address_tells_its_kind() -> None:
    assert email_facts("info+web@Example.test") == {
        "domain": "example.test",
        "free": False,
        "disposable": False,
        "role": True,
    }
    assert email_facts("zoe@gmail.com")["free"] is True
    assert email_facts(None)["free"] is None


def test_a_number_tells_its_country() -> None:
    assert phone_facts("+13125550142")["country"] == "US"
    assert phone_facts("call me")["valid"] is False
    assert phone_facts(None) == {"country": None, "type": None, "valid": None}


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(phonenumbers.SUPPORTED_REGIONS)), st.text("0123456789", min_size=1, max_size=15))
def test_a_number_is_valid_when_the_numbering_plan_knows_it(region: str, digits: str) -> None:
    code = phonenumbers.country_code_for_region(region)
    example = phonenumbers.example_number(region)
    for text in (f"+{code}{digits}", f"+{code}{example.national_number if example else digits}", f"+800{digits}"):
        try:
            known = phonenumbers.is_valid_number(phonenumbers.parse(text))
        except phonenumbers.NumberParseException:
            known = False
        assert phone_facts(text)["valid"] is known


def test_the_same_document_gives_the_same_facts() -> None:
    document = call("summit-roofing", "main", received_at=RECEIVED_AT)
    assert facts_of(document, SUMMIT) == facts_of(document, SUMMIT)
