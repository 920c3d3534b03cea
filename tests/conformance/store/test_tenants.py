"""Tenants, offices, bundles: what set-up writes and everybody reads."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from connectors.store.seam import FullStore, Invalid, NotFound, OfficeRow, RequestRow, Scope, TenantRow
from schemas.bundle import LiveBundle
from schemas.delivery import FinalState

from . import samples
from .conftest import tenant_name


async def test_a_tenant_and_its_offices_come_back_as_they_were_put(store: FullStore) -> None:
    tenant = TenantRow(tenant_name(), samples.AWKWARD, "suspended", False, True, "dedicated")
    offices = [
        OfficeRow(
            "b-office",
            samples.AWKWARD,
            callrail_company_id="COM1",
            callrail_api_key="secret://CALLRAIL",
            workflow_config={"steps": [1, 2.5, None, True], "é": {"deep": "中"}},
            office_embedding=tuple(samples.vector(1)),
            status="closed",
        ),
        OfficeRow("a-office", "A"),
    ]
    await store.put_tenant(tenant, offices)
    scope = Scope(tenant.tenant_id)
    stored = await store.get_tenant(scope)
    assert stored.created_at is not None
    assert replace(stored, created_at=None) == tenant
    listed = await store.list_offices(scope)
    assert [replace(office, created_at=None) for office in listed] == [offices[1], offices[0]]
    assert stored in await store.list_tenants()


async def test_putting_a_tenant_again_changes_it_and_keeps_when_it_was_made(store: FullStore, scope: Scope) -> None:
    vector = tuple(samples.vector(2))
    await store.put_tenant(TenantRow(scope.tenant_id, "Acme"), [OfficeRow("north", "North", office_embedding=vector)])
    before, offices_before = await store.get_tenant(scope), await store.list_offices(scope)
    await store.put_tenant(TenantRow(scope.tenant_id, "Acme 2"), [OfficeRow("north", "Nord", callrail_company_id="C")])
    after, offices = await store.get_tenant(scope), await store.list_offices(scope)
    assert after == replace(before, name="Acme 2")
    assert offices[0] == replace(offices_before[0], name="Nord", callrail_company_id="C")
    assert offices[0].office_embedding == vector
    assert [office.office_id for office in offices] == ["north", "south"]


async def test_a_tenant_that_is_not_there_is_not_found(store: FullStore) -> None:
    with pytest.raises(NotFound):
        await store.get_tenant(Scope(tenant_name()))
    assert await store.list_offices(Scope(tenant_name())) == []


async def test_the_reserved_office_is_refused_and_never_listed(store: FullStore, scope: Scope) -> None:
    with pytest.raises(Invalid, match="office_id"):
        await store.put_tenant(TenantRow(scope.tenant_id, "Acme"), [OfficeRow("-", "None")])
    await store.merge_request(scope, RequestRow(samples.named("r"), revision="1"))
    assert [office.office_id for office in await store.list_offices(scope)] == ["north", "south"]
    assert (await store.count(scope))["offices"] == 2


@pytest.mark.parametrize("body", [{"rules": [{"z": 1, "a": [1.5, None]}]}, [], {}, "text", 0])
async def test_a_bundle_half_is_kept_under_its_hash(store: FullStore, scope: Scope, body: Any) -> None:
    await store.put_bundle_half(scope.tenant_id, "rules", "d" * 64, body)
    await store.put_bundle_half(scope.tenant_id, "rules", "d" * 64, body)
    assert await store.get_bundle_half(scope.tenant_id, "rules", "d" * 64) == body
    for half, digest in (("intake", "d" * 64), ("rules", "e" * 64)):
        with pytest.raises(NotFound):
            await store.get_bundle_half(scope.tenant_id, half, digest)  # type: ignore[arg-type]


async def test_an_older_sequence_never_goes_live(store: FullStore, scope: Scope) -> None:
    def live(sequence: int, rules: str) -> LiveBundle:
        return LiveBundle(
            tenant_id=scope.tenant_id, intake="a" * 64, rules=rules * 64, sequence=sequence, changed_at=samples.NOON
        )

    assert await store.set_live(live(5, "b"))
    assert not await store.set_live(live(5, "c"))
    assert not await store.set_live(live(4, "d"))
    assert await store.set_live(live(6, "e"))
    assert [each for each in await store.list_live() if each.tenant_id == scope.tenant_id] == [live(6, "e")]


async def test_of_racing_bundles_the_highest_sequence_is_live_in_the_end(store: FullStore, scope: Scope) -> None:
    bundles = [
        LiveBundle(tenant_id=scope.tenant_id, intake="a" * 64, rules="b" * 64, sequence=n) for n in (3, 1, 4, 2, 5)
    ]
    await asyncio.gather(*(store.set_live(bundle) for bundle in bundles))
    [stored] = [each for each in await store.list_live() if each.tenant_id == scope.tenant_id]
    assert stored.sequence == 5


async def test_counts_name_every_table_and_every_final_state(store: FullStore, scope: Scope) -> None:
    before = await store.count(scope)
    assert set(before) >= {f"outcomes.{s.value}" for s in FinalState if s is not FinalState.OTHER}
    assert {name: n for name, n in before.items() if n} == {"offices": 2}
    await store.put_outcome(scope, samples.outcome(scope, "a"))
    await store.put_outcome(scope, samples.outcome(scope, "b"))
    await store.put_outcome(scope, samples.outcome(scope, "c", state=FinalState.DEAD))
    await store.park(scope, samples.parked())
    await store.record_arrival(scope, samples.arrival("a"))
    counts = await store.count(scope)
    assert {name: n for name, n in counts.items() if n} == {
        "offices": 2,
        "outcomes": 3,
        "outcomes.delivered": 2,
        "outcomes.dead": 1,
        "parked": 1,
        "arrivals": 1,
    }
