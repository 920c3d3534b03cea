"""Dead-letter limits: how much may fail before a tenant is parked, or the release is taken for bad.

    a tenant is over      it has `dead_letter_limit` dead records or more in the window, and they are at least
                          `dead_letter_ratio` of what finished. Then its records are parked for
                          `dead_letter_pause_seconds`; after that it is on trial: one more failure and it is over again
    the release is bad    three tenants are over at once, or all that are active (three records finished in the window)
                          where at least two are
    on probation          from the start until `probation_records` have finished and few enough of them failed, or
                          `probation_seconds` have passed. What fails is held: nothing is decided about it yet

On probation the limits are tighter, because held records are open offsets. After a stop by the limits (`distrust`) only
well finished records end it, however long that takes. Records without a readable tenant count as one tenant, "", that
is never parked.

Pure: time is monotonic seconds, handed in. Nothing here awaits, publishes or logs.
"""

from collections import Counter, deque
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from consumers.runtime.settings import RuntimeSettings

NOBODY: Final = ""
"""Stands for all records whose tenant cannot be read."""
BAD_TENANTS: Final = 3
LEAST_ACTIVE: Final = 2
ACTIVE_RECORDS: Final = 3
PROBATION_LIMIT: Final = 3
"""Failures of a tenant on probation; less where `dead_letter_limit` is less."""
BUCKETS: Final = 20
"""Parts of the window: what is older is forgotten a part at a time."""


class Fate(Enum):
    """What becomes of a record that failed for good."""

    BURY = "bury"
    """A dead letter."""
    PARK = "park"
    """Its tenant is over the limits: parked for a person, with what went wrong."""
    HOLD = "hold"
    """Open until the probation has ended; then ask again."""
    DEFER = "defer"
    """Its tenant is over the limits and no more can be held: parked until the pause is over."""
    HALT = "halt"
    """The release is bad: the daemon stops, the offset stays open."""


@dataclass(slots=True)
class _Tenant:
    """What is known of one tenant."""

    buckets: deque[list[float]] = field(default_factory=deque)
    """[number of the bucket, finished, dead], oldest first; dead ones are finished too."""
    reasons: Counter[str] = field(default_factory=Counter)
    first_dead: float = 0.0
    held: int = 0
    fine_on_probation: int = 0
    over_until: float | None = None
    trial: int = 0
    """Records that must go well before it is as good as any other."""


