"""What the store knows: what is parked and why, which connectors are the reason, which bundle each tenant runs."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from connectors.store.opening import open_store
from connectors.store.seam import FullStore, ParkedGroup, Scope
from ops.status.facts import BundleFacts, ParkedFacts, StoreFacts
from ops.status.findings import BY_CONNECTOR

MOST_READ = 500
"""Parked records of a tenant beyond which their connectors are not looked up: each row comes with its record."""
ANSWER_SECONDS = 20.0


async def look_at_store(url: str, now: datetime | None = None) -> StoreFacts:
    """Look once. Raises a StoreError, or TimeoutError, when the store does not answer."""
    now = now or datetime.now(UTC)
    store = open_store(url)
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            groups = await store.parked_groups()
            connectors = await _connectors(store, groups)
            live = {bundle.tenant_id: bundle for bundle in await store.list_live()}
            tenants = [row.tenant_id for row in await store.list_tenants() if row.status == "active"]
    finally:
        await store.close()
    parked = [
        ParkedFacts(
            tenant=group.tenant_id,
            stage=group.stage,
            reason=group.reason,
            count=group.count,
            oldest=max(_seconds(now - group.oldest), 0.0),
            due_in=None if group.next_due is None else _seconds(group.next_due - now),
            connectors=sorted(connectors[group.tenant_id, group.stage, group.reason]),
        )
        for group in groups
    ]
    bundles = []
    for tenant in sorted({*tenants, *live}):
        bundle = live.get(tenant)
        if bundle is None:
            bundles.append(BundleFacts(tenant, None))
            continue
        age = None if bundle.changed_at is None else _seconds(now - bundle.changed_at)
        bundles.append(BundleFacts(tenant, bundle.sequence, bundle.commit, age))
    return StoreFacts(parked, bundles)


async def _connectors(store: FullStore, groups: Sequence[ParkedGroup]) -> dict[tuple[str, str, str], set[str]]:
    found: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    count: dict[str, int] = defaultdict(int)
    for group in groups:
        count[group.tenant_id] += group.count
    asked = {group.tenant_id for group in groups if group.reason in BY_CONNECTOR}
    for tenant in sorted(tenant for tenant in asked if count[tenant] <= MOST_READ):
        for row in await store.list_parked(Scope(tenant)):
            if row.connector_id is not None and row.reason in BY_CONNECTOR:
                found[tenant, row.stage, row.reason].add(row.connector_id)
    return found


def _seconds(span: timedelta) -> float:
    return span / timedelta(seconds=1)
