"""Tenants, offices, counts, bundles and migrations on SQLite."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from connectors.store import rows
from connectors.store.capabilities import Capabilities
from connectors.store.columns import StoreTime
from connectors.store.scripts import scripts
from connectors.store.seam import NotFound, OfficeRow, Scope, TenantRow
from connectors.store.sqlite.catalogue import Admin, Housekeeping, Scoped
from connectors.store.sqlite.engine import Engine
from connectors.store.sqlite.transaction import Transaction
from schemas.bundle import LiveBundle


class Tenants:
    """The part of the store about tenants as such, and the work across them."""

    _engine: Engine

    async def capabilities(self) -> Capabilities:
        """What the database can do beyond the core schema: nothing here."""
        return Capabilities()

    async def get_tenant(self, scope: Scope) -> TenantRow:
        """See the seam; `NotFound` when there is none."""
        row = await self._engine.read(scope.tenant_id, lambda tx: tx.one(Scoped.GET_TENANT))
        if row is None:
            raise NotFound("there is no such tenant")
        return rows.tenant(row)

    async def list_offices(self, scope: Scope) -> Sequence[OfficeRow]:
        """See the seam."""
        return await self._engine.read(
            scope.tenant_id, lambda tx: [rows.office(row) for row in tx.all(Scoped.LIST_OFFICES)]
        )

    async def count(self, scope: Scope) -> Mapping[str, int]:
        """See the seam; every final state is there, with 0 when it has not happened."""
        found = await self._engine.read(scope.tenant_id, lambda tx: tx.all(Scoped.COUNT))
        return rows.counts({row["name"]: row["rows_found"] for row in found})

    async def migrate(self) -> Sequence[str]:
        """See the seam; two processes may race."""

        def work(tx: Transaction) -> Sequence[str]:
            tx.run(Housekeeping.MIGRATIONS_TABLE)
            applied = {row["name"] for row in tx.all(Housekeeping.MIGRATIONS)}
            missing = [script for script in scripts("sqlite") if script.name not in applied]
            for script in missing:
                for statement in script.statements:
                    tx.run(statement)
                tx.run(Housekeeping.NOTE_MIGRATION, {"name": script.name, "applied_at": StoreTime.NOW})
            return [script.name for script in missing]

        return await self._engine.write(None, work)

    async def put_tenant(self, row: TenantRow, offices: Sequence[OfficeRow]) -> None:
        """See the seam. Offices that are not named stay: requests lie in them. An embedding stays unless given."""
        values, of_offices = rows.tenant_values(row), [rows.office_values(office) for office in offices]

        def work(tx: Transaction) -> None:
            tx.run(Admin.PUT_TENANT, {**values, "updated_at": StoreTime.NOW})
            for office in of_offices:
                tx.run(Admin.PUT_OFFICE, {**office, "updated_at": StoreTime.NOW})

        await self._engine.write(row.tenant_id, work)

    async def list_tenants(self) -> Sequence[TenantRow]:
        """See the seam."""
        return await self._engine.read(None, lambda tx: [rows.tenant(row) for row in tx.all(Admin.LIST_TENANTS)])

    async def erase_tenant(self, tenant_id: str) -> None:
        """See the seam."""

        def work(tx: Transaction) -> None:
            for statement in Admin.ERASE:
                tx.run(statement)

        await self._engine.write(tenant_id, work)

    async def put_bundle_half(self, tenant_id: str, half: Literal["intake", "rules"], digest: str, body: Any) -> None:
        """See the seam."""
        values = {"half": half, "digest": digest, "body": body, "created_at": StoreTime.NOW}
        await self._engine.write(tenant_id, lambda tx: tx.run(Admin.ADD_HALF, values))

    async def get_bundle_half(self, tenant_id: str, half: Literal["intake", "rules"], digest: str) -> Any:
        """See the seam."""
        key = {"half": half, "digest": digest}
        row = await self._engine.read(tenant_id, lambda tx: tx.one(Admin.GET_HALF, key))
        if row is None:
            raise NotFound(f"there is no {half} half of this hash")
        return row["body"]

    async def set_live(self, live: LiveBundle) -> bool:
        """See the seam."""
        values = rows.live_values(live)
        return await self._engine.write(live.tenant_id, lambda tx: tx.run(Admin.SET_LIVE, values) == 1)

    async def list_live(self) -> Sequence[LiveBundle]:
        """See the seam."""
        return await self._engine.read(None, lambda tx: [rows.live(row) for row in tx.all(Admin.LIST_LIVE)])

    async def ping(self) -> None:
        """See the seam; a file that was never migrated is `Unavailable` too."""
        await self._engine.read(None, lambda tx: tx.one(Housekeeping.PING))

    async def close(self) -> None:
        """See the seam."""
        await self._engine.close()
