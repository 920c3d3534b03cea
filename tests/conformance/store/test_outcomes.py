"""How things ended, and what waits."""

import asyncio
from dataclasses import replace

import pytest

from connectors.store.seam import FullStore, Invalid, NotFound, Parked, Scope
from schemas.delivery import FinalState
from schemas.topics import LARGEST_FAILED_RECORD

from . import samples


async def test_a_step_ends_once_and_the_first_end_stays(store: FullStore, scope: Scope) -> None:
    first = samples.outcome(scope)
    assert await store.put_outcome(scope, first)
    assert not await store.put_outcome(scope, first)
    assert not await store.put_outcome(scope, samples.outcome(scope, state=FinalState.DEAD))
    assert list(await store.list_outcomes(scope)) == [first]


async def test_other_steps_phases_generations_and_events_end_for_themselves(store: FullStore, scope: Scope) -> None:
    outcomes = [
        samples.outcome(scope, "a", step="", seconds=4),
        samples.outcome(scope, "a", step="1", seconds=3),
        samples.outcome(scope, "a", step="1", generation=1, seconds=2),
        samples.outcome(scope, "b", request="another", seconds=1),
    ]
    for outcome in outcomes:
        assert await store.put_outcome(scope, outcome)
    assert list(await store.list_outcomes(scope)) == outcomes[::-1]
    assert list(await store.list_outcomes(scope, samples.named("another"))) == [outcomes[3]]
    assert await store.list_outcomes(scope, samples.named("nobody")) == []


async def test_of_20_racing_ends_one_counts(store: FullStore, scope: Scope) -> None:
    kept = await asyncio.gather(*(store.put_outcome(scope, samples.outcome(scope)) for _ in range(20)))
    assert kept.count(True) == 1
    assert (await store.count(scope))["outcomes"] == 1


async def test_an_outcome_of_another_tenant_is_refused(store: FullStore, scope: Scope, other: Scope) -> None:
    with pytest.raises(Invalid, match="tenant_id"):
        await store.put_outcome(scope, samples.outcome(other))


async def test_a_parked_record_comes_back_byte_for_byte(store: FullStore, scope: Scope) -> None:
    parked = samples.parked(connector_id="hubspot", due=samples.at(60.000001))
    assert await store.park(scope, parked)
    [stored] = await store.list_parked(scope)
    assert stored.parked_at is not None
    assert replace(stored, parked_at=None) == parked


async def test_the_largest_failed_record_can_be_parked(store: FullStore, scope: Scope) -> None:
    record = bytes(range(256)) * (LARGEST_FAILED_RECORD // 256)
    await store.park(scope, samples.parked(record=record))
    [stored] = await store.list_parked(scope)
    assert stored.record == record


async def test_parked_records_are_listed_oldest_first_and_parked_once(store: FullStore, scope: Scope) -> None:
    for park_id in ("z", "a", "m"):
        assert await store.park(scope, samples.parked(park_id))
        await asyncio.sleep(0.005)
    assert not await store.park(scope, samples.parked("z", detail="again"))
    listed = await store.list_parked(scope)
    assert [each.park_id for each in listed] == ["z", "a", "m"]
    assert listed[0].detail == samples.AWKWARD


async def test_a_released_record_leaves_the_list_and_may_be_released_twice(store: FullStore, scope: Scope) -> None:
    await store.park(scope, samples.parked("a"))
    await store.park(scope, samples.parked("b"))
    await store.mark_released(scope, "a")
    [released] = await store.list_parked(scope, released=True)
    await store.mark_released(scope, "a")
    assert list(await store.list_parked(scope, released=True)) == [released]
    assert released.released_at is not None
    assert [each.park_id for each in await store.list_parked(scope)] == ["b"]
    with pytest.raises(NotFound):
        await store.mark_released(scope, "nobody")


async def test_what_was_released_and_comes_again_is_parked_anew(store: FullStore, scope: Scope) -> None:
    await store.park(scope, samples.parked("a"))
    await store.mark_released(scope, "a")
    assert await store.park(scope, samples.parked("a", record=b"second", detail="still broken"))
    [stored] = await store.list_parked(scope)
    assert (stored.record, stored.detail, stored.released_at) == (b"second", "still broken", None)
    assert await store.list_parked(scope, released=True) == []


async def test_a_parked_record_is_found_by_its_id_whether_released_or_not(store: FullStore, scope: Scope) -> None:
    await store.park(scope, samples.parked("a"))
    assert (await store.get_parked(scope, "a")).released_at is None
    await store.mark_released(scope, "a")
    found = await store.get_parked(scope, "a")
    assert (found.released_at is not None, found.record) == (True, samples.parked().record)
    with pytest.raises(NotFound):
        await store.get_parked(scope, "nobody")


async def test_what_is_due_is_found_oldest_first_and_no_more_than_asked_for(store: FullStore, scope: Scope) -> None:
    dues = {"late": 50.0, "never": None, "tomorrow": 90_000.0, "early": 10.0, "exact": 60.0, "gone": 1.0}
    for park_id, due in dues.items():
        await store.park(scope, samples.parked(park_id, due=None if due is None else samples.at(due)))
        await asyncio.sleep(0.005)
    await store.mark_released(scope, "gone")
    found = await store.due_parked(scope, samples.at(60), 10)
    assert [each.park_id for each in found] == ["late", "early", "exact"]
    assert found[0].record == samples.parked().record
    assert [each.park_id for each in await store.due_parked(scope, samples.at(60), 2)] == ["late", "early"]


async def test_what_waits_is_told_by_tenant_stage_and_reason(store: FullStore, scope: Scope, other: Scope) -> None:
    await store.park(scope, samples.parked("a", reason="x"))
    await store.park(scope, samples.parked("b", reason="y", due=samples.at(60)))
    await store.park(scope, samples.parked("c", reason="y", due=samples.at(30)))
    await store.park(scope, samples.parked("d", reason="z"))
    await store.mark_released(scope, "d")
    await store.park(other, samples.parked("a", stage="routing", reason="x"))
    mine, theirs = scope.tenant_id, other.tenant_id
    groups = {(g.tenant_id, g.stage, g.reason): g for g in await store.parked_groups() if g.tenant_id in (mine, theirs)}
    assert {key: (g.count, g.next_due) for key, g in groups.items()} == {
        (mine, "delivery", "x"): (1, None),
        (mine, "delivery", "y"): (2, samples.at(30)),
        (theirs, "routing", "x"): (1, None),
    }
    [oldest] = [each.parked_at for each in await store.list_parked(scope) if each.park_id == "b"]
    assert groups[mine, "delivery", "y"].oldest == oldest


async def test_a_record_of_a_tenant_that_nobody_knows_can_be_parked(store: FullStore) -> None:
    nobody = Scope(samples.named("nobody"))
    minimal = Parked("p", "routing", "unknown_tenant", "", samples.named("e"), samples.named("r"), "inbound.calls", b"")
    await store.park(nobody, minimal)
    assert [each.park_id for each in await store.list_parked(nobody)] == ["p"]
    await store.erase_tenant(nobody.tenant_id)
