"""What people edit in the CRM survives, as each field's write mode says; null and blanks never overwrite."""

from typing import Any

import pytest

from schemas.decision import Write
from tests.conformance.crm.conftest import Desk


async def test_received_and_analyzed_enrich_the_same_record_in_either_order(desk: Desk) -> None:
    names = desk.names
    received: dict[str, Any] = {
        names.name: ("Dana Whitfield", Write.IF_EMPTY),
        names.phone: ("+13125550143", Write.IF_EMPTY),
    }
    analyzed: dict[str, Any] = {names.score: (87, Write.IF_OURS), names.text: ("Roof leaks.", Write.IF_OURS)}
    title: dict[str, Any] = {names.title: ("Roof", Write.IF_EMPTY)}
    for first, second in ((received, analyzed), (analyzed, received)):
        desk.bench.sandbox.reset()
        fresh = desk.forgetful()
        await fresh.send(fresh.work("one", first, title))
        await fresh.send(fresh.work("one", second, title))
        [person] = desk.bench.people()
        assert person[names.phone] == "+13125550143"
        assert float(person[names.score]) == 87
        assert person[names.text] == "Roof leaks."
        assert len(desk.bench.inquiries()) == 1


@pytest.mark.parametrize(
    ("mode", "survives"),
    [(Write.ON_CREATE, True), (Write.IF_EMPTY, True), (Write.IF_OURS, True), (Write.ALWAYS, False)],
)
async def test_an_edit_by_a_person_survives_all_modes_but_always(desk: Desk, mode: Write, survives: bool) -> None:
    names = desk.names
    await desk.send(desk.work("one", {names.name: ("Dana", Write.IF_EMPTY), names.text: ("by us", mode)}))
    [person] = desk.bench.people()
    await desk.bench.edit(person["id"], names.text, "by a person")
    delivered = await desk.send(desk.work("one", {names.text: ("by us, later", mode)}))
    assert desk.bench.people()[0][names.text] == ("by a person" if survives else "by us, later")
    assert (names.text in delivered.written[0].fields) is not survives


async def test_our_own_value_gives_way_to_a_newer_one_under_both_careful_modes(desk: Desk) -> None:
    names = desk.names
    first = {names.score: (40, Write.IF_OURS), names.text: ("first", Write.IF_EMPTY)}
    later = {names.score: (87, Write.IF_OURS), names.text: ("later", Write.IF_EMPTY)}
    await desk.send(desk.work("one", {names.name: ("Dana", Write.IF_EMPTY), **first}))
    await desk.send(desk.work("one", later))
    [person] = desk.bench.people()
    assert float(person[names.score]) == 87
    assert person[names.text] == "later"


async def test_a_number_that_the_vendor_formatted_is_still_ours(desk: Desk) -> None:
    names = desk.names
    await desk.send(
        desk.work("one", {names.name: ("Dana", Write.IF_EMPTY), names.phone: ("+13125550143", Write.IF_OURS)})
    )
    [person] = desk.bench.people()
    await desk.bench.edit(person["id"], names.phone, "+1 312-555-0143")
    await desk.send(desk.work("one", {names.phone: ("+13125550199", Write.IF_OURS)}))
    assert desk.bench.people()[0][names.phone] == "+13125550199"


async def test_what_a_person_has_emptied_stays_empty_under_if_ours(desk: Desk) -> None:
    names = desk.names
    await desk.send(desk.work("one", {names.name: ("Dana", Write.IF_EMPTY), names.text: ("by us", Write.IF_OURS)}))
    [person] = desk.bench.people()
    await desk.bench.edit(person["id"], names.text, "")
    await desk.send(desk.work("one", {names.text: ("by us, later", Write.IF_OURS)}))
    assert not desk.bench.people()[0][names.text]


@pytest.mark.parametrize("nothing", [None, "", "   ", []])
async def test_null_and_blanks_never_overwrite(desk: Desk, nothing: Any) -> None:
    names = desk.names
    await desk.send(desk.lead(text="Roof leaks."))
    await desk.send(desk.work("one", {names.text: (nothing, Write.ALWAYS), names.phone: (nothing, Write.ALWAYS)}))
    [person] = desk.bench.people()
    assert person[names.text] == "Roof leaks."
    assert person[names.phone] == "+13125550143"


async def test_nothing_left_to_write_is_no_write_and_names_what_stands_there(desk: Desk) -> None:
    await desk.send(desk.lead())
    before = dict(desk.bench.calls())
    await desk.send(desk.lead())
    after = desk.bench.calls()
    writes = [c for c in after if after[c] > before.get(c, 0) and not c.startswith("GET") and "batch" not in c]
    assert [call for call in writes if "associations" not in call] == []
