"""No tenant sees or changes what is another's: every method of the protocol, called with the other's own ids."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest

from connectors.store.seam import Draw, FullStore, NotFound, RequestRow, Scope, Store, StoreAdmin, Target

from . import samples
from .conftest import new_scope

REQUEST, ORDER, PARK = samples.named("request"), samples.named("order"), "park"
DRAW = Draw("sales", ORDER, ("ann", "bea"))

Call = Callable[[FullStore, Scope], Awaitable[Any]]


async def claim_and_mark(store: FullStore, scope: Scope) -> Any:
    return await store.mark_sent(scope, await store.claim_order(scope, ORDER, "owner", 60), "owner")


async def claim_and_remember(store: FullStore, scope: Scope) -> Any:
    return await store.remember_part(scope, await store.claim_order(scope, ORDER, "owner", 60), "owner", "deal", "9")


async def claim_and_finish(store: FullStore, scope: Scope) -> Any:
    claim = await store.claim_order(scope, ORDER, "owner", 60)
    return await store.finish_order(scope, claim, "owner", "done", {"secret": 1})


async def claim_and_release(store: FullStore, scope: Scope) -> Any:
    return await store.release_order(scope, await store.claim_order(scope, ORDER, "owner", 60), "owner")


READS: Mapping[str, tuple[Call, Any]] = {
    "get_request": (lambda store, scope: store.get_request(scope, REQUEST), NotFound),
    "list_requests": (lambda store, scope: store.list_requests(scope), []),
    "similar_requests": (lambda store, scope: store.similar_requests(scope, samples.vector(1)), []),
    "get_result": (lambda store, scope: store.get_result(scope, "kind", "hash"), None),
    "list_decisions": (lambda store, scope: store.list_decisions(scope, REQUEST), []),
    "list_tickets": (lambda store, scope: store.list_tickets(scope, "sales"), []),
    "get_target": (
        lambda store, scope: store.get_target(scope, "hubspot", "contact", "x"),
        Target("hubspot", "contact", "x"),
    ),
    "list_outcomes": (lambda store, scope: store.list_outcomes(scope), []),
    "list_parked": (lambda store, scope: store.list_parked(scope), []),
    "get_parked": (lambda store, scope: store.get_parked(scope, PARK), NotFound),
    "due_parked": (lambda store, scope: store.due_parked(scope, samples.at(60), 10), []),
    "get_tenant": (lambda store, scope: store.get_tenant(scope), NotFound),
    "list_offices": (lambda store, scope: store.list_offices(scope), []),
    "count": (lambda store, scope: counts(store, scope), {}),
}
"""Each read, and what it answers when there is nothing."""

WRITES: Mapping[str, Call] = {
    "record_arrival": lambda store, scope: store.record_arrival(scope, samples.arrival("event")),
    "merge_request": lambda store, scope: store.merge_request(
        scope,
        RequestRow(REQUEST, office_id="north", content_embedding=samples.vector(1), caller_name="A", revision="1"),
    ),
    "put_result_if_absent": lambda store, scope: store.put_result_if_absent(scope, "kind", "hash", {"paid": 1}),
    "put_decision_if_absent": lambda store, scope: store.put_decision_if_absent(scope, samples.decision(scope), [DRAW]),
    "put_target": lambda store, scope: store.put_target(scope, Target("hubspot", "contact", "x", remote_id="9")),
    "claim_order": lambda store, scope: store.claim_order(scope, ORDER, "owner", 60),
    "mark_sent": claim_and_mark,
    "remember_part": claim_and_remember,
    "release_order": claim_and_release,
    "finish_order": claim_and_finish,
    "record_arrivals": lambda store, scope: store.record_arrivals([(scope, samples.arrival("another"))]),
    "merge_requests": lambda store, scope: store.merge_requests([(scope, RequestRow(REQUEST, call_id="1"))]),
    "put_decisions_if_absent": lambda store, scope: store.put_decisions_if_absent(
        [(scope, samples.decision(scope, "another"), [DRAW])]
    ),
    "put_outcomes": lambda store, scope: store.put_outcomes([(scope, samples.outcome(scope, "another"))]),
    "put_outcome": lambda store, scope: store.put_outcome(scope, samples.outcome(scope)),
    "park": lambda store, scope: store.park(scope, samples.parked(PARK, due=samples.at(0))),
    "mark_released": lambda store, scope: store.mark_released(scope, PARK),
}
"""Each write, in an order in which all succeed once."""


async def counts(store: FullStore, scope: Scope) -> Mapping[str, int]:
    return {name: number for name, number in (await store.count(scope)).items() if number}


async def answer(store: FullStore, scope: Scope, name: str) -> Any:
    try:
        found = await READS[name][0](store, scope)
    except NotFound:
        return NotFound
    return list(found) if isinstance(found, tuple) else found


async def everything(store: FullStore, scope: Scope) -> Mapping[str, Any]:
    read = {name: await answer(store, scope, name) for name in READS}
    return {**read, "released": await store.list_parked(scope, released=True)}


async def fill(store: FullStore, scope: Scope) -> None:
    for write in WRITES.values():
        await write(store, scope)


def methods(protocol: type) -> set[str]:
    return {name for name in vars(protocol) if not name.startswith("_")}


def test_every_method_of_the_store_is_tried_here() -> None:
    assert set(READS) | set(WRITES) == methods(Store)
    assert not methods(Store) & methods(StoreAdmin)


@pytest.mark.parametrize("name", sorted(READS))
async def test_a_read_finds_nothing_of_another_tenant(store: FullStore, scope: Scope, name: str) -> None:
    await fill(store, scope)
    stranger = Scope(f"{scope.tenant_id}-not")
    assert await answer(store, stranger, name) == READS[name][1]


async def test_a_tenant_that_repeats_anothers_writes_begins_from_nothing_and_changes_nothing_there(
    store: FullStore, scope: Scope, other: Scope
) -> None:
    await fill(store, scope)
    before = await everything(store, scope)
    assert await store.record_arrival(other, samples.arrival("event"))
    assert await store.put_result_if_absent(other, "kind", "hash", {"own": 2}) == {"own": 2}
    own = await store.put_decision_if_absent(other, samples.decision(other, why="own"), [DRAW])
    assert (own.why, own.tickets[0].number) == ("own", 0)
    assert (await store.put_target(other, Target("hubspot", "contact", "x", remote_id="own"))).version == 1
    assert (await store.claim_order(other, ORDER, "thief", 60)).mine
    assert await store.put_outcome(other, samples.outcome(other))
    with pytest.raises(NotFound):
        await store.mark_released(other, PARK)
    assert await store.park(other, samples.parked(PARK))
    await store.merge_request(other, RequestRow(REQUEST, caller_name="B", revision="9"))
    assert await everything(store, scope) == before


async def test_erasing_a_tenant_leaves_nothing_of_it_and_all_of_the_others(store: FullStore, scope: Scope) -> None:
    other = await new_scope(store)
    for each in (scope, other):
        await fill(store, each)
        await store.merge_request(each, RequestRow(samples.named("without office"), revision="1"))
        await store.put_bundle_half(each.tenant_id, "rules", "d" * 64, {"a": 1})
    before = await everything(store, other)
    await store.erase_tenant(scope.tenant_id)
    await store.erase_tenant(scope.tenant_id)
    for name, (_, empty) in READS.items():
        assert await answer(store, scope, name) == empty
    with pytest.raises(NotFound):
        await store.get_bundle_half(scope.tenant_id, "rules", "d" * 64)
    assert scope.tenant_id not in {tenant.tenant_id for tenant in await store.list_tenants()}
    assert (await store.claim_order(scope, ORDER, "owner", 60)).state == "claimed"
    assert await everything(store, other) == before
    assert await store.get_bundle_half(other.tenant_id, "rules", "d" * 64) == {"a": 1}
