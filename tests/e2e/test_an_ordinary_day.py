"""Sixty webhooks of an ordinary day, from the signed POST to the CRM record, on embedded and on real parts."""

from collections import Counter

import pytest
import pytest_asyncio
from rich.console import Console

from connectors.store.opening import open_store
from connectors.store.seam import FullStore, Scope
from ops.demo.crm_contents import Item
from ops.demo.run import TENANTS, DayResult, run_day
from ops.demo.view import DemoView
from ops.stack.house import House

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

KAREN = "+13125550142"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def day(house: House) -> DayResult:
    with DemoView(Console(), 60, quiet=True) as view:
        return await run_day(house, view)


def of(day: DayResult, vendor: str, kind: str) -> list[Item]:
    return [item for item in day.contents if (item.vendor, item.kind) == (vendor, kind)]


async def test_nothing_is_lost_nothing_is_doubled_and_the_counts_add_up(day: DayResult) -> None:
    report = day.report
    assert day.unexpected == []
    assert day.open_events == []
    assert (report["lost"], report["duplicates"], report["dead_letters"]) == (0, 0, 0)
    assert report["sent"] == report["accepted"] + report["rejected"] == 60
    assert report["accepted"] == report["events"] + report["repeated"]
    assert report["states"]["duplicate"] == report["repeated"] == 5


async def test_wrong_signatures_and_unknown_endpoints_are_refused_and_nothing_is_published(day: DayResult) -> None:
    assert day.report["rejected"] == 3
    assert not any("forged" in str(item.content) for item in day.contents)


async def test_an_authentic_but_unreadable_body_is_kept_and_parked_with_a_reason(day: DayResult) -> None:
    assert day.parked == ["routing: unparsed (not_json)"]


async def test_the_same_caller_twice_is_one_person_with_two_inquiries(day: DayResult) -> None:
    people = [c for c in of(day, "hubspot", "contacts") if c.content.get("phone") == KAREN]
    assert len(people) == 1
    deals = [d for d in of(day, "hubspot", "deals") if "KAREN" in str(d.content.get("dealname", "")).upper()]
    assert len(deals) == 3
    assert len({deal.ours for deal in deals}) == 3


async def test_the_several_events_of_one_call_are_one_deal_with_transcript_and_score(day: DayResult) -> None:
    leak = [d for d in of(day, "hubspot", "deals") if "hail storm" in str(d.content.get("leadbus_transcript", ""))]
    assert len(leak) == 1
    assert int(leak[0].content["leadbus_lead_score"]) >= 75
    assert "caller: Hi Daniel" in leak[0].content["leadbus_transcript"]


async def test_a_spam_call_is_filtered_after_analysis_and_never_mailed(day: DayResult) -> None:
    assert day.report["states"]["filtered"] >= 4
    assert not any("Google listing" in str(mail.content) for mail in of(day, "sendgrid", "mails"))


async def test_each_office_gets_its_own_leads_and_each_order_one_coordinator(house: House, day: DayResult) -> None:
    offices = Counter(lead.content.get("Office__c") for lead in of(day, "salesforce", "Lead"))
    assert set(offices) == {"Bright Dental Downtown", "Bright Dental Lakeside"}
    store = open_store(house.store_url)
    try:
        for pool in ("downtown", "lakeside"):
            tickets = await store.list_tickets(Scope("bright-dental"), pool)
            assert [ticket.number for ticket in tickets] == list(range(len(tickets)))
            assert tickets
    finally:
        await store.close()


async def test_strangers_text_arrives_as_text(day: DayResult) -> None:
    person = next(p for p in of(day, "pipedrive", "persons") if "Max" in p.content["name"])
    assert person.content["name"] == "<b>Max</b>"
    for mail in of(day, "sendgrid", "mails"):
        html = next(part["value"] for part in mail.content["content"] if part["type"] == "text/html")
        assert "<script>" not in html
        assert "<b>Max" not in html


async def test_the_store_holds_every_request_with_what_the_models_said(house: House, day: DayResult) -> None:
    store: FullStore = open_store(house.store_url)
    try:
        rows = [row for tenant in TENANTS for row in await store.list_requests(Scope(tenant), limit=200)]
        assert len(rows) == day.report["leads"]
        calls = [row for row in rows if row.communication_mode == "phone_call"]
        heard = [row for row in calls if (row.transcription_data or {}).get("state") == "done"]
        assert heard
        assert all(row.speech_model_used == "chirp_3" for row in heard)
        why_not = {(row.transcription_data or {}).get("reason") for row in calls} - {None}
        assert {"recording_gone", "not_audio", "no_recording"} <= why_not
        scored = [row for row in rows if row.lead_score is not None]
        assert len(scored) >= 28
        assert all(row.content_embedding is not None and row.gemini_model_used for row in scored)
        leak = next(row for row in rows if row.caller_phone == KAREN and (row.lead_score or 0) >= 75)
        assert leak.content_embedding is not None
        near = await store.similar_requests(Scope("summit-roofing"), leak.content_embedding, k=3)
        assert near[0].request_id == leak.request_id
        outcomes = await store.list_outcomes(Scope("summit-roofing"), leak.request_id)
        assert {outcome.phase.value for outcome in outcomes} == {"received", "analyzed"}
        decisions = await store.list_decisions(Scope("summit-roofing"), leak.request_id)
        assert all(decision.why and decision.rules_version for decision in decisions)
    finally:
        await store.close()
