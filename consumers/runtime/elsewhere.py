"""Records that are put somewhere else at intake, without taking a slot.

    park        the tenant is over the dead-letter limits of this daemon: its records wait in the store
    overflow    the tenant holds more than its share of a window: its records go to the topic's overflow topic,
                marked for this group, and are read there when others have had their turn

Promise: both return only when the record is durable where it went, so the engine may finish its offset. They never give
up; cancelling is the only other end, and then the record is read again.
"""

from typing import Protocol

from consumers.runtime.client import Arrival


class Elsewhere(Protocol):
    """What the engine asks before it queues a record."""

    def parks(self, tenant: str) -> bool:
        """Whether this tenant's records are parked for now; cheap, asked for every record."""
        ...

    def overflows(self, topic: str) -> bool:
        """Whether this topic has an overflow topic to move records to."""
        ...

    async def park(self, arrival: Arrival) -> None:
        """Put it into the store."""
        ...

    async def overflow(self, arrival: Arrival) -> None:
        """Put it into the overflow topic of its topic."""
        ...
