"""Pipedrive's own cases: look-up of people, the lagging index, custom fields, notes, what people added by hand."""

import aiohttp
import pytest

from connectors.crm.seam import ConfigBroken, RateLimited
from ops.sandbox.server import Sandbox, SandboxAddresses
from schemas.decision import Write
from tests.conformance.crm.benches import CONTACT, PipedriveBench, Row
from tests.conformance.crm.conftest import Desk, OpenPool

EMAIL = "dana.whitfield@example.com"


@pytest.fixture
def desk(sandbox: tuple[Sandbox, SandboxAddresses], open_pool: OpenPool) -> Desk:
    return Desk(PipedriveBench(*sandbox), open_pool)


async def by_hand(desk: Desk, body: Row) -> str:
    """A person that somebody has made in Pipedrive."""
    url, headers = f"{desk.bench.addresses.pipedrive}/api/v2/persons", {"x-api-token": desk.bench.secret}
    async with aiohttp.ClientSession() as session, session.post(url, headers=headers, json=body) as answer:
        return str((await answer.json())["data"]["id"])


def emails(*values: str) -> list[Row]:
    return [{"value": value, "primary": at == 0, "label": "work"} for at, value in enumerate(values)]


async def test_a_person_with_that_email_is_found_and_gets_our_id(desk: Desk) -> None:
    theirs = await by_hand(desk, {"name": "Dana W.", "emails": emails("other@example.com", EMAIL.upper())})
    await desk.settle()
    await desk.send(desk.lead())
    [person] = desk.bench.people()
    assert person["id"] == theirs
    assert person["key"] == CONTACT
    assert person["name"] == "Dana W."
    assert person["email"] == "other@example.com"


async def test_a_caller_without_email_is_found_by_the_number(desk: Desk) -> None:
    theirs = await by_hand(desk, {"name": "Dana W.", "phones": emails("+13125550143")})
    await desk.settle()
    await desk.send(desk.lead(email=None))
    assert [p["id"] for p in desk.bench.people()] == [theirs]


async def test_of_several_people_with_that_email_the_oldest_is_taken(desk: Desk) -> None:
    first = await by_hand(desk, {"name": "One", "emails": emails(EMAIL)})
    await by_hand(desk, {"name": "Two", "emails": emails(EMAIL)})
    await desk.settle()
    delivered = await desk.send(desk.lead())
    assert delivered.remote_ids["contact"] == first


async def test_a_new_address_stands_first_and_the_others_stay(desk: Desk) -> None:
    delivered = await desk.send(desk.lead())
    await desk.send(desk.work("one", {"email": ("new@example.com", Write.ALWAYS)}))
    [person] = desk.bench.account()["persons"]
    assert [(e["value"], e["primary"]) for e in person["emails"]] == [("new@example.com", True), (EMAIL, False)]
    assert str(person["id"]) == delivered.remote_ids["contact"]


async def test_a_lost_answer_is_found_in_the_listing_before_the_index_knows_it(desk: Desk) -> None:
    await desk.bench.limit(pipedrive_search_lag_s=60)
    desk.bench.fail("reset_after_effect", "/api/v2/persons", "POST")
    work = desk.lead()
    await desk.refused(work)
    assert await desk.look_up(work) is None
    assert "contact" in desk.ledger.effects(work.order_id).parts
    await desk.send(work)
    assert (len(desk.bench.people()), len(desk.bench.inquiries())) == (1, 1)


async def test_custom_fields_are_typed_and_their_definitions_read_once(desk: Desk) -> None:
    for request in ("one", "two"):
        work = desk.work(
            request,
            {"name": ("Dana", Write.IF_EMPTY), "Lead_Score": ("87", Write.ALWAYS)},
            {"title": ("Roof", Write.IF_EMPTY), "lead score": (87.0, Write.ALWAYS), "urgency": (3, Write.ALWAYS)},
        )
        await desk.send(work)
    keys = desk.bench.account()["fields"]["deal"]
    lead = desk.bench.inquiries()[0]
    assert (lead[keys["lead score"]], lead[keys["urgency"]]) == (87, "3")
    assert desk.bench.people()[0]["lead score"] == 87
    reads = {call: n for call, n in desk.bench.calls().items() if call.endswith("Fields")}
    assert len(reads) == 2
    assert set(reads.values()) == {1}


async def test_a_field_made_after_the_first_lead_is_found_after_a_refusal(desk: Desk, open_pool: OpenPool) -> None:
    work = desk.work("one", {"name": ("Dana", Write.IF_EMPTY), "shoe size": ("43", Write.ALWAYS)})
    assert isinstance(await desk.refused(work), ConfigBroken)
    url = f"{desk.bench.addresses.pipedrive}/api/v1/personFields"
    await desk.bench.http(
        "POST", url, {"x-api-token": desk.bench.secret}, {"name": "Shoe size", "field_type": "varchar"}
    )
    await desk.send(work)
    assert desk.bench.people()[0]["Shoe size"] == "43"


async def test_a_note_is_escaped_tied_and_not_doubled(desk: Desk) -> None:
    lead = desk.lead()

    async def send(text: str) -> None:
        note = desk.ledger.record("note", lead.request_id, {"content": (text, Write.IF_OURS)}, ("lead", "contact"))
        await desk.send(type(lead)(lead.order_id, lead.request_id, lead.contact_id, (*desk.lead().records, note)))

    await send("<b>Roof</b>\nleaks")
    await send("<b>Roof</b>\nleaks")
    await send("Score 87")
    [note] = desk.bench.account()["notes"]
    assert note["content"] == "Score 87"
    assert str(note["person_id"]) == desk.bench.people()[0]["id"]


@pytest.mark.parametrize("fault", ["reset_after_effect", "half_answer"])
async def test_a_note_whose_answer_was_lost_is_one_note(desk: Desk, fault: str) -> None:
    lead = desk.lead()
    note = desk.ledger.record("note", lead.request_id, {"content": ("Roof <leaks>", Write.IF_EMPTY)})
    work = type(lead)(lead.order_id, lead.request_id, lead.contact_id, (*lead.records, note))
    desk.bench.fail(fault, "/api/v1/notes", "POST")
    await desk.insist(work)
    assert [n["content"] for n in desk.bench.account()["notes"]] == ["Roof &lt;leaks&gt;"]


async def test_a_lead_without_a_person_is_config_broken(desk: Desk) -> None:
    work = desk.lead()
    bare = desk.ledger.record("lead", work.request_id, {"title": ("Roof", Write.IF_EMPTY)})
    error = await desk.refused(type(work)(work.order_id, work.request_id, work.contact_id, (bare,)))
    assert isinstance(error, ConfigBroken)


async def test_the_burst_limit_names_its_delay(desk: Desk) -> None:
    desk.bench.fail("status", "/", status=429)
    error = await desk.refused(desk.lead())
    assert isinstance(error, RateLimited)
    assert error.delay == 2


async def test_a_company_of_another_tenant_is_found(desk: Desk, open_pool: OpenPool) -> None:
    async with open_pool().using("summit", desk.bench.connector(company_id=1), desk.bench.secret) as crm:
        validation = await crm.validate_connection()
    assert [finding.code for finding in validation.findings] == ["account"]


async def test_the_token_goes_to_no_address_but_a_pipedrive_company(desk: Desk) -> None:
    for url in ("https://evil.example", "http://acme.pipedrive.com", "https://pipedrive.com.evil.example"):
        error = await desk.refused(desk.lead(), company_url=url)
        assert isinstance(error, ConfigBroken)
        assert "company_url" in error.words
