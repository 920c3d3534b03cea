"""Paid results, decisions and tickets on Spanner."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from connectors.store import columns, rows, tickets
from connectors.store.columns import Row, StoreTime
from connectors.store.seam import Draw, Invalid, Scope, StoreError
from connectors.store.spanner.batches import Batch, in_batches, only
from connectors.store.spanner.catalogue import Scoped, Tables
from connectors.store.spanner.engine import Engine
from connectors.store.spanner.transaction import Transaction
from schemas import codec
from schemas.decision import Decision, Ticket

Proposed = tuple[Scope, Decision, Sequence[Draw]]


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
        return only(await self.put_decisions_if_absent([(scope, decision, draws)]))

    async def put_decisions_if_absent(self, decisions: Sequence[Proposed]) -> Sequence[Decision | StoreError]:
        """See the seam. A tenant that draws has a transaction of its own: others must not wait for its pools."""
        drawing = {scope.tenant_id for scope, _, draws in decisions if draws}
        groups: dict[str | None, list[int]] = {}
        for number, (scope, _, _) in enumerate(decisions):
            groups.setdefault(scope.tenant_id if scope.tenant_id in drawing else None, []).append(number)
        stored = await asyncio.gather(
            *(
                in_batches([decisions[number] for number in numbers], self._put_decisions)
                for numbers in groups.values()
            ),
            return_exceptions=True,  # all of them end before this call does
        )
        answers: dict[int, Decision | StoreError] = {}
        for numbers, found in zip(groups.values(), stored, strict=True):
            if isinstance(found, BaseException):
                raise found
            answers.update(zip(numbers, found, strict=True))
        return [answers[number] for number in range(len(decisions))]

    async def _put_decisions(self, decisions: Sequence[Proposed]) -> Sequence[Decision]:
        keys = [(s.tenant_id, d.event_id, d.phase.value, d.generation) for s, d, _ in decisions]

        async def work(tx: Transaction) -> Sequence[Row]:
            batch = Batch(tx)
            stored = await batch.find(Tables.DECISIONS, keys)
            new = [
                (scope.tenant_id, draws)
                for key, (scope, _, draws) in zip(keys, decisions, strict=True)
                if key not in stored
            ]
            pools = await _Pools.read(batch, new)
            for key, (scope, decision, draws) in zip(keys, decisions, strict=True):
                if key in stored:
                    continue
                own = batch.of(scope.tenant_id)
                drawn = pools.draw(scope.tenant_id, draws)
                values = rows.decision_values(scope, decision.model_copy(update={"tickets": drawn}))
                own.insert(Tables.DECISIONS, values)
                stored[key] = values
            pools.write(batch)
            return [stored[key] for key in keys]

        written = await self._engine.write(None, "put_decisions", work)
        return [rows.decision_as_stored(row) for row in written]

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


@dataclass(slots=True)
class _Pools:
    """The pools that a transaction draws from: tickets by order and next numbers by pool, each by tenant."""

    held: dict[str, dict[str, Ticket]] = field(default_factory=lambda: defaultdict(dict))
    counters: dict[str, dict[str, int]] = field(default_factory=lambda: defaultdict(dict))
    drawn_from: set[tuple[str, str]] = field(default_factory=set)
    new: list[tuple[str, Ticket]] = field(default_factory=list)

    @classmethod
    async def read(cls, batch: Batch, wanted: Sequence[tuple[str, Sequence[Draw]]]) -> "_Pools":
        pools = cls()
        each = [(tenant_id, draw) for tenant_id, draws in wanted for draw in draws]
        tickets_held = await batch.find(Tables.TICKETS_BY_ORDER, ((tenant, draw.order_id) for tenant, draw in each))
        for (tenant_id, order_id), row in tickets_held.items():
            pools.held[tenant_id][order_id] = rows.ticket(row)
        free = ((tenant, draw.pool) for tenant, draw in each if draw.order_id not in pools.held[tenant])
        for (tenant_id, pool), row in (await batch.find(Tables.POOLS, free)).items():
            pools.counters[tenant_id][pool] = row["next_number"]
        return pools

    def draw(self, tenant_id: str, draws: Sequence[Draw]) -> tuple[Ticket, ...]:
        drawn = tickets.draw(draws, self.held[tenant_id], self.counters[tenant_id])
        self.held[tenant_id] |= {ticket.order_id: ticket for ticket in drawn.new}
        self.counters[tenant_id] |= drawn.counters
        self.drawn_from |= {(tenant_id, pool) for pool in drawn.counters}
        self.new += [(tenant_id, ticket) for ticket in drawn.new]
        return drawn.tickets

    def write(self, batch: Batch) -> None:
        for tenant_id, ticket in self.new:
            batch.of(tenant_id).insert(Tables.TICKETS, rows.ticket_values(ticket))
        for tenant_id, pool in sorted(self.drawn_from):
            number = self.counters[tenant_id][pool]
            batch.of(tenant_id).put(Tables.POOLS, {"pool": pool, "next_number": number})
