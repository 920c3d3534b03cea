"""Recorder and routing in batches: the same rows, decisions and publications as one record after the other."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.bundles.live import LiveBundles
from connectors.store.opening import open_store
from connectors.store.seam import FullStore, Scope
from consumers import recorder, routing
from consumers.recorder import Recorder
from consumers.routing import Routing
from consumers.rulesets import RuleSets
from consumers.runtime.seam import DaemonSpec, HandlerError, Permanent, Record, RetryAfter
from schemas.decision import Decided
from schemas.delivery import Outcome
from schemas.documents import Analyzed, Inbound, Transcribed
from schemas.rulefile import RulesBundle
from tests.unit.consumers.house import (
    NOW,
    TENANT,
    Shelf,
    StillClock,
    call,
    go_live,
    inbound,
    intake,
    record_of,
    tenants_of,
)
from tests.unit.consumers.test_recorder import decided, heard, outcome, scored
from tests.unit.consumers.test_routing import ASSIGN, CREATE, MAIL, analyzed, rule, rules

OTHER = "lakeside"
TENANTS = (TENANT, OTHER)
THINGS = ("1", "2", "3")


@asynccontextmanager
async def fresh_store() -> AsyncIterator[FullStore]:
    """A store of its own with two tenants: one with rules for both phases, one with rules for the first."""
    with TemporaryDirectory() as folder:
        store = open_store(f"sqlite:///{Path(folder) / 'store.db'}")
        await store.migrate()
        both = (*by_message("received"), *by_message("analyzed"))
        await go_live(store, intake(), rules(*both))
        await go_live(store, intake(OTHER), rules(*by_message("received")).model_copy(update={"tenant": OTHER}))
        try:
            yield store
        finally:
            await store.close()


def by_message(phase: str) -> tuple[dict[str, Any], ...]:
    """What becomes of a lead by its message; anything else is delivered."""

    def says(word: str) -> dict[str, Any]:
        return {"when": {"==": [{"var": "lead.message"}, word]}, "fallback": False, "id": f"{phase}-{word}"}

    return (
        rule({"do": "drop", "reason": "a robot"}, phase=phase, **says("drop")),
        rule({"do": "hold", "reason": "look first"}, CREATE, phase=phase, **says("hold")),
        rule({"do": "tag", "tags": ["seen"]}, phase=phase, **says("tag")),
        rule(ASSIGN, CREATE, MAIL, phase=phase),
    )


async def routing_of(store: FullStore) -> DaemonSpec[Any]:
    halves: LiveBundles[RulesBundle] = LiveBundles(store, "rules", lambda live, half: half)
    await halves.refresh()
    return routing.spec(Routing(RuleSets(await tenants_of(store), halves), store, StillClock()))


async def recorder_of(store: FullStore) -> DaemonSpec[Any]:
    return recorder.spec(Recorder(store, Shelf(), StillClock()))


async def answer_of(spec: DaemonSpec[Any], record: Record[Any]) -> Any:
    try:
        return await spec.handler(record)
    except HandlerError as error:
        return error


def comparable(answers: Sequence[Any]) -> list[Any]:
    return [
        (type(each), each.args, getattr(each, "delay", None)) if isinstance(each, HandlerError) else tuple(each)
        for each in answers
    ]


async def contents(store: FullStore) -> Mapping[str, Any]:
    """Everything that the daemons write, but for the store's own times."""
    found: dict[str, Any] = {}
    for scope in map(Scope, TENANTS):
        requests = await store.list_requests(scope)
        documents = [inbound(tenant=scope.tenant_id, thing=thing)["envelope"]["request_id"] for thing in THINGS]
        found[scope.tenant_id] = {
            "requests": [replace(row, created_at=None) for row in requests],
            "decisions": [list(await store.list_decisions(scope, each)) for each in documents],
            "tickets": list(await store.list_tickets(scope, "team")),
            "parked": [replace(each, parked_at=None) for each in await store.list_parked(scope)],
            "outcomes": list(await store.list_outcomes(scope)),
            "counts": await store.count(scope),
        }
    return found


def batches_of(records: Sequence[Any], sizes: Sequence[int]) -> list[Sequence[Any]]:
    cut, left = [], list(records)
    for size in (*sizes, len(left)):
        cut.append(left[:size])
        left = left[size:]
    return [each for each in cut if each]


async def assert_same(make: Any, records: Sequence[Record[Any]], sizes: Sequence[int]) -> None:
    async with fresh_store() as one, fresh_store() as many:
        spec = await make(one)
        singly = [await answer_of(spec, record) for record in records]
        spec = await make(many)
        together: list[Any] = []
        for batch in batches_of(records, sizes):
            together += await spec.batch_handler(batch)
        assert comparable(together) == comparable(singly)
        assert await contents(many) == await contents(one)


