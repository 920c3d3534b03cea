"""A request grows out of its events: newer revisions win field by field, in whatever order they arrive."""

import asyncio
from dataclasses import fields, replace
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.store.seam import FullStore, NotFound, OfficeRow, RequestRow, Scope, TenantRow

from . import samples
from .conftest import tenant_name

FULL = RequestRow(
    request_id=samples.named("full"),
    office_id="north",
    contact_id=samples.named("contact"),
    communication_mode="phone_call",
    source="callrail",
    test=True,
    caller_name=samples.AWKWARD,
    caller_phone="+15125550100",
    caller_email="zoë@example.com",
    call_id="CAL1",
    recording_url="https://example.com/" + "x" * 3000,
    audio_duration_seconds=61.25,
    transcription_data={"text": "hé" * 50_000, "segments": [{"start_s": 0.1, "end_s": 1}]},
    ai_analysis={"z": 1, "a": [None, True, -0.5, 1e300, 9007199254740993], "nested": {"b": {}, "a": []}},
    lead_score=87.0,
    spam_likelihood=0.0,
    sentiment_score=-1.0,
    content_embedding=tuple(samples.vector(1)),
    semantic_tags=("roof", "", samples.AWKWARD),
    processing_time_ms=0,
    gemini_model_used="gemini",
    speech_model_used="chirp_3",
    replaces=samples.named("before"),
    received_at=samples.at(0.123456),
    processed_at=samples.at(9),
    revision="0001",
)


async def test_every_column_comes_back_as_it_was_put(store: FullStore, scope: Scope) -> None:
    unset = [f.name for f in fields(FULL) if getattr(FULL, f.name) is None]
    assert unset == ["created_at"]
    await store.merge_request(scope, FULL)
    stored = await store.get_request(scope, FULL.request_id)
    assert stored.created_at is not None
    assert replace(stored, created_at=None) == FULL


async def test_json_of_every_shape_comes_back(store: FullStore, scope: Scope) -> None:
    for number, value in enumerate([[], {}, [1, [2, [3]]], "text", 0, False, 1.5, {"": {"é\u0000": ["\ud7ff"]}}]):
        row = RequestRow(samples.named(f"json{number}"), ai_analysis=value, revision="1")
        await store.merge_request(scope, row)
        assert (await store.get_request(scope, row.request_id)).ai_analysis == value


async def test_a_newer_revision_wins_and_an_older_one_fills_gaps_only(store: FullStore, scope: Scope) -> None:
    rid = samples.named("r")
    await store.merge_request(scope, RequestRow(rid, caller_name="second", revision="2"))
    created = (await store.get_request(scope, rid)).created_at
    await store.merge_request(scope, RequestRow(rid, caller_name="first", caller_phone="+1", revision="1"))
    await store.merge_request(scope, RequestRow(rid, caller_email="third@example.com", revision="3"))
    stored = await store.get_request(scope, rid)
    assert (stored.caller_name, stored.caller_phone, stored.caller_email) == ("second", "+1", "third@example.com")
    assert stored.revision == "3"
    assert stored.created_at == created


async def test_the_same_revision_told_again_replaces_its_own_facts(store: FullStore, scope: Scope) -> None:
    rid = samples.named("r")
    await store.merge_request(scope, RequestRow(rid, lead_score=10.0, caller_name="A", revision="1"))
    await store.merge_request(scope, RequestRow(rid, lead_score=20.0, revision="1"))
    stored = await store.get_request(scope, rid)
    assert (stored.lead_score, stored.caller_name) == (20.0, "A")


async def test_a_test_lead_never_becomes_a_real_one(store: FullStore, scope: Scope) -> None:
    rid = samples.named("r")
    await store.merge_request(scope, RequestRow(rid, test=True, revision="1"))
    await store.merge_request(scope, RequestRow(rid, test=False, caller_name="A", revision="2"))
    assert (await store.get_request(scope, rid)).test


revisions = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "caller_name": st.sampled_from(["ann", "bea", "cid"]),
            "lead_score": st.floats(0, 100),
            "ai_analysis": st.sampled_from([{"a": 1}, {"b": [2]}]),
            "office_id": st.sampled_from(["north", "south"]),
            "received_at": st.sampled_from([samples.at(1), samples.at(2)]),
            "semantic_tags": st.sampled_from([("x",), ()]),
            "test": st.booleans(),
        },
    ),
    min_size=1,
    max_size=5,
)
numbers = count()


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(facts=revisions, data=st.data())
async def test_any_order_of_revisions_gives_the_same_request(
    store: FullStore, scope: Scope, facts: list[dict[str, Any]], data: st.DataObject
) -> None:
    order = data.draw(st.permutations(range(len(facts))))
    in_order, shuffled = (samples.named(f"permuted {next(numbers)}") for _ in range(2))
    for number, told in enumerate(facts):
        await store.merge_request(scope, RequestRow(in_order, revision=f"{number:04d}", **told))
    for number in order:
        await store.merge_request(scope, RequestRow(shuffled, revision=f"{number:04d}", **facts[number]))
    expected, found = await store.get_request(scope, in_order), await store.get_request(scope, shuffled)
    assert replace(found, request_id=in_order, created_at=expected.created_at) == expected
    for name in ("caller_name", "lead_score", "office_id"):
        assert getattr(expected, name) == next((f[name] for f in reversed(facts) if name in f), None)


