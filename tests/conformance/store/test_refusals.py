"""Values that can never be stored are refused alike, by the column's name, and never repeated in the message."""

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from connectors.store.seam import FullStore, Invalid, OfficeRow, RequestRow, Scope, StoreError, TenantRow

from . import samples

PRIVATE = "Priscilla-Private"


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("caller_name", 5),
        ("caller_name", f"{PRIVATE}\ud800"),
        ("caller_email", PRIVATE * 200_000),
        ("contact_id", PRIVATE * 10),
        ("request_id", PRIVATE * 10),
        ("lead_score", PRIVATE),
        ("lead_score", float("nan")),
        ("spam_likelihood", float("inf")),
        ("processing_time_ms", 2**63),
        ("processing_time_ms", 1.5),
        ("received_at", datetime(2026, 1, 1)),  # noqa: DTZ001 - that is the point
        ("received_at", PRIVATE),
        ("ai_analysis", {"a": {1, 2}}),
        ("ai_analysis", {"a": 2**70}),
        ("ai_analysis", {"a": f"{PRIVATE}\ud800"}),
        ("semantic_tags", PRIVATE),
        ("semantic_tags", (1,)),
        ("revision", PRIVATE * 100),
    ],
)
async def test_a_request_with_an_impossible_value_is_refused_by_the_columns_name(
    store: FullStore, scope: Scope, column: str, value: Any
) -> None:
    row = replace(RequestRow(samples.named("r"), revision="1"), **{column: value})
    with pytest.raises(Invalid, match=column) as refusal:
        await store.merge_request(scope, row)
    assert PRIVATE not in str(refusal.value)
    assert (await store.count(scope))["requests"] == 0


async def test_a_name_that_is_too_long_is_refused_everywhere_alike(store: FullStore, scope: Scope) -> None:
    with pytest.raises(Invalid, match="name"):
        await store.put_tenant(TenantRow(scope.tenant_id, "é" * 257), [])
    await store.put_tenant(TenantRow(scope.tenant_id, "é" * 256), [OfficeRow("o", "n")])
    with pytest.raises(Invalid, match="tenant_id"):
        await store.list_outcomes(Scope("x" * 65))


async def test_a_status_that_nobody_knows_is_refused(store: FullStore, scope: Scope) -> None:
    with pytest.raises(Invalid):
        await store.put_tenant(TenantRow(scope.tenant_id, "n", status="sleeping"), [])  # type: ignore[arg-type]


async def test_a_refused_call_leaves_the_store_ready_for_the_next(store: FullStore, scope: Scope) -> None:
    for _ in range(3):
        with pytest.raises(StoreError):
            await store.merge_request(scope, RequestRow(samples.named("r"), office_id="nowhere", revision="1"))
        await store.merge_request(scope, RequestRow(samples.named("r"), office_id="north", revision="1"))
        await store.erase_tenant(scope.tenant_id)
        await store.put_tenant(TenantRow(scope.tenant_id, "Acme"), [OfficeRow("north", "North")])


@pytest.mark.parametrize(("limit", "k"), [(0, 0), (-1, -5)])
async def test_less_than_one_cannot_be_asked_for(store: FullStore, scope: Scope, limit: int, k: int) -> None:
    with pytest.raises(Invalid, match="limit"):
        await store.list_requests(scope, limit=limit)
    with pytest.raises(Invalid, match="k must"):
        await store.similar_requests(scope, samples.vector(1), k)
