"""HubSpot's own cases: the e-mail that belongs to another contact, notes, defaults of deals, connections."""

from typing import Any

import aiohttp
import pytest

from connectors.crm.seam import PermanentRefusal, RateLimited, Retryable
from ops.sandbox.server import Sandbox, SandboxAddresses
from schemas.decision import Write
from tests.conformance.crm.benches import CONTACT, HubSpotBench
from tests.conformance.crm.conftest import Desk, OpenPool
from tests.conformance.crm.ledger import some_id

EMAIL = "dana.whitfield@example.com"


@pytest.fixture
def desk(sandbox: tuple[Sandbox, SandboxAddresses], open_pool: OpenPool) -> Desk:
    return Desk(HubSpotBench(*sandbox), open_pool)


async def create(desk: Desk, kind: str, properties: dict[str, str]) -> str:
    """A record that a person has made in the CRM."""
    url = f"{desk.bench.addresses.hubspot}/crm/v3/objects/{kind}"
    headers = {"Authorization": f"Bearer {desk.bench.secret}"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, headers=headers, json={"properties": properties}) as answer,
    ):
        return str((await answer.json())["id"])


async def test_a_contact_that_has_the_email_already_is_adopted_and_gets_our_key(desk: Desk) -> None:
    theirs = await create(desk, "contacts", {"email": EMAIL, "firstname": "Dana (VIP)"})
    delivered = await desk.send(desk.lead())
    [person] = desk.bench.people()
    assert person["id"] == theirs == delivered.remote_ids["contact"]
    assert person["key"] == CONTACT
    assert (person["firstname"], person["phone"]) == ("Dana (VIP)", "+13125550143")
    assert desk.bench.inquiries()[0]["person"] == theirs


async def test_a_contact_of_another_lead_with_the_same_email_keeps_its_key(desk: Desk) -> None:
    theirs = await create(desk, "contacts", {"email": EMAIL, "leadbus_contact_id": some_id("other")})
    for request in ("one", "two"):
        delivered = await desk.send(desk.lead(request))
        assert delivered.remote_ids["contact"] == theirs
    [person] = desk.bench.people()
    assert person["key"] == some_id("other")
    assert [i["person"] for i in desk.bench.inquiries()] == [theirs, theirs]


@pytest.mark.parametrize("mode", [Write.IF_EMPTY, Write.ALWAYS])
async def test_an_email_of_another_contact_is_left_out_and_the_rest_written(desk: Desk, mode: Write) -> None:
    await desk.send(desk.work("one", {"firstname": ("Dana", mode), "phone": ("+13125550143", mode)}))
    theirs = await create(desk, "contacts", {"email": EMAIL})
    work = desk.forgetful().work("one", {"email": (EMAIL, mode), "lead_score": (87, mode)})
    delivered = await desk.send(work)
    ours = next(p for p in desk.bench.people() if p["key"] == CONTACT)
    assert ours["lead_score"] == "87"
    assert "email" not in ours
    assert ours["id"] != theirs
    assert delivered.written[0].fields == ("lead_score",)


async def test_a_note_is_escaped_timed_and_tied_to_contact_and_deal(desk: Desk) -> None:
    lead = desk.lead()
    body = "Call at 5 <script>alert(1)</script>\nRoof & gutter"
    note = desk.ledger.record("note", lead.request_id, {"hs_note_body": (body, Write.IF_OURS)}, ("contact", "deal"))
    work = type(lead)(lead.order_id, lead.request_id, lead.contact_id, (*lead.records, note))
    await desk.send(work)
    await desk.send(work)
    [kept] = desk.bench.account()["notes"]
    assert kept["properties"]["hs_note_body"] == (
        "Call at 5 &lt;script&gt;alert(1)&lt;/script&gt;<br>Roof &amp; gutter"
    )
    assert kept["properties"]["hs_timestamp"]
    tied = {
        (a["to_type"], tuple(a["types"])) for a in desk.bench.account()["associations"] if a["from_type"] == "notes"
    }
    assert tied == {("contacts", (202,)), ("deals", (214,))}


async def test_a_note_that_we_wrote_is_written_anew_when_its_text_changes(desk: Desk) -> None:
    lead = desk.lead()

    async def send_note(body: str) -> None:
        note = desk.ledger.record("note", lead.request_id, {"hs_note_body": (body, Write.IF_OURS)})
        await desk.send(type(lead)(lead.order_id, lead.request_id, lead.contact_id, (note,)))

    await send_note("a < b\nsecond line")
    await send_note("now scored: 87")
    [kept] = desk.bench.account()["notes"]
    assert kept["properties"]["hs_note_body"] == "now scored: 87"


async def test_a_new_deal_gets_the_pipeline_of_the_settings_and_a_moved_one_keeps_its_stage(desk: Desk) -> None:
    settings: dict[str, Any] = {"pipeline": "default", "dealstage": "appointmentscheduled", "portal_id": 7}
    delivered = await desk.send(desk.lead(), **settings)
    [deal] = desk.bench.inquiries()
    assert (deal["pipeline"], deal["dealstage"]) == ("default", "appointmentscheduled")
    assert delivered.url == f"https://app.hubspot.com/contacts/7/record/0-3/{delivered.remote_ids['deal']}"
    url = f"{desk.bench.addresses.hubspot}/crm/v3/objects/deals/{delivered.remote_ids['deal']}"
    await desk.bench.http(
        "PATCH", url, {"Authorization": f"Bearer {desk.bench.secret}"}, {"properties": {"dealstage": "closedwon"}}
    )
    await desk.send(desk.lead(), **settings)
    assert desk.bench.inquiries()[0]["dealstage"] == "closedwon"


async def test_the_write_is_traced_by_our_order_and_goes_to_the_batch_upsert(desk: Desk) -> None:
    await desk.send(desk.lead())
    calls = desk.bench.calls()
    assert calls["POST /crm/v3/objects/{type}/batch/{action}"] == 4, "two reads and two upserts"


async def test_the_ten_second_limit_names_its_delay(desk: Desk) -> None:
    body = {"status": "error", "message": "limit", "policyName": "SECONDLY", "category": "RATE_LIMITS"}
    desk.bench.fail("status", "/", status=429, body=body)
    error = await desk.refused(desk.lead())
    assert isinstance(error, RateLimited)
    assert error.delay == 1


async def test_a_portal_of_another_tenant_is_found(desk: Desk, open_pool: OpenPool) -> None:
    async with open_pool().using("summit", desk.bench.connector(portal_id=1), desk.bench.secret) as crm:
        validation = await crm.validate_connection()
    assert [finding.code for finding in validation.findings] == ["account"]


async def test_a_stranger_cannot_pause_the_connector_by_quoting_an_error_code(desk: Desk) -> None:
    poison = 'PROPERTY_DOESNT_EXIST "error":"PROPERTY_DOESNT_EXIST"'
    error = await desk.refused(desk.lead(email=f"{poison} no address"))
    assert isinstance(error, PermanentRefusal)


async def test_a_vendor_that_is_not_there_is_retryable(open_pool: OpenPool, desk: Desk) -> None:
    await desk.bench.sandbox.stop()
    assert isinstance(await desk.refused(desk.lead()), Retryable)
