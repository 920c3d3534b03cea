"""Between a record that failed for good and the dead letters: what the limits say is done here.

    bury     the caller writes the dead letter
    park     the caller parks it: for a person, or until the pause is over
    hold     the caller waits outside the slots, the offset open, until the probation has ended, and asks again
    halt     the same, and the daemon is told to stop

Promise: nothing is written to the dead letters on probation, so a bad release that is started again and again drains
no topic. A held record that is dropped (its partition is lost, the daemon stops) is its next reader's matter.
"""

import asyncio
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from consumers.runtime.clock import Clock
from consumers.runtime.limits import NOBODY, Fate, Limits
from consumers.runtime.metrics import Metrics
from consumers.runtime.settings import RuntimeSettings
from schemas.headers import TENANT, RecordHeaders

log = logging.getLogger(__name__)

TENANT_ID: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do with a record that failed for good: a dead letter, or parked until `due` (None: for a person)."""

    park: bool
    due: datetime | None = None


class Held:
    """A record that is held. `drop` must be called in the end, however it ends; calling it again changes nothing."""

    def __init__(self, decided: "asyncio.Future[None]", let_go: Callable[[], None]) -> None:
        self._decided = decided
        self._let_go: Callable[[], None] | None = let_go

    async def wait(self) -> None:
        """Returns when the limits are to be asked again."""
        await self._decided

    def decide(self) -> None:
        """Let `wait` return."""
        if not self._decided.done():
            self._decided.set_result(None)

    def drop(self) -> None:
        """It is held no more."""
        let_go, self._let_go = self._let_go, None
        if let_go is not None:
            let_go()


class Holding:
    """For one daemon."""

    def __init__(
        self,
        settings: RuntimeSettings,
        *,
        name: str,
        room: int,
        clock: Clock,
        metrics: Metrics,
        halt: Callable[[str], None],
        pardon: Callable[[], None],
    ) -> None:
        """`room` is the number of records that may be held. `halt` stops the daemon with a message, leaving offsets
        open; `pardon` forgets that one was stopped so."""
        self._name = name
        self._clock = clock
        self._metrics = metrics
        self._halt = halt
        self._pardon = pardon
        self._limits = Limits(settings, room=room, now=clock.monotonic())
        self._held: set[Held] = set()
        self._timer: asyncio.Task[None] | None = None
        self._told = False
        # Counted when it is asked for: a pause ends without anything happening.
        metrics.limited.set_function(lambda: len(self._limits.over(clock.monotonic())))

    def on_halted(self) -> None:
        """A commit says that a daemon of this group stopped because of the limits."""
        if self._limits.proven:
            self._pardon()
            return
        log.warning("%s was stopped by its dead-letter limits: on probation until records finish well", self._name)
        self._limits.distrust()
        if self._timer is not None:
            self._timer.cancel()

    def fine(self, tenant: str | None, records: int = 1) -> None:
        """Records whose header names this tenant finished, otherwise than dead."""
        if self._limits.fine(tenant_named(tenant), self._clock.monotonic(), records):
            log.info("%s has finished its probation; %d records were held", self._name, self._limits.held)
            self._pardon()
            self._decide_again()

    def judge(self, headers: RecordHeaders, reason: str) -> "Verdict | Held":
        """What to do with a record that failed for good, or that it is held."""
        tenant, now = tenant_of(headers), self._clock.monotonic()
        fate = self._limits.dead(tenant, reason, now)
        match fate:
            case Fate.BURY:
                return Verdict(park=False)
            case Fate.PARK:
                return Verdict(park=True)
            case Fate.DEFER:
                return Verdict(park=True, due=self.pause_ends(tenant))
        held = Held(asyncio.get_running_loop().create_future(), lambda: self._let_go(held, tenant))
        self._held.add(held)
        self._metrics.held.set(self._limits.held)
        if fate is Fate.HALT:
            self._stop()
        elif self._timer is None or self._timer.done():
            self._timer = asyncio.create_task(self._end_in_time())
        return held

    def parks(self, tenant: str) -> bool:
        """Whether this tenant's records are parked without being tried."""
        return self._limits.parks(tenant, self._clock.monotonic())

    def pause_ends(self, tenant: str) -> datetime:
        """When the tenant is tried again."""
        return self._clock.now() + timedelta(seconds=self._limits.pause_left(tenant, self._clock.monotonic()))

    async def _end_in_time(self) -> None:
        while self._limits.on_probation(self._clock.monotonic()):
            left = self._limits.probation_left(self._clock.monotonic())
            if left is None:
                return
            await self._clock.sleep(left)
        self._decide_again()

    def _decide_again(self) -> None:
        for held in tuple(self._held):
            held.decide()

    def _let_go(self, held: "Held", tenant: str) -> None:
        self._held.discard(held)
        self._limits.unhold(tenant)
        self._metrics.held.set(self._limits.held)
        if not self._held and self._timer is not None:
            self._timer.cancel()

    def _stop(self) -> None:
        if self._told:
            return
        self._told = True
        self._halt(self._why())

    def _why(self) -> str:
        now = self._clock.monotonic()
        over = self._limits.over(now)
        tenants = sorted(over) or sorted(self._limits.failing())
        reasons = sorted({reason for name in tenants for reason in self._limits.reasons(name)})
        since = self._clock.now() - timedelta(seconds=now - min(map(self._limits.first_dead, tenants), default=now))
        names = ", ".join(name if name != NOBODY else "(no readable tenant)" for name in tenants)
        return (
            f"over the dead-letter limits: records of {len(tenants)} tenants fail since "
            f"{since.isoformat(timespec='seconds')} ({names}; reasons: {', '.join(reasons)}). Several tenants at once "
            "mean that the release is bad. Roll it back, then start again: nothing was lost, what failed is still open"
        )


def tenant_of(headers: RecordHeaders) -> str:
    """The tenant that a failure counts for; "" when the header holds none."""
    return tenant_named(headers.get(TENANT))


def tenant_named(name: str | None) -> str:
    """A tenant by the text of its header; "" when that is not the name of any."""
    return name if name and TENANT_ID.fullmatch(name) else NOBODY
