"""Paid results, decisions and tickets on Spanner."""

from collections.abc import Sequence
from typing import Any

from connectors.store import columns, rows, tickets
from connectors.store.columns import Row, StoreTime
from connectors.store.seam import Draw, Invalid, Scope
from connectors.store.spanner.catalogue import Scoped, Tables
from connectors.store.spanner.engine import Engine
from connectors.store.spanner.transaction import Transaction
from schemas import codec
from schemas.decision import Decision, Ticket


class Decisions:
    """The part of the store about what was paid for and decided once."""

    _engine: Engine

    async def get_result(self, scope: Scope, kind: str, input_hash: str) -> Any | None:
        """See the seam."""
        row = await self._engine.read(scope.tenant_id, lambda tx: tx.get(Tables.PAID_RESULTS, kind, input_hash))
        return None if row is None else row["result"]

    async def put_result_if_absent(self, scope: Scope, kind: str, input_hash: str, result: Any) -> Any:
        """See the seam."""
        if result is None:
            raise Invalid("result must not be null: that means there is none")
        values = {"kind": kind, "input_hash": input_hash, "result": result, "created_at": StoreTime.NOW}

        async def work(tx: Transaction) -> Any:
            if stored := await tx.get(Tables.PAID_RESULTS, kind, input_hash):
                return stored["result"]
            tx.insert(Tables.PAID_RESULTS, values)
            return codec.loads(columns.normal("result", result))

        return await self._engine.write(scope.tenant_id, "put_result", work)

    async def put_decision_if_absent(self, scope: Scope, decision: Decision, draws: Sequence[Draw] = ()) -> Decision:
        """See the seam."""

        async def work(tx: Transaction) -> Row:
            key = (decision.event_id, decision.phase.value, decision.generation)
            if stored := await tx.get(Tables.DECISIONS, *key):
                return stored
            drawn = await _draw(tx, draws)
            values = rows.decision_values(scope, decision.model_copy(update={"tickets": drawn.tickets}))
            for ticket in drawn.new:
                tx.insert(Tables.TICKETS, rows.ticket_values(ticket))
            for pool, number in drawn.counters.items():
                tx.put(Tables.POOLS, {"pool": pool, "next_number": number})
            tx.insert(Tables.DECISIONS, values)
            return values

        return rows.decision_as_stored(await self._engine.write(scope.tenant_id, "put_decision", work))

    async def list_decisions(self, scope: Scope, request_id: str) -> Sequence[Decision]:
        """See the seam; by the time they were stored."""
        found = await self._engine.read(
            scope.tenant_id, lambda tx: tx.query(Scoped.LIST_DECISIONS, request_id=request_id)
        )
        return [rows.decision(row) for row in found]

    async def list_tickets(self, scope: Scope, pool: str) -> Sequence[Ticket]:
        """See the seam."""
        found = await self._engine.read(scope.tenant_id, lambda tx: tx.query(Scoped.LIST_TICKETS, pool=pool))
        return [rows.ticket(row) for row in found]


async def _draw(tx: Transaction, draws: Sequence[Draw]) -> tickets.Drawn:
    found = await tx.get_all(Tables.TICKETS_BY_ORDER, [(each.order_id,) for each in draws])
    held: dict[str, Ticket] = {row["order_id"]: rows.ticket(row) for row in found}
    pools = sorted({each.pool for each in draws if each.order_id not in held})
    counters = {row["pool"]: row["next_number"] for row in await tx.get_all(Tables.POOLS, [(pool,) for pool in pools])}
    return tickets.draw(draws, held, counters)
