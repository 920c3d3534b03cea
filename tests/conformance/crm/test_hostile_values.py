"""Values from strangers arrive as they are, or escaped where the vendor keeps HTML; ids cannot leave their place."""

import pytest

from connectors.crm.seam import Record, Work
from schemas.decision import FieldWrite, Write
from tests.conformance.crm.conftest import Desk
from tests.conformance.crm.ledger import some_id

VALUES = {
    "quotes": 'O\'Neil "Bob" \\ `x`',
    "html": "<script>alert(1)</script><b>&amp;</b>",
    "formula": '=HYPERLINK("http://evil.example","click")',
    "emoji": "Zoë 👩‍👩‍👧 🏠 — ürgent ☎",
    "json": '{"properties": {"x": 1}}',
    "percent": "100%25 / ../../Account?x=1&y=2#z",
    "lines": "first line\nsecond line",
}


@pytest.fixture(params=sorted(VALUES))
def value(request: pytest.FixtureRequest) -> str:
    return VALUES[request.param]


async def test_a_hostile_value_arrives_as_it_is_and_is_the_same_the_second_time(desk: Desk, value: str) -> None:
    names = desk.names
    work = desk.lead(name=value.replace("\n", " "), text=value)
    await desk.send(work)
    again = await desk.send(desk.lead(name=value.replace("\n", " "), text=value))
    [person] = desk.bench.people()
    assert person[names.text] == value
    assert person[names.name] == value.replace("\n", " ")
    assert names.text in again.written[0].fields


async def test_five_thousand_characters_arrive_whole_where_the_field_takes_them(desk: Desk) -> None:
    long = ("Roof leaks since Tuesday. " * 200)[:5000]
    field = (
        {"contact": "message", "lead": "Description"}[desk.names.person] if desk.bench.vendor != "pipedrive" else None
    )
    if field is not None:
        await desk.send(desk.work("one", {desk.names.name: ("Dana", Write.IF_EMPTY), field: (long, Write.ALWAYS)}))
        assert desk.bench.people()[0][field] == long
    else:
        await desk.send(
            desk.work("one", {desk.names.name: ("Dana", Write.IF_EMPTY)}, {"call summary": (long, Write.ALWAYS)})
        )
        assert long in desk.bench.inquiries()[0].values()


@pytest.mark.parametrize(
    "external_id", ["a/../../Account/001", "http://evil.example/x", "a b+c%2F?d=e#f", "'; DROP --", "ключ"]
)
async def test_a_hostile_external_id_names_its_own_record_and_no_other(desk: Desk, external_id: str) -> None:
    fields = (FieldWrite(name=desk.names.name, value="Dana", write=Write.IF_EMPTY),)
    record = Record(desk.names.person, external_id, fields)
    for order in ("a", "b"):
        work = Work(some_id(f"hostile/{order}"), some_id("request"), external_id, (record,))
        delivered = await desk.send(work)
        record = Record(desk.names.person, external_id, fields, remote_id=delivered.remote_ids[desk.names.person])
    [person] = desk.bench.people()
    assert person["key"] == external_id
