"""However often a lead is delivered, and whatever breaks on the way, the CRM holds it once."""

import asyncio

import pytest

from connectors.crm.seam import EffectUnknown, Retryable
from schemas.decision import Write
from tests.conformance.crm.benches import CONTACT
from tests.conformance.crm.conftest import Desk


async def test_a_lead_becomes_a_person_and_an_inquiry_tied_together(desk: Desk) -> None:
    delivered = await desk.send(desk.lead())
    [person], [inquiry] = desk.bench.people(), desk.bench.inquiries()
    assert person[desk.names.name] == "Dana Whitfield"
    assert person["key"] == CONTACT
    assert inquiry["person"] == person["id"]
    assert inquiry[desk.names.title] == "Inquiry one"
    assert {w.object: w.created for w in delivered.written} == {desk.names.person: True, desk.names.inquiry: True}
    assert delivered.remote_ids[desk.names.person] == person["id"]


async def test_the_same_step_twice_is_one_person_and_one_inquiry(desk: Desk) -> None:
    first = await desk.send(desk.lead())
    second = await desk.send(desk.lead())
    assert (len(desk.bench.people()), len(desk.bench.inquiries())) == (1, 1)
    assert second.remote_ids == first.remote_ids
    assert not any(w.created for w in second.written)
    assert [w.fields for w in second.written] == [w.fields for w in first.written]


async def test_the_same_step_by_a_process_that_remembers_nothing_is_still_one(desk: Desk) -> None:
    await desk.send(desk.lead())
    await desk.settle()
    forgetful = desk.forgetful()
    delivered = await forgetful.send(forgetful.lead())
    assert (len(desk.bench.people()), len(desk.bench.inquiries())) == (1, 1)
    assert not any(w.created for w in delivered.written)


async def test_a_second_inquiry_of_the_same_contact_finds_the_person(desk: Desk) -> None:
    await desk.send(desk.lead("one"))
    await desk.send(desk.lead("two"))
    [person] = desk.bench.people()
    assert sorted(i["person"] for i in desk.bench.inquiries()) == [person["id"], person["id"]]


async def test_two_inquiries_at_the_same_moment_make_one_person(desk: Desk) -> None:
    await asyncio.gather(desk.send(desk.lead("one")), desk.send(desk.lead("two")))
    assert len(desk.bench.people()) == 1
    assert len(desk.bench.inquiries()) == 2


@pytest.mark.parametrize("fault", ["reset", "reset_after_effect", "half_answer"])
@pytest.mark.parametrize("part", ["person_write", "inquiry_write"])
async def test_a_connection_cut_at_a_write_ends_in_one_effect(desk: Desk, fault: str, part: str) -> None:
    desk.bench.fail(fault, getattr(desk.bench, part), desk.bench.write_method)
    work = desk.lead()
    error = await desk.refused(work)
    crm = await desk.crm()
    assert isinstance(error, Retryable if crm.upserts else EffectUnknown)
    found = await desk.look_up(work)
    assert found is None or fault != "reset"
    delivered = found or await desk.insist(work)
    [person], [inquiry] = desk.bench.people(), desk.bench.inquiries()
    assert inquiry["person"] == person["id"]
    assert delivered.remote_ids[desk.names.person] == person["id"]


@pytest.mark.parametrize("part", ["person_write", "inquiry_write"])
async def test_a_server_error_at_a_write_ends_in_one_effect(desk: Desk, part: str) -> None:
    desk.bench.fail("status", getattr(desk.bench, part), desk.bench.write_method, status=503)
    work = desk.lead()
    error = await desk.refused(work)
    crm = await desk.crm()
    assert isinstance(error, Retryable if crm.upserts else EffectUnknown)
    await desk.insist(work)
    assert (len(desk.bench.people()), len(desk.bench.inquiries())) == (1, 1)


async def test_reconcile_says_that_nothing_happened(desk: Desk) -> None:
    assert await desk.look_up(desk.lead()) is None
    assert desk.bench.people() == []


async def test_reconcile_finds_a_finished_effect_without_the_ledger(desk: Desk) -> None:
    first = await desk.send(desk.lead())
    forgetful = desk.forgetful()
    found = await forgetful.look_up(forgetful.lead())
    assert found is not None
    assert found.remote_ids == first.remote_ids
    assert not any(w.created for w in found.written)


async def test_reconcile_asks_for_the_step_again_when_a_field_was_not_written(desk: Desk) -> None:
    await desk.send(desk.lead())
    richer = desk.work("one", {desk.names.text: ("Wants a call back.", Write.IF_EMPTY)})
    assert await desk.look_up(richer) is None
    await desk.send(richer)
    assert desk.bench.people()[0][desk.names.text] == "Wants a call back."


async def test_a_record_that_a_person_has_deleted_is_made_again(desk: Desk) -> None:
    await desk.send(desk.lead())
    desk.bench.sandbox.reset()
    await desk.send(desk.lead())
    assert (len(desk.bench.people()), len(desk.bench.inquiries())) == (1, 1)


async def test_the_ledger_is_told_before_the_first_write_and_of_each_part(desk: Desk) -> None:
    work = desk.lead()
    await desk.send(work)
    effects, crm = desk.ledger.effects(work.order_id), await desk.crm()
    if crm.upserts:
        assert effects.sendings == 0
    else:
        assert effects.sendings == 1
        assert set(effects.parts) == {desk.names.person, desk.names.inquiry}


async def test_update_contact_writes_the_person_alone(desk: Desk) -> None:
    await desk.send(desk.lead())
    crm = await desk.crm()
    work = desk.work("one", {desk.names.score: (87, Write.ALWAYS)})
    await crm.update_contact(work, desk.ledger.effects(work.order_id))
    assert float(desk.bench.people()[0][desk.names.score]) == 87
    assert len(desk.bench.inquiries()) == 1
