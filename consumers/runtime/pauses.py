"""After a pause of the whole process (SIGSTOP, a frozen virtual machine): first ask the group, then go on.

A member that does not run sends no heartbeats, and after the session's time the group gives its partitions away. When
it runs again it does not know that yet: what was running ends, and the next record of the same key would be begun while
another member is well past it. So nothing is begun after such a pause until the group has taken a commit of this
member, or has shared out anew.

What was running when the pause began cannot be held: its last word may already be on its way. It is cancelled as soon
as the group is known to have gone on (`rebalance.py`); that its effect happens once is the ledger of effects' business.
"""

import logging
from collections.abc import Callable

from consumers.runtime.clock import Clock
from consumers.runtime.commits import Commits
from consumers.runtime.rebalance import Rebalance

log = logging.getLogger(__name__)

BEAT_SECONDS = 0.1
"""Shorter than what handlers wait for, so that after a pause this is among the first to run."""


class Pauses:
    """Watches one process."""

    def __init__(
        self,
        rebalance: Rebalance,
        commits: Commits,
        *,
        clock: Clock,
        hold: Callable[[], None],
        release: Callable[[], None],
        longest_seconds: float,
    ) -> None:
        """`longest_seconds`: the longest pause that cannot cost a partition; less than the session's time without the
        time between heartbeats."""
        self._rebalance = rebalance
        self._commits = commits
        self._clock = clock
        self._hold = hold
        self._release = release
        self._longest_seconds = longest_seconds

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            before = self._clock.monotonic()
            await self._clock.sleep(BEAT_SECONDS)
            paused = self._clock.monotonic() - before
            if paused > self._longest_seconds:
                await self._ask(paused)

    async def _ask(self, paused: float) -> None:
        shares = self._rebalance.shares
        self._hold()
        log.warning("this process did not run for %.1f s: nothing is begun until the group answers", paused)
        # From here on, whoever shares out holds and releases.
        while not self._rebalance.sharing_out and self._rebalance.shares == shares:
            confirmed = await self._commits.now(everything=True)
            if self._rebalance.sharing_out or self._rebalance.shares != shares:
                return
            if confirmed:
                self._release()
                return
            await self._clock.sleep(BEAT_SECONDS)
