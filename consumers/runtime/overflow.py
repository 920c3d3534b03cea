"""Records that are put elsewhere at intake: the `Elsewhere` of the engine, for one daemon.

    park        the tenant is over the dead-letter limits: a row in the store, due when the pause is over
    overflow    the tenant floods: the record goes to the topic's overflow topic, for this group alone

A moved record is the original key, value and headers, and says where it first lay; it has not failed, so it carries no
attempt unless it came back from one. Whoever counts arrivals by place sees the same arrival. Moving or parking it twice
(a crash in between) is harmless: parking goes by place, and a second copy is one more run of an idempotent handler.

Promise: both return only when the record is durable there. They never give up: cancelling is the only other end.
"""

from typing import Final

from consumers.runtime.client import Arrival
from consumers.runtime.failures import moved_of
from consumers.runtime.holding import Holding, tenant_of
from consumers.runtime.outcomes import TENANT_OVER_LIMIT
from consumers.runtime.parking import ParkingAttendant
from consumers.runtime.publishing import Publishing
from consumers.runtime.seam import Park
from schemas.headers import RETRY_FOR, RecordHeaders
from schemas.topics import has_overflow, overflow

TENANT_OVER_SHARE: Final = "tenant_over_share"


class Diversions:
    """The Elsewhere protocol."""

    def __init__(self, holding: Holding, attendant: ParkingAttendant, *, group: str, publishing: Publishing) -> None:
        self._holding = holding
        self._attendant = attendant
        self._group = group
        self._publishing = publishing

    def parks(self, tenant: str) -> bool:
        """Whether this tenant's records are parked for now."""
        return self._holding.parks(tenant)

    def overflows(self, topic: str) -> bool:
        """Whether this topic has an overflow topic; an overflow topic has none."""
        return has_overflow(topic)

    async def park(self, arrival: Arrival) -> None:
        """Put it into the store until the tenant's pause is over. What is for another group is let pass."""
        headers = RecordHeaders.read(arrival.headers)
        if headers.get(RETRY_FOR) not in (None, self._group):
            return
        due = self._holding.pause_ends(tenant_of(headers))
        why = Park(TENANT_OVER_LIMIT, "not tried: too many of the tenant's records failed", due=due)
        await self._attendant.park(arrival, headers, why)

    async def overflow(self, arrival: Arrival) -> None:
        """Put it into the overflow topic of its topic. What is for another group is let pass."""
        headers = RecordHeaders.read(arrival.headers)
        if headers.get(RETRY_FOR) not in (None, self._group):
            return
        topic = overflow(arrival.partition.topic)
        departure = moved_of(arrival, topic=topic, group=self._group, reason=TENANT_OVER_SHARE)
        await self._publishing.until_acknowledged([departure], must=True)
