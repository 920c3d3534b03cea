"""Several clients of one store at once, callers that give up, and a server that aborts or is gone."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from connectors.store.opening import open_store
from connectors.store.seam import Claim, Draw, FullStore, RequestRow, Scope, Target, Unavailable
from connectors.store.spanner.store import SpannerStore
from ops.stack.spanner_emulator import SpannerEmulator

from . import samples
from .conftest import new_scope


@pytest.fixture
async def clients(store: FullStore, url: str) -> AsyncIterator[list[FullStore]]:
    """Three openings of the same store, as three processes have them."""
    more = [open_store(url) for _ in range(2)]
    yield [store, *more]
    for each in more:
        await each.close()


async def test_clients_that_race_draw_tickets_without_gaps(clients: list[FullStore], scope: Scope) -> None:
    async def decide(store: FullStore, event: int) -> None:
        draw = Draw("sales", samples.named(f"order {event}"), ("ann", "bea"))
        await store.put_decision_if_absent(scope, samples.decision(scope, f"event {event}"), [draw])

    await asyncio.gather(*(decide(store, event) for store in clients for event in range(8)))
    assert [ticket.number for ticket in await clients[0].list_tickets(scope, "sales")] == list(range(8))


async def test_clients_that_race_for_orders_share_them_out(clients: list[FullStore], scope: Scope) -> None:
    claims = await asyncio.gather(
        *(store.claim_order(scope, f"order {n}", f"owner {i}", 60) for n in range(8) for i, store in enumerate(clients))
    )
    assert sorted(claim.order_id for claim in claims if claim.mine) == [f"order {n}" for n in range(8)]


async def test_a_write_that_was_answered_is_read_by_every_client(clients: list[FullStore], scope: Scope) -> None:
    for number in range(5):
        await clients[0].put_target(scope, Target("hubspot", "deal", "x", remote_id=str(number), version=number))
        for client in clients:
            assert (await client.get_target(scope, "hubspot", "deal", "x")).remote_id == str(number)


@pytest.mark.parametrize("pause", [0, 0.002, 0.01])
async def test_a_call_that_its_caller_gave_up_neither_stops_the_others_nor_is_half_done(
    store: FullStore, scope: Scope, pause: float
) -> None:
    calls = [asyncio.ensure_future(store.claim_order(scope, f"order {n}", "me", 60)) for n in range(12)]
    await asyncio.sleep(pause)
    for call in calls[::2]:
        call.cancel()
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert all(isinstance(result, Claim) and result.mine for result in results[1::2])
    async with asyncio.timeout(5):
        again = await asyncio.gather(*(store.claim_order(scope, f"order {n}", "me", 60) for n in range(12)))
    assert all(claim.mine and claim.state == "claimed" for claim in again)


@pytest.mark.spanner
async def test_transactions_that_spanner_aborts_are_repeated_and_take_effect_once() -> None:
    with SpannerEmulator(fault_injection=True) as host:
        store = open_store(f"spanner://leadbus-test/faults/store?emulator={host}", create=True)
        await store.migrate()
        scope = await new_scope(store)
        for n in range(60):
            draw = Draw("sales", samples.named(f"order {n}"), ("ann",))
            await store.put_decision_if_absent(scope, samples.decision(scope, f"event {n}"), [draw])
            await store.merge_request(scope, RequestRow(samples.named(f"r {n}"), revision="1"))
        assert [ticket.number for ticket in await store.list_tickets(scope, "sales")] == list(range(60))
        assert (await store.count(scope))["requests"] == 60
        await store.close()


@pytest.mark.spanner
async def test_a_server_that_is_gone_is_unavailable_within_the_deadline_and_does_not_hold_up_closing() -> None:
    emulator = SpannerEmulator()
    store = SpannerStore("leadbus-test", "gone", "store", emulator=emulator.start(), create=True, call_seconds=1.0)
    try:
        await store.migrate()
        scope = await new_scope(store)
    finally:
        emulator.stop()
    async with asyncio.timeout(10):
        with pytest.raises(Unavailable):
            await store.get_tenant(scope)
        with pytest.raises(Unavailable):
            await store.claim_order(scope, "order", "me", 60)
        with pytest.raises(Unavailable):
            await store.ping()
        await store.close()


@pytest.mark.spanner
async def test_a_database_that_is_not_there_is_unavailable_and_only_made_when_asked(spanner_emulator: str) -> None:
    url = f"spanner://leadbus-test/conformance/nowhere?emulator={spanner_emulator}"
    store = open_store(url)
    with pytest.raises(Unavailable):
        await store.migrate()
    with pytest.raises(Unavailable):
        await store.get_tenant(Scope("t"))
    await store.close()
