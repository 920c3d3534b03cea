"""The tenant's mapping, contact data and bounds, whatever the source."""

from typing import Any

import pytest

from connectors.reading.lead import LONGEST
from connectors.reading.text import CUT, LARGEST_TREE, clean
from schemas import codec
from schemas.documents import Inbound
from tests.unit.gateway.house import FORM_KEY, House, build_house, bundle, endpoint


async def post(home: House, fields: dict[str, Any]) -> Inbound:
    assert (await home.post("form", FORM_KEY, codec.dumps(fields))).status == 202
    return home.last


async def home_with(**endpoint_settings: Any) -> House:
    offices = [
        {"id": "main", "name": "Main"},
        {"id": "north", "name": "North", "values": {"country": "GB"}},
    ]
    return await build_house(bundle(endpoint("form", FORM_KEY, **endpoint_settings), offices=offices))


async def test_a_mapping_goes_before_the_usual_names() -> None:
    home = await home_with(fields={"name": "who.full", "message": "wants", "custom.budget": "money", "custom.n": "no"})
    lead = (await post(home, {"name": "Form", "who": {"full": "Zoe"}, "wants": ["roof", "gutter"], "money": 12})).lead
    assert (lead.name, lead.message) == ("Zoe", "roof, gutter")
    assert lead.custom == {"budget": 12}
    assert lead.extra == {"who": {"full": "Zoe"}}


async def test_the_office_is_found_by_a_value_of_the_body() -> None:
    home = await home_with(office="main", office_by={"path": "branch", "offices": {"N": "north"}})
    assert (await post(home, {"name": "Zoe", "branch": "N"})).envelope.office_id == "north"
    assert (await post(home, {"name": "Zoe", "branch": "?"})).envelope.office_id == "main"
    assert (await post(home, {"name": "Zoe"})).envelope.office_id == "main"


async def test_a_phone_is_read_as_dialled_in_the_offices_country() -> None:
    home = await home_with(office="main", office_by={"path": "branch", "offices": {"N": "north"}})
    assert (await post(home, {"phone": "020 7183 8750", "branch": "N"})).lead.phone == "+442071838750"
    assert (await post(home, {"phone": "312.555.0142"})).lead.phone == "+13125550142"


@pytest.mark.parametrize(
    ("field", "value"), [("phone", "call me"), ("phone", "12"), ("email", "zoe at example"), ("email", "a@b")]
)
async def test_what_is_no_phone_or_address_stays_readable_in_extra(field: str, value: str) -> None:
    lead = (await post(await home_with(), {"name": "Zoe", field: value})).lead
    assert getattr(lead, field) is None
    assert lead.extra[field] == value


async def test_contact_falls_back_from_phone_to_address_to_request() -> None:
    home = await home_with()
    both = await post(home, {"phone": "3125550142", "email": "zoe@example.test"})
    phone = await post(home, {"phone": "+1 312 555 0142"})
    mail = await post(home, {"email": "zoe@example.test"})
    same = await post(home, {"email": "zoe@EXAMPLE.test", "message": "again"})
    none = await post(home, {"message": "x"})
    other = await post(home, {"message": "y"})
    contacts = [d.envelope.contact_id for d in (both, phone, mail, same, none, other)]
    assert contacts[0] == contacts[1]
    assert contacts[2] == contacts[3]
    assert len(set(contacts)) == 4


async def test_first_and_last_name_make_a_name() -> None:
    lead = (await post(await home_with(), {"first_name": "Zoe", "last_name": "Marchand"})).lead
    assert lead.name == "Zoe Marchand"


async def test_texts_are_trimmed_bounded_and_cleaned() -> None:
    lead = (await post(await home_with(), {"name": "\x00 Z" + "o" * 500, "message": "m" * 30_000})).lead
    assert lead.name == "Z" + "o" * (LONGEST["name"] - 1)
    assert lead.message is not None
    assert len(lead.message) == LONGEST["message"]
    assert clean("a\x00b\ud800c ", 10) == "abc"


async def test_what_is_left_over_is_bounded_and_says_so() -> None:
    fields = {f"field{i}": "v" * 1900 for i in range(150)}
    lead = (await post(await home_with(), {"name": "Zoe", **fields})).lead
    assert lead.extra[CUT] is True
    assert len(codec.dumps(lead.extra)) < LARGEST_TREE + 100


@pytest.mark.parametrize("filler", ['"', "\\u0001", "é", "x"])
async def test_the_largest_body_still_makes_a_record_that_fits(filler: str) -> None:
    home = await home_with(fields={"message": "m", "custom.a": "a", "custom.b": "b"})
    room = (512 * 1024 - 200) // len(filler.encode())
    text = filler.replace('"', '\\"') * (room // (2 if filler == '"' else 1))
    body = f'{{"m":"{text[:140_000]}","a":"{text[:60_000]}","b":["{text[:40_000]}"],"c":"'.encode()
    body += b"z" * (512 * 1024 - len(body) - 2) + b'"}'
    assert len(body) == 512 * 1024
    assert (await home.post("form", FORM_KEY, body)).status == 202
    [kept] = home.bus.records
    assert len(kept.value) <= 900 * 1024 - 4096
    assert kept.document.raw.size == 512 * 1024
