"""Admission: what becomes of records the moment they are read.

Each is entered in its partition's ledger and window, and then waits in the lanes or goes elsewhere. What is not this
member's (any more), or known already, is let pass; what the window has no room for is given back to the log, and read
again when there is room. Nothing here waits, and no record is decoded: it may wait long, and may have to move on.

This runs for every record, so what is the same for all of a batch is looked up once.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence

from consumers.runtime.client import Arrival, Consumer, Partition
from consumers.runtime.clock import Clock
from consumers.runtime.diversion import Diversion, Look
from consumers.runtime.flow import Flow
from consumers.runtime.lanes import Lanes
from consumers.runtime.metrics import Children, Metrics
from consumers.runtime.offsets import Ledger
from consumers.runtime.owned import Owned, Window
from schemas.headers import TENANT
from schemas.topics import OVERFLOW_SUFFIX

LaneOf = Callable[[Arrival], Hashable]


class Admission:
    """For one member."""

    def __init__(
        self,
        consumer: Consumer,
        ledgers: Mapping[Partition, Ledger],
        flow: Flow,
        lanes: Lanes[Owned],
        *,
        lane_of: LaneOf | None,
        diversion: Diversion | None,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self._consumer = consumer
        self._ledgers = ledgers
        self._flow = flow
        self._lanes = lanes
        self._lane_of = lane_of
        self._diversion = diversion
        self._clock = clock
        self._received = Children(metrics.received)

    def accept(self, arrivals: Sequence[Arrival]) -> None:
        """Take records of one partition, in their order."""
        partition = arrivals[0].partition
        ledger = self._ledgers.get(partition)
        if ledger is None:
            return
        window = self._flow.window(partition, ledger)
        room, bytes_left = self._flow.room(window)
        now, late = self._clock.monotonic(), partition.topic.endswith(OVERFLOW_SUFFIX)
        see, lane_of, diversion = ledger.see, self._lane_of, self._diversion
        tenants: dict[bytes | None, tuple[str, Look | None]] = {}
        accepted: list[Owned] = []
        waiting: list[Owned] = []
        taken = 0
        for arrival in arrivals:
            _, offset, key, value, headers, _ = arrival
            if len(accepted) >= room or taken >= bytes_left:
                self._consumer.seek(partition, offset)
                break
            if not see(offset):
                continue
            name = dict(headers).get(TENANT)
            found = tenants.get(name)
            if found is None:
                found = tenants[name] = self._look(window, name)
            tenant, look = found
            size = len(key or b"") + len(value or b"")
            owned = Owned(arrival, size, window, tenant, None if lane_of is None else lane_of(arrival), now, late)
            accepted.append(owned)
            taken += size
            if diversion is None or look is None or not diversion.diverts(owned, look):
                waiting.append(owned)
        self._received[partition.topic].inc(len(accepted))
        self._flow.took(window, accepted, taken)
        self._lanes.submit(waiting)

    def _look(self, window: Window, name: bytes | None) -> tuple[str, Look | None]:
        tenant = (name or b"").decode(errors="replace")
        return tenant, None if self._diversion is None else self._diversion.look(window, tenant)