@st.composite
def leads(draw: st.DrawFn) -> Record[Any]:
    """An event in one of both phases, of a tenant with rules, without, or that nobody knows."""
    message = draw(st.sampled_from(["deliver", "drop", "hold", "tag"]))
    document = inbound(
        lead={"phone": "+13125550142", "message": message},
        tenant=draw(st.sampled_from([*TENANTS, TENANT, "nobody"])),
        thing=draw(st.sampled_from(THINGS)),
        event=draw(st.sampled_from(THINGS)),
        unparsed=draw(st.sampled_from([None, None, None, "not JSON"])),
    )
    offset, attempt = draw(st.integers(0, 99)), draw(st.sampled_from([0, 5]))
    if draw(st.booleans()):
        return record_of(Inbound, document, offset=offset, attempt=attempt)
    return record_of(Analyzed, analyzed(document), topic="analyzed", offset=offset, attempt=attempt)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(records=st.lists(leads(), max_size=14), sizes=st.lists(st.integers(1, 8), max_size=3))
async def test_routing_in_batches_decides_and_tells_the_same(records: list[Record[Any]], sizes: list[int]) -> None:
    await assert_same(routing_of, records, sizes)


@st.composite
def stages(draw: st.DrawFn) -> Record[Any]:
    """What one stage tells of one of a few events; some of it cannot be stored, or has no embedding."""
    thing, rank = draw(st.sampled_from(THINGS)), draw(st.integers(0, 2))
    document = call(
        tenant=draw(st.sampled_from([*TENANTS, TENANT, "nobody"])),
        thing=thing,
        event=f"{thing}-{rank}",
        rank=rank,
        office_id=draw(st.sampled_from([None, None, "nowhere"])),
    )
    document["lead"]["name"] = f"Zoe {rank}"
    offset = draw(st.integers(0, 2))
    match draw(st.integers(0, 4)):
        case 0:
            return record_of(Inbound, document, offset=offset)
        case 1:
            return record_of(Transcribed, heard(document, f"text {rank}"), topic="transcribed", offset=offset)
        case 2:
            ref = draw(st.sampled_from([None, "f" * 64]))
            told = scored(heard(document), 80 + rank, ref)
            return record_of(Analyzed, told, topic="analyzed", offset=offset, timestamp=NOW)
        case 3:
            tags = draw(st.sampled_from([(), (f"tag-{rank}",)]))
            told = decided(scored(heard(document)), "analyzed", tags)
            return record_of(Decided, told, topic="decided", offset=offset)
    told = outcome(document, draw(st.sampled_from(["delivered", "dead"])), draw(st.sampled_from(["a", "s" * 300])))
    return record_of(Outcome, told, topic="outcomes", offset=offset)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(records=st.lists(stages(), max_size=14), sizes=st.lists(st.integers(1, 8), max_size=3))
async def test_the_recorder_in_batches_keeps_and_tells_the_same(records: list[Record[Any]], sizes: list[int]) -> None:
    await assert_same(recorder_of, records, sizes)


async def test_the_second_arrival_of_an_event_within_a_batch_is_the_duplicate(store: FullStore) -> None:
    spec = await recorder_of(store)
    assert spec.batch_handler is not None
    first, second = await spec.batch_handler([record_of(Inbound, call(), offset=n) for n in (1, 2)])
    assert first == ()
    assert [published.topic for published in second] == ["outcomes"]  # type: ignore[union-attr]


async def test_a_record_that_the_store_refuses_is_answered_alone_and_names_no_value(store: FullStore) -> None:
    spec = await recorder_of(store)
    assert spec.batch_handler is not None
    documents = [call(thing=n, event=n, office_id=office) for n, office in (("1", None), ("2", "nowhere"), ("3", None))]
    kept, refused, also_kept = await spec.batch_handler([record_of(Inbound, each) for each in documents])
    assert (kept, also_kept) == ((), ())
    assert isinstance(refused, Permanent)
    assert refused.reason == "refused_by_store"
    assert "nowhere" not in refused.detail
    counts = await store.count(Scope(TENANT))
    assert (counts["requests"], counts["arrivals"]) == (2, 2)


async def test_object_storage_that_is_away_keeps_only_its_own_record_waiting(store: FullStore) -> None:
    shelf = Shelf(away=1)
    spec = recorder.spec(Recorder(store, shelf, StillClock()))
    assert spec.batch_handler is not None
    with_vector, without = scored(call(thing="1"), ref="f" * 64), scored(call(thing="2"))
    waits, kept = await spec.batch_handler([record_of(Analyzed, each) for each in (with_vector, without)])
    assert isinstance(waits, RetryAfter)
    assert waits.reason == "objects_unavailable"
    assert kept == ()
    assert (await store.count(Scope(TENANT)))["requests"] == 1


@pytest.mark.parametrize("make", [routing_of, recorder_of])
async def test_a_store_that_went_away_is_waited_for_by_every_record_of_a_batch(make: Any, store: FullStore) -> None:
    await go_live(store, intake(), rules(rule(CREATE)), sequence=2)
    spec = await make(store)
    await store.close()
    answers = await spec.batch_handler([record_of(Inbound, call(thing=thing)) for thing in THINGS])
    assert [(type(each), each.reason) for each in answers] == [(RetryAfter, "store_unavailable")] * 3
