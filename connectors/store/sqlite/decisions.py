"""Paid results, decisions and tickets on SQLite."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from connectors.store import columns, rows, tickets
from connectors.store.columns import Row, StoreTime
from connectors.store.seam import Draw, Invalid, Scope, StoreError
from connectors.store.sqlite.catalogue import Scoped
from connectors.store.sqlite.engine import Engine
from connectors.store.sqlite.transaction import Transaction
from schemas import codec
from schemas.decision import Decision, Ticket


class Decisions:
    """The part of the store about what was paid for and decided once."""

    _engine: Engine

    async def get_result(self, scope: Scope, kind: str, input_hash: str) -> Any | None:
        """See the seam."""
        key = {"kind": kind, "input_hash": input_hash}
        row = await self._engine.read(scope.tenant_id, lambda tx: tx.one(Scoped.GET_RESULT, key))
        return None if row is None else row["result"]

    async def put_result_if_absent(self, scope: Scope, kind: str, input_hash: str, result: Any) -> Any:
        """See the seam."""
        if result is None:
            raise Invalid("result must not be null: that means there is none")
        key = {"kind": kind, "input_hash": input_hash}

        def work(tx: Transaction) -> bool:
            return tx.run(Scoped.ADD_RESULT, {**key, "result": result, "created_at": StoreTime.NOW}) == 1

        if await self._engine.write(scope.tenant_id, work):
            return codec.loads(columns.normal("result", result))
        return await self.get_result(scope, kind, input_hash)

    async def put_decision_if_absent(self, scope: Scope, decision: Decision, draws: Sequence[Draw] = ()) -> Decision:
        """See the seam."""
        work = partial(_decide, scope, decision, draws)
        return rows.decision_as_stored(await self._engine.write(scope.tenant_id, work))

    async def put_decisions_if_absent(
        self, decisions: Sequence[tuple[Scope, Decision, Sequence[Draw]]]
    ) -> Sequence[Decision | StoreError]:
        """See the seam."""
        found = await self._engine.write_each([(each[0].tenant_id, partial(_decide, *each)) for each in decisions])
        return [row if isinstance(row, StoreError) else rows.decision_as_stored(row) for row in found]

    async def list_decisions(self, scope: Scope, request_id: str) -> Sequence[Decision]:
        """See the seam; by the time they were stored."""

        def work(tx: Transaction) -> Sequence[Decision]:
            return [rows.decision(row) for row in tx.all(Scoped.LIST_DECISIONS, {"request_id": request_id})]

        return await self._engine.read(scope.tenant_id, work)

    async def list_tickets(self, scope: Scope, pool: str) -> Sequence[Ticket]:
        """See the seam."""

        def work(tx: Transaction) -> Sequence[Ticket]:
            return [rows.ticket(row) for row in tx.all(Scoped.LIST_TICKETS, {"pool": pool})]

        return await self._engine.read(scope.tenant_id, work)


def _decide(scope: Scope, decision: Decision, draws: Sequence[Draw], tx: Transaction) -> Row:
    key = {"event_id": decision.event_id, "phase": decision.phase.value, "generation": decision.generation}
    if stored := tx.one(Scoped.GET_DECISION, key):
        return stored
    drawn = _draw(tx, draws)
    values = rows.decision_values(scope, decision.model_copy(update={"tickets": drawn.tickets}))
    for ticket in drawn.new:
        tx.run(Scoped.ADD_TICKET, rows.ticket_values(ticket))
    for pool, number in drawn.counters.items():
        tx.run(Scoped.PUT_POOL, {"pool": pool, "next_number": number})
    tx.run(Scoped.ADD_DECISION, values)
    return values


def _draw(tx: Transaction, draws: Sequence[Draw]) -> tickets.Drawn:
    held: dict[str, Ticket] = {}
    counters: dict[str, int] = {}
    for each in draws:
        if row := tx.one(Scoped.TICKET_OF_ORDER, {"order_id": each.order_id}):
            held[each.order_id] = rows.ticket(row)
        if row := tx.one(Scoped.GET_POOL, {"pool": each.pool}):
            counters[each.pool] = row["next_number"]
    return tickets.draw(draws, held, counters)
