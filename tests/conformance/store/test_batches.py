"""Many rows in one call: what one call for each would have done, row by row, whoever else writes at the same time."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.store.opening import open_store
from connectors.store.seam import (
    Arrival,
    Draw,
    FullStore,
    Invalid,
    NotFound,
    OfficeRow,
    RequestRow,
    Scope,
    StoreError,
    TenantRow,
    Unavailable,
)
from schemas import codec
from schemas.decision import Decision
from schemas.delivery import FinalState, Outcome

from . import samples
from .conftest import tenant_name

MEMBERS = ("ann", "bea", "bea")
Decisions = Sequence[tuple[Scope, Decision, Sequence[Draw]]]


def draw(order: str, pool: str = "sales", members: tuple[str, ...] = MEMBERS) -> Draw:
    return Draw(pool=pool, order_id=samples.named(order), members=members)


def request(word: str, revision: str = "1", **facts: Any) -> RequestRow:
    return RequestRow(samples.named(word), revision=revision, **facts)


async def alone(awaited: Any) -> Any:
    try:
        return await awaited
    except StoreError as error:
        return error


def comparable(answers: Sequence[Any]) -> list[Any]:
    """Errors by their kind; decisions without the tenant they are of."""
    return [
        type(each)
        if isinstance(each, StoreError)
        else codec.canonical(each.model_dump(mode="json", exclude={"tenant_id", "decision_id"}))
        if isinstance(each, Decision)
        else each
        for each in answers
    ]


async def contents(store: FullStore, scope: Scope) -> Mapping[str, Any]:
    """Everything that the batched verbs write, but for the store's own times and the tenant's name."""
    requests = [replace(row, created_at=None) for row in await store.list_requests(scope, limit=1000)]
    pools = [await store.list_tickets(scope, pool) for pool in ("sales", "service")]
    decisions = await store.list_decisions(scope, samples.named("request"))
    outcomes = [
        each.model_dump(mode="json", exclude={"envelope": {"tenant_id"}, "outcome_id": True})
        for each in await store.list_outcomes(scope)
    ]
    return {
        "requests": sorted(requests, key=lambda row: row.request_id),
        "decisions": sorted(comparable(decisions), key=bytes),
        "tickets": pools,
        "outcomes": sorted(outcomes, key=codec.canonical),
        "counts": await store.count(scope),
    }


@dataclass(frozen=True)
class Written:
    """What is written, by each of the verbs."""

    requests: list[RequestRow]
    arrivals: list[Arrival]
    outcomes: list[tuple[str, str, FinalState, bool]]
    decisions: list[tuple[str, str, list[Draw]]]
    owners: list[int]
    """Which of two tenants each row is of, by its place."""


def written(*, refused: bool) -> st.SearchStrategy[Written]:
    """Rows that overlap; with `refused`, some that can never be stored. Those break batches up, so most have none."""

    def some(good: Sequence[Any], *bad: Any) -> st.SearchStrategy[Any]:
        return st.sampled_from([*good, *(bad if refused else ())])

    request_rows = st.builds(
        request,
        st.sampled_from(["a", "b"]),
        st.sampled_from(["1", "2", "3"]),
        caller_name=st.sampled_from([None, "ann", "bea", "cid"]),
        lead_score=some([None, 1.0, 2.0], float("nan")),
        office_id=some([None, None, "north", "south"], "nowhere", "-"),
        test=st.booleans(),
    )
    came = st.builds(
        samples.arrival, st.sampled_from(["a", "b"]), offset=some([0, 1, 2], 2**64), partition=st.integers(0, 1)
    )
    ended = st.tuples(
        st.sampled_from(["a", "b"]),
        some(["1", "2"], "s" * 300),
        st.sampled_from([FinalState.DELIVERED, FinalState.DEAD]),
        some([False], True),
    )
    draws = st.builds(
        draw,
        st.sampled_from(["o", "p", "q"]),
        st.sampled_from(["sales", "service"]),
        some([MEMBERS, ("zoe",)], ()),
    )
    chosen = st.tuples(
        st.sampled_from(["a", "b", "c", "d"]), st.sampled_from(["why", "because"]), st.lists(draws, max_size=3)
    )
    return st.builds(
        Written,
        st.lists(request_rows, max_size=8),
        st.lists(came, max_size=8),
        st.lists(ended, max_size=8),
        st.lists(chosen, max_size=8),
        st.lists(st.integers(0, 1), min_size=8, max_size=8),
    )


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(told=written(refused=False))
async def test_a_batch_does_what_one_call_for_each_row_does(store: FullStore, told: Written) -> None:
    await assert_the_same(store, told)


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(told=written(refused=True))
async def test_a_batch_with_impossible_rows_does_what_one_call_for_each_row_does(
    store: FullStore, told: Written
) -> None:
    await assert_the_same(store, told)


async def assert_the_same(store: FullStore, told: Written) -> None:
    tenants = [Scope(tenant_name()) for _ in range(4)]
    for scope in tenants:
        await store.put_tenant(TenantRow(scope.tenant_id, "Acme"), [OfficeRow("north", "N"), OfficeRow("south", "S")])
    one, many = tenants[:2], tenants[2:]

    def final(scope: Scope, event: str, step: str, state: FinalState, foreign: bool) -> tuple[Scope, Outcome]:
        return scope, samples.outcome(Scope("another") if foreign else scope, event, step=step, state=state)

    def chosen(scope: Scope, event: str, why: str, draws: list[Draw]) -> tuple[Scope, Decision, list[Draw]]:
        return scope, samples.decision(scope, event, why=why), draws

    singly: list[Any] = []
    for row, n in zip(told.requests, told.owners, strict=False):
        singly.append(await alone(store.merge_request(one[n], row)))
    for each, n in zip(told.arrivals, told.owners, strict=False):
        singly.append(await alone(store.record_arrival(one[n], each)))
    for end, n in zip(told.outcomes, told.owners, strict=False):
        singly.append(await alone(store.put_outcome(*final(one[n], *end))))
    for choice, n in zip(told.decisions, told.owners, strict=False):
        singly.append(await alone(store.put_decision_if_absent(*chosen(one[n], *choice))))
    together: list[Any] = [
        *await store.merge_requests([(many[n], row) for row, n in zip(told.requests, told.owners, strict=False)]),
        *await store.record_arrivals([(many[n], each) for each, n in zip(told.arrivals, told.owners, strict=False)]),
        *await store.put_outcomes([final(many[n], *end) for end, n in zip(told.outcomes, told.owners, strict=False)]),
        *await store.put_decisions_if_absent(
            [chosen(many[n], *c) for c, n in zip(told.decisions, told.owners, strict=False)]
        ),
    ]
    assert comparable(together) == comparable(singly)
    for left, right in zip(one, many, strict=True):
        assert await contents(store, left) == await contents(store, right)


async def test_a_batch_of_nothing_is_answered_with_nothing(store: FullStore) -> None:
    assert list(await store.merge_requests([])) == []
    assert list(await store.record_arrivals([])) == []
    assert list(await store.put_outcomes([])) == []
    assert list(await store.put_decisions_if_absent([])) == []


async def test_a_row_that_can_never_be_stored_is_answered_by_its_column_and_spoils_no_other(
    store: FullStore, scope: Scope, other: Scope
) -> None:
    rows = [
        (scope, request("a", caller_name="A")),
        (scope, request("b", lead_score=float("nan"))),
        (other, request("c", office_id="nowhere")),
        (Scope(tenant_name()), request("d")),
        (other, request("e", office_id="north")),
    ]
    a, b, c, d, e = await store.merge_requests(rows)
    assert (a, e) == (None, None)
    assert isinstance(b, Invalid)
    assert "lead_score" in str(b)
    assert isinstance(c, NotFound)
    assert isinstance(d, NotFound)
    assert [row.request_id for row in await store.list_requests(scope)] == [samples.named("a")]
    assert [row.request_id for row in await store.list_requests(other)] == [samples.named("e")]

    foreign, kept = await store.put_outcomes([(scope, samples.outcome(other)), (scope, samples.outcome(scope))])
    assert isinstance(foreign, Invalid)
    assert kept is True
    far, near = await store.record_arrivals(
        [(scope, samples.arrival("e", offset=2**64)), (scope, samples.arrival("e", offset=1))]
    )
    assert isinstance(far, Invalid)
    assert near is True


async def test_a_decision_that_is_refused_draws_nothing_and_leaves_no_gap(store: FullStore, scope: Scope) -> None:
    proposals: Decisions = [
        (scope, samples.decision(scope, "a"), [draw("o")]),
        (scope, samples.decision(scope, "b"), [draw("p"), draw("q", members=())]),
        (scope, samples.decision(scope, "c"), [draw("r")]),
    ]
    first, refused, last = await store.put_decisions_if_absent(proposals)
    assert isinstance(first, Decision)
    assert isinstance(refused, Invalid)
    assert isinstance(last, Decision)
    assert [first.tickets[0].number, last.tickets[0].number] == [0, 1]
    assert [ticket.number for ticket in await store.list_tickets(scope, "sales")] == [0, 1]


async def test_tickets_are_drawn_in_the_order_of_the_batch_and_once_per_order(
    store: FullStore, scope: Scope, other: Scope
) -> None:
    proposals = [
        (scope, samples.decision(scope, "a"), [draw("o"), draw("x", "service")]),
        (other, samples.decision(other, "a"), [draw("o")]),
        (scope, samples.decision(scope, "b"), [draw("p"), draw("o")]),
        (scope, samples.decision(scope, "a", why="told again"), [draw("z")]),
        (other, samples.decision(other, "b"), []),
        (scope, samples.decision(scope, "c"), [draw("q")]),
    ]
    got = await store.put_decisions_if_absent(proposals)
    assert [[(t.pool, t.number, t.member) for t in d.tickets] for d in got if isinstance(d, Decision)] == [
        [("sales", 0, "ann"), ("service", 0, "ann")],
        [("sales", 0, "ann")],
        [("sales", 1, "bea"), ("sales", 0, "ann")],
        [("sales", 0, "ann"), ("service", 0, "ann")],
        [],
        [("sales", 2, "bea")],
    ]
    assert got[3] == got[0]
    assert list(await store.put_decisions_if_absent(proposals)) == list(got)


async def test_racing_batches_that_overlap_agree_on_every_decision_and_ticket(store: FullStore, scope: Scope) -> None:
    def batch(worker: int) -> Decisions:
        events = [(worker * 5 + n) % 20 for n in range(12)]
        return [(scope, samples.decision(scope, f"e{n}", why=f"worker {worker}"), [draw(f"o{n}")]) for n in events]

    batches = [batch(worker) for worker in range(4)]
    answers = await asyncio.gather(*(store.put_decisions_if_absent(each) for each in batches))
    by_event: dict[str, set[bytes]] = {}
    for decisions_of_one in answers:
        for decision in decisions_of_one:
            assert isinstance(decision, Decision)
            said = codec.canonical(decision.model_dump(mode="json"))
            by_event.setdefault(decision.event_id, set()).add(said)
    assert {len(said) for said in by_event.values()} == {1}
    tickets = await store.list_tickets(scope, "sales")
    assert [ticket.number for ticket in tickets] == list(range(20))
    assert len({ticket.order_id for ticket in tickets}) == 20


async def test_racing_batches_that_overlap_count_every_event_and_ending_once(store: FullStore, scope: Scope) -> None:
    places = [(scope, samples.arrival(f"e{n}", offset=worker)) for worker in range(4) for n in range(10)]
    ends = [(scope, samples.outcome(scope, f"e{n % 10}")) for n in range(40)]
    rows = [
        (scope, request(f"r{n % 5}", f"{n:02d}", caller_name=f"n{n}", office_id=("north", "south")[n % 2]))
        for n in range(40)
    ]
    slices = [slice(start, start + 10) for start in range(0, 40, 10)]
    first, kept, merged = await asyncio.gather(
        asyncio.gather(*(store.record_arrivals(places[each]) for each in slices)),
        asyncio.gather(*(store.put_outcomes(ends[each]) for each in slices)),
        asyncio.gather(*(store.merge_requests(rows[each]) for each in slices)),
    )
    assert sum(answer is True for answers in first for answer in answers) == 10
    assert sum(answer is True for answers in kept for answer in answers) == 10
    assert {answer for answers in merged for answer in answers} == {None}
    found = {row.request_id: row for row in await store.list_requests(scope)}
    assert {row.caller_name for row in found.values()} == {f"n{n}" for n in range(35, 40)}
    assert {row.revision for row in found.values()} == {str(n) for n in range(35, 40)}


async def test_more_rows_than_fit_one_transaction_keep_their_order(store: FullStore, scope: Scope) -> None:
    rows = [(scope, request("one", f"{n:04d}", caller_name=f"n{n}", office_id="north")) for n in range(120)]
    proposals = [(scope, samples.decision(scope, f"e{n}"), [draw(f"o{n}")]) for n in range(120)]
    assert set(await store.merge_requests(rows)) == {None}
    drawn = await store.put_decisions_if_absent(proposals)
    assert [d.tickets[0].number for d in drawn if isinstance(d, Decision)] == list(range(120))
    assert (await store.get_request(scope, samples.named("one"))).caller_name == "n119"


async def test_a_large_batch_of_large_rows_is_stored(store: FullStore, scope: Scope) -> None:
    heard = {"text": "é" * 400_000}
    rows = [(scope, request(f"r{n}", office_id="north", transcription_data=heard)) for n in range(12)]
    assert set(await store.merge_requests(rows)) == {None}
    assert (await store.get_request(scope, samples.named("r11"))).transcription_data == heard


async def test_a_store_that_cannot_answer_says_so_for_all_rows_at_once(
    url: str, store: FullStore, scope: Scope
) -> None:
    closed = open_store(url)
    await closed.close()
    with pytest.raises(Unavailable):
        await closed.merge_requests([(scope, request("a")), (scope, request("b"))])
    with pytest.raises(Unavailable):
        await closed.put_decisions_if_absent(
            [(scope, samples.decision(scope, "a"), [draw("o")]), (scope, samples.decision(scope, "b"), [])]
        )
    assert (await store.count(scope))["requests"] == 0
