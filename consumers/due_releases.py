"""Releases what is parked and due, and keeps count of what waits; a task of the retry daemon.

Every few seconds it looks for tenants with something due, and goes round them, a batch each, until nothing is due or
the look has lasted long enough: a tenant with ten thousand due rows costs another one batch's time. Several retry
daemons take turns by a lease for each tenant; where a lease runs out too early a record is released twice, harmlessly.

Promise: it ends only when it is cancelled. While the store or the broker is away it waits and looks again.
"""

import contextlib
import logging
from collections.abc import AsyncIterator, Iterable
from datetime import timedelta
from typing import Final

from connectors.store.seam import Claim, FullStore, ParkedGroup, Scope, StoreError
from consumers.releasing import Releaser
from consumers.runtime.clock import Clock
from consumers.runtime.metrics import Metrics
from schemas.headers import Release
from schemas.identity import derive

log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 5.0
BATCH: Final = 50
"""Rows of one tenant in a turn; with the largest records they are 50 MB."""
LONGEST_LOOK: Final = 30.0
"""Seconds after which what waits is counted again, though more is due."""
LEASE_SECONDS: Final = 60.0


class DueReleases:
    """For one retry daemon; `owner` names this process."""

    def __init__(
        self, store: FullStore, releaser: Releaser, *, owner: str, clock: Clock, metrics: Metrics, batch: int = BATCH
    ) -> None:
        self._store = store
        self._releaser = releaser
        self._owner = owner
        self._clock = clock
        self._metrics = metrics
        self._batch = batch
        self._told: set[tuple[str, str]] = set()
        """Stages and reasons that have a gauge."""

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            try:
                await self.look()
            except Exception as error:  # noqa: BLE001  whatever it is, what is due must not wait for a restart
                log.warning("what is parked cannot be looked through now: %s", type(error).__name__)
            await self._clock.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Once: count what waits, and release what is due. Raises StoreError."""
        groups = await self._store.parked_groups()
        self._measure(groups)
        now = self._clock.now()
        tenants = sorted({g.tenant_id for g in groups if g.next_due is not None and g.next_due <= now})
        end = self._clock.monotonic() + LONGEST_LOOK
        while tenants and self._clock.monotonic() < end:
            tenants = [tenant for tenant in tenants if await self._release(Scope(tenant)) == self._batch]

    async def _release(self, scope: Scope) -> int:
        """Release a batch; how many rows it had."""
        async with self._turn(scope) as mine:
            if not mine:
                return 0
            rows = await self._store.due_parked(scope, self._clock.now(), self._batch)
            if rows:
                await self._releaser.release(scope, rows, Release.AGAIN, "the retry daemon")
            for row in rows:
                self._metrics.released.labels(row.stage, row.reason).inc()
            return len(rows)

    @contextlib.asynccontextmanager
    async def _turn(self, scope: Scope) -> AsyncIterator[bool]:
        name = derive("lease", scope.tenant_id, "due-releases")
        claim: Claim = await self._store.claim_order(scope, name, self._owner, LEASE_SECONDS)
        try:
            yield claim.mine
        finally:
            if claim.mine:
                with contextlib.suppress(StoreError):  # it runs out by itself
                    await self._store.release_order(scope, claim, self._owner)

    def _measure(self, groups: Iterable[ParkedGroup]) -> None:
        counts: dict[tuple[str, str], int] = dict.fromkeys(self._told, 0)
        ages: dict[tuple[str, str], float] = dict.fromkeys(self._told, 0.0)
        for group in groups:
            what = (group.stage, group.reason)
            age = (self._clock.now() - group.oldest) / timedelta(seconds=1)
            counts[what] = counts.get(what, 0) + group.count
            ages[what] = max(ages.get(what, 0.0), age)
        for what, count in counts.items():
            self._metrics.parked_open.labels(*what).set(count)
            self._metrics.parked_oldest.labels(*what).set(ages[what])
        self._told |= counts.keys()
