"""Final states and parked records on SQLite."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial

from connectors.store import rows
from connectors.store.columns import StoreTime
from connectors.store.seam import NotFound, Parked, ParkedGroup, Scope, StoreError
from connectors.store.sqlite.catalogue import Admin, Scoped
from connectors.store.sqlite.engine import Engine
from connectors.store.sqlite.transaction import Transaction
from schemas.delivery import Outcome


class Outcomes:
    """The part of the store about how things ended, or wait."""

    _engine: Engine

    async def put_outcome(self, scope: Scope, outcome: Outcome) -> bool:
        """See the seam."""
        return await self._engine.write(scope.tenant_id, partial(_end, scope, outcome))

    async def put_outcomes(self, outcomes: Sequence[tuple[Scope, Outcome]]) -> Sequence[bool | StoreError]:
        """See the seam."""
        works = [(scope.tenant_id, partial(_end, scope, outcome)) for scope, outcome in outcomes]
        return await self._engine.write_each(works)

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

    async def get_parked(self, scope: Scope, park_id: str) -> Parked:
        """See the seam."""
        row = await self._engine.read(scope.tenant_id, lambda tx: tx.one(Scoped.GET_PARKED, {"park_id": park_id}))
        if row is None:
            raise NotFound("nothing is parked under this id")
        return rows.parked(row)

    async def due_parked(self, scope: Scope, due_by: datetime, limit: int) -> Sequence[Parked]:
        """See the seam."""
        values = {"due_by": due_by, "limit": limit}
        return await self._engine.read(
            scope.tenant_id, lambda tx: [rows.parked(row) for row in tx.all(Scoped.DUE_PARKED, values)]
        )

    async def parked_groups(self) -> Sequence[ParkedGroup]:
        """See the seam."""
        return await self._engine.read(None, lambda tx: [rows.parked_group(row) for row in tx.all(Admin.PARKED_GROUPS)])

    async def mark_released(self, scope: Scope, park_id: str) -> None:
        """See the seam; `NotFound` when nothing is parked under this id."""

        def work(tx: Transaction) -> None:
            if tx.run(Scoped.RELEASE, {"park_id": park_id, "released_at": StoreTime.NOW}) == 0:
                raise NotFound("nothing is parked under this id")

        await self._engine.write(scope.tenant_id, work)


def _end(scope: Scope, outcome: Outcome, tx: Transaction) -> bool:
    return tx.run(Scoped.ADD_OUTCOME, rows.outcome_values(scope, outcome)) == 1
