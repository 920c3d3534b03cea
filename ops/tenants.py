"""Puts a tenant's folder into the store: both halves under their hashes, tenant and offices, and the pointer to them.

Gateway and daemons see the pointer within their poll time and swap atomically. Publishing the same files again changes
nothing; a folder with findings is refused as a whole.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from connectors.store.seam import FullStore, OfficeRow, TenantRow
from rules.folder import TenantFolder
from rules.loader import load_folder
from schemas.bundle import LiveBundle, as_json
from schemas.tenant import IntakeBundle


def utc_now() -> datetime:
    """The machine's clock."""
    return datetime.now(UTC)


async def publish_folder(
    store: FullStore, path: Path, *, commit: str | None = None, now: Callable[[], datetime] = utc_now
) -> LiveBundle:
    """Publish a tenant's folder; raises `BadTenantFolder` with every finding when it cannot go live."""
    folder = load_folder(path)
    return await publish(store, folder, commit=commit, now=now)


async def publish(
    store: FullStore, folder: TenantFolder, *, commit: str | None = None, now: Callable[[], datetime] = utc_now
) -> LiveBundle:
    """Publish a loaded folder. The sequence is one more than the live one; equal halves are left as they are."""
    intake, hashes = folder.intake, folder.hashes
    live = {row.tenant_id: row for row in await store.list_live()}.get(intake.tenant)
    if live is not None and (live.intake, live.rules) == (hashes.intake, hashes.rules):
        return live
    await store.put_tenant(tenant_row(intake), office_rows(folder))
    await store.put_bundle_half(intake.tenant, "intake", hashes.intake, as_json(intake))
    await store.put_bundle_half(intake.tenant, "rules", hashes.rules, as_json(folder.rules))
    wanted = LiveBundle(
        tenant_id=intake.tenant,
        intake=hashes.intake,
        rules=hashes.rules,
        commit=commit,
        sequence=(live.sequence if live else 0) + 1,
        changed_at=now(),
    )
    await store.set_live(wanted)
    return wanted


def tenant_row(intake: IntakeBundle) -> TenantRow:
    """Table `tenants`."""
    return TenantRow(
        tenant_id=intake.tenant,
        name=intake.name,
        status=intake.status,
        embedding_enabled=intake.ai.embedding_enabled,
        graph_features_enabled=intake.graph_features_enabled,
        isolation_level=intake.isolation_level,
    )


def office_rows(folder: TenantFolder) -> list[OfficeRow]:
    """Table `offices`; `workflow_config` names the rules that run there."""
    workflow = {"rules": folder.hashes.rules, "ids": [rule.id for rule in folder.rules.rules]}
    return [
        OfficeRow(
            office_id=office.id,
            name=office.name,
            callrail_company_id=office.callrail_company_id,
            callrail_api_key=office.callrail_api_key,
            workflow_config=workflow,
        )
        for office in folder.intake.offices
    ]
