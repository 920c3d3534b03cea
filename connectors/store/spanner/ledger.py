"""The delivery ledger on Spanner: record targets by compare-and-set, other effects by claim and lease."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any, Literal

from connectors.store import claims, rows
from connectors.store.columns import Row, StoreTime
from connectors.store.seam import Claim, Conflict, Scope, Target
from connectors.store.spanner.catalogue import Tables
from connectors.store.spanner.engine import Engine
from connectors.store.spanner.transaction import Transaction


class Ledger:
    """The part of the store that makes effects happen once."""

    _engine: Engine

    async def get_target(self, scope: Scope, connector_id: str, object_name: str, external_id: str) -> Target:
        """See the seam."""
        key = (connector_id, object_name, external_id)
        row = await self._engine.read(scope.tenant_id, lambda tx: tx.get(Tables.TARGETS, *key))
        return Target(connector_id, object_name, external_id) if row is None else rows.target(row)

    async def put_target(self, scope: Scope, target: Target) -> Target:
        """See the seam."""

        async def work(tx: Transaction) -> None:
            stored = await tx.get(Tables.TARGETS, target.connector_id, target.object, target.external_id)
            if (stored["version"] if stored else 0) != target.version:
                raise Conflict("the target was written by somebody else")
            tx.put(Tables.TARGETS, rows.target_values(target))

        await self._engine.write(scope.tenant_id, "put_target", work)
        return replace(target, version=target.version + 1)

    async def claim_order(self, scope: Scope, order_id: str, owner: str, lease_seconds: float) -> Claim:
        """See the seam. Every claim that is granted raises the version, also one of the same owner."""

        async def work(tx: Transaction) -> Claim:
            row, now = await _order(tx, order_id)
            after = claims.claimed(row, owner, lease_seconds, now)
            if after is None:
                assert row is not None  # an order that nobody knows can be claimed
                return claims.seen(order_id, row, mine=False)
            _put(tx, order_id, after)
            return claims.seen(order_id, after, mine=True)

        return await self._engine.write(scope.tenant_id, "claim_order", work)

    async def mark_sent(self, scope: Scope, claim: Claim, owner: str) -> Claim:
        """See the seam; also for an order that is `sent` already and that this owner has looked up."""
        return await self._step(scope, claim, lambda row, now: claims.sent(row, claim, owner, now))

    async def remember_part(self, scope: Scope, claim: Claim, owner: str, part: str, remote_id: str) -> Claim:
        """See the seam."""
        return await self._step(scope, claim, lambda row, _: claims.with_part(row, owner, part, remote_id))

    async def finish_order(
        self, scope: Scope, claim: Claim, owner: str, state: Literal["done", "failed"], result: Any
    ) -> Claim:
        """See the seam. The lease ends with it: the answer is not `mine`."""
        return await self._step(scope, claim, lambda row, _: claims.finished(row, owner, state, result))

    async def release_order(self, scope: Scope, claim: Claim, owner: str) -> None:
        """See the seam; `Conflict` when the lease is lost."""
        await self._step(scope, claim, lambda row, _: claims.released(row, owner))

    async def _step(self, scope: Scope, claim: Claim, step: Callable[[Row | None, datetime | None], Row]) -> Claim:
        async def work(tx: Transaction) -> Claim:
            row, now = await _order(tx, claim.order_id)
            after = step(row, now)
            if after is not row:
                _put(tx, claim.order_id, after)
            return claims.seen(claim.order_id, after, mine=after["state"] in ("claimed", "sent"))

        return await self._engine.write(scope.tenant_id, "order_step", work)


async def _order(tx: Transaction, order_id: str) -> tuple[Row | None, datetime | None]:
    row = await tx.get(Tables.ORDERS, order_id)
    return row, await tx.now() if claims.needs_clock(row) else None


def _put(tx: Transaction, order_id: str, row: Row) -> None:
    tx.put(Tables.ORDERS, {**row, "order_id": order_id, "updated_at": StoreTime.NOW})
