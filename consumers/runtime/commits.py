"""Commits: once a second, explicit offsets, for what has changed.

Promises: an offset is committed only while its ledger is this member's, check and commit under one lock. None is under
way, and none is begun, between the moment the group starts to share out anew (`last`) and the new assignment
(`resume`): what is told to the group then could be about a partition that is somebody else's already. A commit that is
refused, or has no answer in time, changes nothing: its ledgers stay dirty and go with the next one.

`halted` travels in the commits, so that who takes over a daemon that was stopped by the dead-letter limits knows of it.
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
        self._sharing_out = False
        self._failures = 0
        self.halted = False
        """Whether this member has stopped by the dead-letter limits. Every commit tells; a change is told for every
        partition with the next commit, and for partitions that come later too."""

    async def run(self) -> None:
        """Commit again and again, until cancelled."""
        while True:
            await self._clock.sleep(self._interval)
            await self.now()

    async def now(self, *, everything: bool = False) -> bool:
        """Commit what is dirty; False when the group refused, did not answer, or is sharing out.

        `everything`: what is not dirty too, to learn whether the group still knows this member.
        """
        async with self._lock:
            return not self._sharing_out and await self._commit(everything=everything)

    async def last(self) -> bool:
        """Commit what is dirty, and then nothing until `resume`."""
        async with self._lock:
            self._sharing_out = True
            return await self._commit()

    def resume(self) -> None:
        """The group has shared out."""
        self._sharing_out = False

    async def _commit(self, *, everything: bool = False) -> bool:
        assigned = self._consumer.assigned()
        mine = {partition: ledger for partition, ledger in self._ledgers.items() if partition in assigned}
        for ledger in mine.values():
            ledger.halted = self.halted
        due = mine if everything else {partition: ledger for partition, ledger in mine.items() if ledger.dirty}
        snapshots = {partition: (ledger, *ledger.snapshot()) for partition, ledger in due.items()}
        if everything and len(mine) < len(self._ledgers):
            return False
        if not snapshots:
            return True
        offsets = {partition: Committed(low, text) for partition, (_, low, text, _) in snapshots.items()}
        try:
            async with asyncio.timeout(self._timeout):
                await self._consumer.commit(offsets)
        except (CommitRefused, TimeoutError) as error:
            self._failures += 1
            self._metrics.commit_failures.inc()
            log.warning("commit refused (%d in a row), will be repeated: %s", self._failures, error or "no answer")
            return False
        self._failures = 0
        self._metrics.commits.inc()
        for ledger, _, _, version in snapshots.values():
            ledger.committed(version)
        return True
