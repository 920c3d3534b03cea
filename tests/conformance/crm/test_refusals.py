"""What a vendor says becomes an error that says what to do, in the vendor's words, without personal data."""

import pytest

from connectors.crm.registry import registrations
from connectors.crm.seam import AuthBroken, ConfigBroken, PermanentRefusal, QuotaSpent, RateLimited
from schemas.decision import ConnectorKind, Write
from tests.conformance.crm.benches import RECORD_BENCHES
from tests.conformance.crm.conftest import Desk


def test_every_registered_connector_is_covered_by_this_suite() -> None:
    assert set(registrations()) == {*RECORD_BENCHES, ConnectorKind.EMAIL}


async def test_a_payload_that_never_works_is_refused_in_the_vendors_words(desk: Desk) -> None:
    names = desk.names
    if desk.bench.kind is ConnectorKind.PIPEDRIVE:
        bad, said = {names.text: ("x" * 300, Write.ALWAYS)}, "must not be longer than 255 characters"
    else:
        bad, said = {names.email: ("dana.whitfield.example", Write.ALWAYS)}, "invalid"
    error = await desk.refused(desk.work("one", {names.name: ("Dana", Write.IF_EMPTY), **bad}))
    assert isinstance(error, PermanentRefusal)
    assert said in error.words
    assert "dana.whitfield" not in str(error)
    assert len(error.words) <= 500
    assert desk.bench.people() == []


async def test_one_refused_lead_does_not_stop_the_next(desk: Desk) -> None:
    # HubSpot and Salesforce refuse the e-mail; Pipedrive takes any, and refuses the text that is too long.
    await desk.refused(desk.lead("bad", email="not an address", text="x" * 33_000))
    desk.bench.sandbox.reset()
    await desk.send(desk.lead("good"))
    assert [i["key"] for i in desk.bench.inquiries()] == [desk.lead("good").request_id]


async def test_too_many_calls_are_rate_limited_with_a_delay(desk: Desk) -> None:
    desk.bench.fail("status", "/", status=429, headers={"Retry-After": "7"})
    error = await desk.refused(desk.lead())
    assert isinstance(error, RateLimited)
    assert error.delay == 7
    assert error.scope == f"{desk.bench.vendor}:summit/crm"
    await desk.send(desk.lead())
    assert len(desk.bench.people()) == 1


async def test_a_spent_day_is_a_quota(desk: Desk) -> None:
    await desk.bench.limit(hubspot_daily=1, salesforce_daily=1, pipedrive_daily_tokens=1)
    assert isinstance(await desk.refused(desk.lead()), QuotaSpent)
    assert desk.bench.people() == []


async def test_a_dead_credential_is_auth_broken_and_is_not_repeated_in_the_error(desk: Desk) -> None:
    error = await desk.refused(desk.lead(), secret="revoked-token-0123456789abcdef")
    assert isinstance(error, AuthBroken)
    assert "0123456789abcdef" not in str(error)


async def test_a_field_that_the_vendor_does_not_have_is_config_broken_and_named(desk: Desk) -> None:
    error = await desk.refused(desk.work("one", {desk.names.missing: ("x", Write.ALWAYS)}))
    assert isinstance(error, ConfigBroken)
    assert desk.names.missing in error.words


async def test_an_object_that_the_vendor_does_not_have_is_config_broken(desk: Desk) -> None:
    work = desk.work("one", {})
    odd = desk.ledger.record("spaceship", work.contact_id, {"name": ("x", Write.ALWAYS)})
    error = await desk.refused(type(work)(work.order_id, work.request_id, work.contact_id, (odd,)))
    assert isinstance(error, ConfigBroken)
    assert "spaceship" in error.words


async def test_a_record_tied_to_one_that_is_not_written_is_config_broken(desk: Desk) -> None:
    work = desk.lead()
    error = await desk.refused(type(work)(work.order_id, work.request_id, work.contact_id, work.records[1:]))
    assert isinstance(error, ConfigBroken)
    assert desk.bench.inquiries() == []


async def test_update_contact_with_an_inquiry_is_config_broken(desk: Desk) -> None:
    crm, work = await desk.crm(), desk.lead()
    with pytest.raises(ConfigBroken):
        await crm.update_contact(work, desk.ledger.effects(work.order_id))
    assert desk.bench.people() == []


async def test_an_answer_that_is_not_the_vendors_is_not_taken_for_a_success(desk: Desk) -> None:
    html = "<html><body>Please sign in to the hotel network</body></html>"
    desk.bench.fail("status", "/", status=511, body=html, times=1)
    await desk.refused(desk.lead())
    await desk.insist(desk.lead())
    assert len(desk.bench.people()) == 1
