"""Commits: once a second, explicit offsets, for what has changed.

Promises: an offset is committed only while its ledger is this member's, check and commit under one lock. A commit that
is refused changes nothing: its ledgers stay dirty and go with the next one.
"""

import asyncio
import logging
from collections.abc import Mapping

from consumers.runtime.client import CommitRefused, Committed, Consumer, Partition
from consumers.runtime.clock import Clock
from consumers.runtime.metrics import Metrics
from consumers.runtime.offsets import Ledger

log = logging.getLogger(__name__)


class Commits:
    """Commits the ledgers of the partitions that are assigned."""

    def __init__(
        self,
        consumer: Consumer,
        ledgers: Mapping[Partition, Ledger],
        *,
        clock: Clock,
        metrics: Metrics,
        interval: float,
        timeout: float,
    ) -> None:
        """`interval` and `timeout` in seconds."""
        self._consumer = consumer
        self._ledgers = ledgers
        self._clock = clock
        self._metrics = metrics
        self._interval = interval
        self._timeout = timeout
        self._lock = asyncio.Lock()
        self._failures = 0

    async def run(self) -> None:
        """Commit again and again, until cancelled."""
        while True:
            await self._clock.sleep(self._interval)
            await self.now()

    async def now(self) -> bool:
        """Commit what is dirty; False when the group refused or did not answer."""
        async with self._lock:
            assigned = self._consumer.assigned()
            dirty = [(p, ledger) for p, ledger in self._ledgers.items() if p in assigned and ledger.dirty]
            if not dirty:
                return True
            snapshots = [(ledger, *ledger.snapshot()) for _, ledger in dirty]
            offsets = {
                partition: Committed(low, metadata)
                for (partition, _), (_, low, metadata, _) in zip(dirty, snapshots, strict=True)
            }
            try:
                async with asyncio.timeout(self._timeout):
                    await self._consumer.commit(offsets)
            except (CommitRefused, TimeoutError) as error:
                self._failures += 1
                self._metrics.commit_failures.inc()
                log.warning("commit refused (%d in a row), will be repeated: %s", self._failures, error)
                return False
            self._failures = 0
            self._metrics.commits.inc()
            for ledger, _, _, version in snapshots:
                ledger.committed(version)
            return True
