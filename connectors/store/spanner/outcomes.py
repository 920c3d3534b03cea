"""Final states and parked records on Spanner."""

from collections.abc import Sequence

from connectors.store import rows
from connectors.store.columns import StoreTime
from connectors.store.seam import NotFound, Parked, Scope
from connectors.store.spanner.catalogue import Scoped, Tables
from connectors.store.spanner.engine import Engine
from connectors.store.spanner.transaction import Transaction
from schemas.delivery import Outcome


class Outcomes:
    """The part of the store about how things ended, or wait."""

    _engine: Engine

    async def put_outcome(self, scope: Scope, outcome: Outcome) -> bool:
        """See the seam."""
        values = rows.outcome_values(scope, outcome)
        key = [values[name] for name in Tables.OUTCOMES.key[1:]]

        async def work(tx: Transaction) -> bool:
            if await tx.get(Tables.OUTCOMES, *key) is not None:
                return False
            tx.insert(Tables.OUTCOMES, values)
            return True

        return await self._engine.write(scope.tenant_id, "put_outcome", work)

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

    async def mark_released(self, scope: Scope, park_id: str) -> None:
        """See the seam; `NotFound` when nothing is parked under this id."""

        async def work(tx: Transaction) -> None:
            stored = await tx.get(Tables.PARKED, park_id)
            if stored is None:
                raise NotFound("nothing is parked under this id")
            if stored["released_at"] is None:
                tx.update(Tables.PARKED, {"park_id": park_id, "released_at": StoreTime.NOW})

        await self._engine.write(scope.tenant_id, "mark_released", work)
