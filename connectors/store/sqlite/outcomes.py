"""Final states and parked records on SQLite."""

from collections.abc import Sequence

from connectors.store import rows
from connectors.store.columns import StoreTime
from connectors.store.seam import NotFound, Parked, Scope
from connectors.store.sqlite.catalogue import Scoped
from connectors.store.sqlite.engine import Engine
from connectors.store.sqlite.transaction import Transaction
from schemas.delivery import Outcome


class Outcomes:
    """The part of the store about how things ended, or wait."""

    _engine: Engine

    async def put_outcome(self, scope: Scope, outcome: Outcome) -> bool:
        """See the seam."""
        values = rows.outcome_values(scope, outcome)
        return await self._engine.write(scope.tenant_id, lambda tx: tx.run(Scoped.ADD_OUTCOME, values) == 1)

    async def list_outcomes(self, scope: Scope, request_id: str | None = None) -> Sequence[Outcome]:
        """See the seam; by the time they ended."""
        sql = Scoped.LIST_OUTCOMES if request_id is None else Scoped.LIST_OUTCOMES_OF_REQUEST

        def work(tx: Transaction) -> Sequence[Outcome]:
            return [rows.outcome(row) for row in tx.all(sql, {"request_id": request_id})]

        return await self._engine.read(scope.tenant_id, work)

    async def park(self, scope: Scope, parked: Parked) -> bool:
        """See the seam. What was released and comes again is parked anew: it must not get lost."""
        values = rows.parked_values(parked)
        return await self._engine.write(scope.tenant_id, lambda tx: tx.run(Scoped.PARK, values) == 1)

    async def list_parked(self, scope: Scope, *, released: bool = False) -> Sequence[Parked]:
        """See the seam; with `released`, those that were published again and nothing else."""
        sql = Scoped.LIST_RELEASED if released else Scoped.LIST_PARKED
        return await self._engine.read(scope.tenant_id, lambda tx: [rows.parked(row) for row in tx.all(sql)])

    async def mark_released(self, scope: Scope, park_id: str) -> None:
        """See the seam; `NotFound` when nothing is parked under this id."""

        def work(tx: Transaction) -> None:
            if tx.run(Scoped.RELEASE, {"park_id": park_id, "released_at": StoreTime.NOW}) == 0:
                raise NotFound("nothing is parked under this id")

        await self._engine.write(scope.tenant_id, work)