class Limits:
    """The counts of one daemon."""

    def __init__(self, settings: RuntimeSettings, *, room: int, now: float) -> None:
        """`room` is the number of records that may be held."""
        self._settings = settings
        self._width = settings.dead_letter_window_seconds / BUCKETS
        self._tenants: dict[str, _Tenant] = {}
        self._over: set[str] = set()
        self._room = room
        self._probation_ends = now + settings.probation_seconds
        self._strict = False
        self._fine_on_probation = 0
        self.proven = settings.probation_records == 0
        """Whether this process has finished enough records well."""
        self.held = 0
        """Records that are held."""
        self.halted = False

    def distrust(self) -> None:
        """A daemon of this group stopped because of these limits: only records that finish well end the probation."""
        self._strict = not self.proven

    def on_probation(self, now: float) -> bool:
        """Whether failing records are held."""
        return not self.proven and (self._strict or now < self._probation_ends)

    def probation_left(self, now: float) -> float | None:
        """Seconds until it ends by itself; None when it does not."""
        return None if self._strict else max(self._probation_ends - now, 0.0)

    def fine(self, tenant: str, now: float, records: int = 1) -> bool:
        """Records finished, otherwise than dead. True when that has ended the probation."""
        known = self._known(tenant, now)
        known.buckets[-1][1] += records
        if known.trial:
            known.trial = max(known.trial - records, 0)
            if not known.trial:
                known.buckets.clear()
        if self.proven:
            return False
        known.fine_on_probation += records
        self._fine_on_probation += records
        self.proven = self._proves_itself()
        return self.proven

    def dead(self, tenant: str, reason: str, now: float) -> Fate:
        """A record failed for good. After HOLD and HALT it counts as held until the caller says `unhold`."""
        known = self._known(tenant, now)
        if not _dead_in(known):
            known.reasons.clear()
            known.first_dead = now
        known.reasons[reason] += 1
        known.held += 1
        self.held += 1
        if self.halted:
            return Fate.HALT
        probation, limit = self.on_probation(now), self._settings.dead_letter_limit
        self._weigh(tenant, known, min(PROBATION_LIMIT, limit) if probation else limit, now)
        full = probation and self.held > self._room
        over = tenant in self._over and tenant != NOBODY
        if self._release_is_bad(now) or (full and not over):
            self.halted = True
            return Fate.HALT
        if probation and not full:
            return Fate.HOLD
        self.unhold(tenant)
        if probation:
            return Fate.DEFER
        known.buckets[-1][1] += 1
        known.buckets[-1][2] += 1
        return Fate.PARK if over else Fate.BURY

    def unhold(self, tenant: str) -> None:
        """A held record is not held any more: it was decided, or is somebody else's now."""
        self._tenants[tenant].held -= 1
        self.held -= 1

    def parks(self, tenant: str, now: float) -> bool:
        """Whether this tenant's records need not be tried now. On probation they are, while they can be held."""
        if tenant not in self._over or tenant == NOBODY or not self._still_over(tenant, now):
            return False
        return not self.on_probation(now) or self.held >= self._room

    def pause_left(self, tenant: str, now: float) -> float:
        """Seconds until the tenant is tried again."""
        known = self._tenants.get(tenant)
        return max((known.over_until or now) - now, 0.0) if known else 0.0

    def over(self, now: float) -> frozenset[str]:
        """The tenants over the limits."""
        return frozenset(tenant for tenant in tuple(self._over) if self._still_over(tenant, now))

    def reasons(self, tenant: str) -> frozenset[str]:
        """Why its records failed."""
        return frozenset(self._tenants[tenant].reasons)

    def first_dead(self, tenant: str) -> float:
        """When the first of those failed."""
        return self._tenants[tenant].first_dead

    def failing(self) -> frozenset[str]:
        """Tenants of which something is held."""
        return frozenset(name for name, tenant in self._tenants.items() if tenant.held)

    def _weigh(self, tenant: str, known: _Tenant, limit: int, now: float) -> None:
        dead = _dead_in(known)
        if known.trial or (dead >= limit and dead >= self._settings.dead_letter_ratio * _finished_in(known)):
            known.over_until = now + self._settings.dead_letter_pause_seconds
            known.trial = 0
            self._over.add(tenant)

    def _release_is_bad(self, now: float) -> bool:
        over = self.over(now)
        if len(over) >= BAD_TENANTS:
            return True
        if len(over) < LEAST_ACTIVE:
            return False
        others = (name for name in tuple(self._tenants) if name not in over)
        return not any(_finished_in(self._known(name, now)) >= ACTIVE_RECORDS for name in others)

    def _proves_itself(self) -> bool:
        if self._fine_on_probation + self.held < self._settings.probation_records:
            return False
        # What a tenant over the limits does says nothing about the release: that tenant has limits of its own.
        others = [tenant for name, tenant in self._tenants.items() if name not in self._over]
        held = sum(tenant.held for tenant in others)
        finished = sum(tenant.fine_on_probation for tenant in others) + held
        return finished >= self._settings.probation_records and held < self._settings.dead_letter_ratio * finished

    def _still_over(self, tenant: str, now: float) -> bool:
        known = self._tenants[tenant]
        if known.over_until is not None and now < known.over_until:
            return True
        known.over_until = None
        known.trial = self._settings.dead_letter_limit
        self._over.discard(tenant)
        return False

    def _known(self, tenant: str, now: float) -> _Tenant:
        """The tenant, with a bucket for the present as its last, and nothing older than the window."""
        known = self._tenants.get(tenant)
        if known is None:
            known = self._tenants[tenant] = _Tenant()
        number = now // self._width
        if not known.buckets or known.buckets[-1][0] != number:
            known.buckets.append([number, 0, 0])
        while known.buckets[0][0] <= number - BUCKETS:
            known.buckets.popleft()
        return known


def _finished_in(known: _Tenant) -> float:
    """Records in the window; held ones always are."""
    return sum(bucket[1] for bucket in known.buckets) + known.held


def _dead_in(known: _Tenant) -> float:
    return sum(bucket[2] for bucket in known.buckets) + known.held
