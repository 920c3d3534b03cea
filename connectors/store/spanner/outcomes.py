"""Final states and parked records on Spanner."""

from collections.abc import Sequence
from datetime import datetime

from connectors.store import rows
from connectors.store.columns import StoreTime
from connectors.store.seam import NotFound, Parked, ParkedGroup, Scope, StoreError
from connectors.store.spanner.batches import Batch, in_batches, key_of, only
from connectors.store.spanner.catalogue import Admin, Scoped, Tables
from connectors.store.spanner.engine import Engine
from connectors.store.spanner.transaction import Transaction
from schemas.delivery import Outcome


class Outcomes:
    """The part of the store about how things ended, or wait."""

    _engine: Engine

    async def put_outcome(self, scope: Scope, outcome: Outcome) -> bool:
        """See the seam."""
        return only(await self.put_outcomes([(scope, outcome)]))

    async def put_outcomes(self, outcomes: Sequence[tuple[Scope, Outcome]]) -> Sequence[bool | StoreError]:
        """See the seam."""
        return await in_batches(outcomes, self._put_outcomes)

    async def _put_outcomes(self, outcomes: Sequence[tuple[Scope, Outcome]]) -> Sequence[bool]:
        told = [(scope.tenant_id, rows.outcome_values(scope, outcome)) for scope, outcome in outcomes]
        keys = [key_of(Tables.OUTCOMES, tenant_id, values) for tenant_id, values in told]

        async def work(tx: Transaction) -> Sequence[bool]:
            batch = Batch(tx)
            ended = set(await batch.find(Tables.OUTCOMES, keys))
            first = []
            for key, (tenant_id, values) in zip(keys, told, strict=True):
                first.append(key not in ended)
                if key not in ended:
                    ended.add(key)
                    batch.of(tenant_id).insert(Tables.OUTCOMES, values)
            return first

        return await self._engine.write(None, "put_outcomes", work)

    async def list_outcomes(self, scope: Scope, request_id: str | None = None) -> Sequence[Outcome]:
        """See the seam; by the time they ended."""
        if request_id is None:
            found = await self._engine.read(scope.tenant_id, lambda tx: tx.query(Scoped.LIST_OUTCOMES))
        else:
            found = await self._engine.read(
                scope.tenant_id, lambda tx: tx.query(Scoped.LIST_OUTCOMES_OF_REQUEST, request_id=request_id)
            )
        return [rows.outcome(row) for row in found]

    async def park(self, scope: Scope, parked: Parked) -> bool:
        """See the seam. What was released and comes again is parked anew: it must not get lost."""
        values = rows.parked_values(parked)

        async def work(tx: Transaction) -> bool:
            stored = await tx.get(Tables.PARKED, parked.park_id)
            if stored is not None and stored["released_at"] is None:
                return False
            tx.put(Tables.PARKED, values)
            return True

        return await self._engine.write(scope.tenant_id, "park", work)

    async def list_parked(self, scope: Scope, *, released: bool = False) -> Sequence[Parked]:
        """See the seam; with `released`, those that were published again and nothing else."""
        query = Scoped.LIST_RELEASED if released else Scoped.LIST_PARKED
        return [rows.parked(row) for row in await self._engine.read(scope.tenant_id, lambda tx: tx.query(query))]

    async def get_parked(self, scope: Scope, park_id: str) -> Parked:
        """See the seam."""
        found = await self._engine.read(scope.tenant_id, lambda tx: tx.query(Scoped.GET_PARKED, park_id=park_id))
        if not found:
            raise NotFound("nothing is parked under this id")
        return rows.parked(found[0])

    async def due_parked(self, scope: Scope, due_by: datetime, limit: int) -> Sequence[Parked]:
        """See the seam."""
        found = await self._engine.read(
            scope.tenant_id, lambda tx: tx.query(Scoped.DUE_PARKED, due_by=due_by, limit=limit)
        )
        return [rows.parked(row) for row in found]

    async def parked_groups(self) -> Sequence[ParkedGroup]:
        """See the seam."""
        found = await self._engine.read(None, lambda tx: tx.query(Admin.PARKED_GROUPS))
        return [rows.parked_group(row) for row in found]

    async def mark_released(self, scope: Scope, park_id: str) -> None:
        """See the seam; `NotFound` when nothing is parked under this id."""

        async def work(tx: Transaction) -> None:
            stored = await tx.get(Tables.PARKED, park_id)
            if stored is None:
                raise NotFound("nothing is parked under this id")
            if stored["released_at"] is None:
                tx.update(Tables.PARKED, {"park_id": park_id, "released_at": StoreTime.NOW})

        await self._engine.write(scope.tenant_id, "mark_released", work)
