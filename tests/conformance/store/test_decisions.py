"""What is paid for once and decided once, however many ask at the same time."""

import asyncio
from typing import Any

import pytest

from connectors.store.seam import Draw, FullStore, Invalid, Scope
from schemas import codec
from schemas.decision import Decision
from schemas.envelope import Phase

from . import samples

MEMBERS = ("ann", "bea", "bea")


def draw(order: str, pool: str = "sales", members: tuple[str, ...] = MEMBERS) -> Draw:
    return Draw(pool=pool, order_id=samples.named(order), members=members)


def canonical(decision: Decision) -> bytes:
    return codec.canonical(decision.model_dump(mode="json"))


@pytest.mark.parametrize("result", [{"b": [1, 2.5, None], "a": "é"}, [], "", 0, False, {"long": "x" * 1_000_000}])
async def test_a_paid_result_comes_back(store: FullStore, scope: Scope, result: Any) -> None:
    assert await store.get_result(scope, "transcript", "h") is None
    assert await store.put_result_if_absent(scope, "transcript", "h", result) == result
    assert await store.put_result_if_absent(scope, "transcript", "h", {"other": 1}) == result
    assert await store.get_result(scope, "transcript", "h") == result
    assert await store.get_result(scope, "analysis", "h") is None


async def test_of_20_racing_results_one_is_stored_and_all_callers_get_it(store: FullStore, scope: Scope) -> None:
    got = await asyncio.gather(*(store.put_result_if_absent(scope, "k", "h", {"n": n}) for n in range(20)))
    assert len({codec.canonical(each) for each in got}) == 1
    assert await store.get_result(scope, "k", "h") == got[0]


async def test_a_paid_result_must_not_be_null(store: FullStore, scope: Scope) -> None:
    with pytest.raises(Invalid, match="result"):
        await store.put_result_if_absent(scope, "k", "h", None)


async def test_a_decision_comes_back_byte_for_byte_with_what_a_newer_version_wrote(
    store: FullStore, scope: Scope
) -> None:
    decision = samples.decision(
        scope, why=samples.AWKWARD, from_the_future={"z": 1.0, "a": [1e-7, -0.0, 12345678901234567], "é": None}
    )
    first = await store.put_decision_if_absent(scope, decision)
    again = await store.put_decision_if_absent(scope, samples.decision(scope, why="another"))
    [listed] = await store.list_decisions(scope, decision.request_id)
    assert canonical(first) == canonical(again) == canonical(listed) == canonical(decision)


async def test_a_decision_of_900_kb_is_kept(store: FullStore, scope: Scope) -> None:
    decision = samples.decision(scope, why="é" * 450_000)
    assert await store.put_decision_if_absent(scope, decision) == decision


async def test_of_20_racing_decisions_one_is_stored_and_all_callers_get_it(store: FullStore, scope: Scope) -> None:
    proposals = [samples.decision(scope, why=f"choice {n}") for n in range(20)]
    got = await asyncio.gather(*(store.put_decision_if_absent(scope, p, [draw("o")]) for p in proposals))
    assert len({canonical(each) for each in got}) == 1
    assert len(await store.list_tickets(scope, "sales")) == 1
    assert (await store.count(scope))["decisions"] == 1


async def test_phase_and_generation_have_decisions_of_their_own_listed_oldest_first(
    store: FullStore, scope: Scope
) -> None:
    first = samples.decision(scope, why="first")
    third = samples.decision(scope, why="corrected", generation=1)
    second = samples.decision(scope, why="second").model_copy(
        update={"phase": Phase.RECEIVED, "decision_id": samples.named("d2")}
    )
    for each in (first, second, third):
        await store.put_decision_if_absent(scope, each)
        await asyncio.sleep(0.005)
    assert list(await store.list_decisions(scope, first.request_id)) == [first, second, third]
    assert await store.list_decisions(scope, samples.named("another request")) == []


async def test_tickets_are_numbered_without_gaps_whoever_draws_at_once(store: FullStore, scope: Scope) -> None:
    decisions = [samples.decision(scope, f"event {n}") for n in range(20)]
    got = await asyncio.gather(
        *(store.put_decision_if_absent(scope, d, [draw(f"order {n}")]) for n, d in enumerate(decisions))
    )
    tickets = await store.list_tickets(scope, "sales")
    assert [ticket.number for ticket in tickets] == list(range(20))
    assert [ticket.member for ticket in tickets] == [MEMBERS[n % 3] for n in range(20)]
    assert {t.order_id: t for t in tickets} == {d.tickets[0].order_id: d.tickets[0] for d in got}


async def test_an_order_that_has_a_ticket_keeps_it(store: FullStore, scope: Scope) -> None:
    first = await store.put_decision_if_absent(scope, samples.decision(scope, "a"), [draw("o"), draw("p")])
    later = await store.put_decision_if_absent(
        scope, samples.decision(scope, "b"), [draw("p"), draw("q"), draw("o"), draw("q")]
    )
    assert [ticket.number for ticket in first.tickets] == [0, 1]
    assert [(t.order_id, t.number) for t in later.tickets] == [
        (samples.named("p"), 1),
        (samples.named("q"), 2),
        (samples.named("o"), 0),
    ]
    assert len(await store.list_tickets(scope, "sales")) == 3


async def test_pools_count_apart(store: FullStore, scope: Scope) -> None:
    stored = await store.put_decision_if_absent(
        scope, samples.decision(scope), [draw("a", "x"), draw("b", "y", ("zoe",)), draw("c", "x")]
    )
    assert [(t.pool, t.number, t.member) for t in stored.tickets] == [("x", 0, "ann"), ("y", 0, "zoe"), ("x", 1, "bea")]
    assert await store.list_tickets(scope, "z") == []


async def test_a_decision_that_cannot_be_stored_draws_nothing(store: FullStore, scope: Scope) -> None:
    with pytest.raises(Invalid, match="members"):
        await store.put_decision_if_absent(scope, samples.decision(scope), [draw("a"), draw("b", members=())])
    with pytest.raises(Invalid, match="tenant_id"):
        await store.put_decision_if_absent(scope, samples.decision(Scope("somebody-else")), [draw("a")])
    assert await store.list_tickets(scope, "sales") == []
    assert (await store.put_decision_if_absent(scope, samples.decision(scope), [draw("c")])).tickets[0].number == 0
