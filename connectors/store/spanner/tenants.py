"""Tenants, offices, counts, bundles and migrations on Spanner."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from connectors.store import rows
from connectors.store.capabilities import Capabilities
from connectors.store.columns import StoreTime
from connectors.store.seam import NotFound, OfficeRow, Scope, TenantRow
from connectors.store.spanner import migrating
from connectors.store.spanner.catalogue import Admin, Scoped, Tables
from connectors.store.spanner.engine import Engine
from connectors.store.spanner.transaction import Transaction
from schemas.bundle import LiveBundle


class Tenants:
    """The part of the store about tenants as such, and the work across them."""

    _engine: Engine

    async def capabilities(self) -> Capabilities:
        """What the database can do beyond the core schema, as the last `migrate` found."""
        return Capabilities.of(await migrating.applied(self._engine))

    async def get_tenant(self, scope: Scope) -> TenantRow:
        """See the seam; `NotFound` when there is none."""
        row = await self._engine.read(scope.tenant_id, lambda tx: tx.get(Tables.TENANTS))
        if row is None:
            raise NotFound("there is no such tenant")
        return rows.tenant(row)

    async def list_offices(self, scope: Scope) -> Sequence[OfficeRow]:
        """See the seam."""
        found = await self._engine.read(scope.tenant_id, lambda tx: tx.query(Scoped.LIST_OFFICES))
        return [rows.office(row) for row in found]

    async def count(self, scope: Scope) -> Mapping[str, int]:
        """See the seam; every final state is there, with 0 when it has not happened."""
        found = await self._engine.read(scope.tenant_id, lambda tx: tx.query(Scoped.COUNT))
        return rows.counts({row["name"]: row["rows_found"] for row in found})

    async def migrate(self) -> Sequence[str]:
        """See the seam; two processes may race."""
        return await migrating.migrate(self._engine)

    async def put_tenant(self, row: TenantRow, offices: Sequence[OfficeRow]) -> None:
        """See the seam. Offices that are not named stay: requests lie in them. An embedding stays unless given."""
        values = {**rows.tenant_values(row), "updated_at": StoreTime.NOW}
        of_offices = [{**rows.office_values(office), "updated_at": StoreTime.NOW} for office in offices]

        async def work(tx: Transaction) -> None:
            is_new = await tx.get(Tables.TENANTS) is None
            there = await tx.get_all(Tables.OFFICES, [(office["office_id"],) for office in of_offices])
            known = {found["office_id"] for found in there}
            if is_new:
                tx.insert(Tables.TENANTS, {**values, "created_at": StoreTime.NOW})
            else:
                tx.update(Tables.TENANTS, values)
            for office in of_offices:
                if office["office_id"] not in known:
                    tx.insert(Tables.OFFICES, {**office, "created_at": StoreTime.NOW})
                    continue
                keep = office["office_embedding"] is None
                tx.update(Tables.OFFICES, {k: v for k, v in office.items() if not (keep and k == "office_embedding")})

        await self._engine.write(row.tenant_id, "put_tenant", work)

    async def list_tenants(self) -> Sequence[TenantRow]:
        """See the seam."""
        return [rows.tenant(row) for row in await self._engine.read(None, lambda tx: tx.query(Admin.LIST_TENANTS))]

    async def erase_tenant(self, tenant_id: str) -> None:
        """See the seam. In steps, so that size does not matter: when it breaks off, call it again."""
        await self._engine.erase(tenant_id, Admin.ERASE)

    async def put_bundle_half(self, tenant_id: str, half: Literal["intake", "rules"], digest: str, body: Any) -> None:
        """See the seam."""

        async def work(tx: Transaction) -> None:
            if await tx.get(Tables.BUNDLE_HALVES, half, digest) is None:
                values = {"half": half, "digest": digest, "body": body, "created_at": StoreTime.NOW}
                tx.insert(Tables.BUNDLE_HALVES, values)

        await self._engine.write(tenant_id, "put_bundle_half", work)

    async def get_bundle_half(self, tenant_id: str, half: Literal["intake", "rules"], digest: str) -> Any:
        """See the seam."""
        row = await self._engine.read(tenant_id, lambda tx: tx.get(Tables.BUNDLE_HALVES, half, digest))
        if row is None:
            raise NotFound(f"there is no {half} half of this hash")
        return row["body"]

    async def set_live(self, live: LiveBundle) -> bool:
        """See the seam."""

        async def work(tx: Transaction) -> bool:
            stored = await tx.get(Tables.LIVE_BUNDLES)
            if stored is not None and stored["sequence"] >= live.sequence:
                return False
            tx.put(Tables.LIVE_BUNDLES, rows.live_values(live))
            return True

        return await self._engine.write(live.tenant_id, "set_live", work)

    async def list_live(self) -> Sequence[LiveBundle]:
        """See the seam."""
        return [rows.live(row) for row in await self._engine.read(None, lambda tx: tx.query(Admin.LIST_LIVE))]

    async def ping(self) -> None:
        """See the seam; a database that was never migrated is `Unavailable` too."""
        await migrating.applied(self._engine)

    async def close(self) -> None:
        """See the seam."""
        await self._engine.close()