async def test_a_request_moves_between_offices_and_is_there_once(store: FullStore, scope: Scope) -> None:
    rid = samples.named("mover")
    first = RequestRow(rid, caller_name="A", content_embedding=tuple(samples.vector(3)), revision="1")
    await store.merge_request(scope, first)
    stored = await store.get_request(scope, rid)
    assert stored.office_id is None
    await store.merge_request(scope, RequestRow(rid, office_id="south", revision="2"))
    await store.merge_request(scope, RequestRow(rid, office_id="north", revision="3"))
    await store.merge_request(scope, RequestRow(rid, office_id="south", revision="2"))
    assert await store.get_request(scope, rid) == replace(stored, office_id="north", revision="3")
    assert len(await store.list_requests(scope)) == 1


async def test_racing_events_of_a_new_request_make_one_row_with_all_facts(store: FullStore, scope: Scope) -> None:
    rid = samples.named("raced")
    rows = [
        RequestRow(rid, caller_name="A", revision="1"),
        RequestRow(rid, caller_phone="+1", office_id="north", revision="2"),
        RequestRow(rid, lead_score=5.0, revision="3"),
        RequestRow(rid, caller_name="B", revision="4"),
    ]
    await asyncio.gather(*(store.merge_request(scope, row) for row in rows))
    [stored] = await store.list_requests(scope)
    assert (stored.caller_name, stored.caller_phone, stored.lead_score) == ("B", "+1", 5.0)
    assert (stored.office_id, stored.revision) == ("north", "4")


async def test_a_request_needs_a_tenant_and_an_office_that_are_there(store: FullStore, scope: Scope) -> None:
    with pytest.raises(NotFound, match="office"):
        await store.merge_request(scope, RequestRow(samples.named("r"), office_id="nowhere", revision="1"))
    for office in (None, "north"):
        row = RequestRow(samples.named("r"), office_id=office, revision="1")
        with pytest.raises(NotFound, match="tenant"):
            await store.merge_request(Scope(tenant_name()), row)
    with pytest.raises(NotFound):
        await store.get_request(scope, samples.named("r"))


async def test_pages_follow_each_other_without_gap_or_repetition_though_times_tie(
    store: FullStore, scope: Scope
) -> None:
    times = [samples.at(2), samples.at(1), samples.at(2), samples.at(1), samples.at(3), samples.at(2), None, None]
    for number, moment in enumerate(times):
        row = RequestRow(samples.named(f"page {number}"), office_id="north", received_at=moment, revision="1")
        await store.merge_request(scope, row)
    whole = await store.list_requests(scope)
    keys = [(r.received_at or samples.at(-1), r.request_id) for r in whole]
    assert keys == sorted(keys, reverse=True)
    assert len(whole) == len(times)
    paged: list[RequestRow] = []
    while page := await store.list_requests(scope, limit=3, before=paged[-1].request_id if paged else None):
        paged += page
    assert paged == list(whole)


async def test_a_page_after_an_unknown_request_is_not_found(store: FullStore, scope: Scope) -> None:
    with pytest.raises(NotFound):
        await store.list_requests(scope, before=samples.named("nobody"))


async def test_putting_offices_again_keeps_the_requests_in_them(store: FullStore, scope: Scope) -> None:
    await store.merge_request(scope, FULL)
    await store.put_tenant(TenantRow(scope.tenant_id, "Acme"), [OfficeRow("north", "N")])
    await store.put_tenant(TenantRow(scope.tenant_id, "Acme"), [])
    assert (await store.get_request(scope, FULL.request_id)).office_id == "north"


async def test_an_event_is_new_at_its_first_place_only_however_often_it_is_told(store: FullStore, scope: Scope) -> None:
    assert await store.record_arrival(scope, samples.arrival("e", offset=1))
    assert not await store.record_arrival(scope, samples.arrival("e", offset=2))
    assert not await store.record_arrival(scope, samples.arrival("e", offset=1, topic="inbound.calls.overflow"))
    assert not await store.record_arrival(scope, samples.arrival("e", offset=1, partition=4))
    assert await store.record_arrival(scope, samples.arrival("e", offset=1))
    assert not await store.record_arrival(scope, samples.arrival("e", offset=2))
    assert await store.record_arrival(scope, samples.arrival("f", offset=3))
    assert (await store.count(scope))["arrivals"] == 5


async def test_of_racing_arrivals_of_one_event_one_is_the_first(store: FullStore, scope: Scope) -> None:
    firsts = await asyncio.gather(*(store.record_arrival(scope, samples.arrival("e", offset=n)) for n in range(20)))
    assert firsts.count(True) == 1
