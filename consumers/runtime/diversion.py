"""Diversion: records that do not wait for a slot, but are put elsewhere at once.

    park        everything of a tenant that is over the dead-letter limits
    overflow    what a flooding tenant sends: one that holds more than its share of a partition's window, in records or
                in bytes, and whose first waiting record has waited beyond patience. Where the window, or the memory, is
                already full of such records, those beyond the share that were not started are moved too

So a record behind another tenant's backlog is reached in the time that moving the backlog takes, not handling it. Moves
have tasks of their own, outside the slots. An offset is finished when its record is durable where it went; a move that
is cancelled leaves it open.

Never moved to overflow: what comes from an overflow topic, and anything of a daemon whose records have an order.
"""

from collections.abc import Callable, Sequence

from consumers.runtime.clock import Clock
from consumers.runtime.elsewhere import Elsewhere
from consumers.runtime.flow import Flow
from consumers.runtime.lanes import Lanes
from consumers.runtime.metrics import Children, Metrics
from consumers.runtime.owned import Move, Owned, Share, Window
from consumers.runtime.settings import RuntimeSettings

MOVES = 200
"""Moves at a time."""
LOOKS = 4
"""Times a patience that full windows are looked at."""
SHORTEST_LOOK = 0.01


class Look:
    """How things stand for a tenant's records of a partition, while a batch of them is taken."""

    __slots__ = ("most_bytes", "most_records", "overflows", "parks", "share")

    def __init__(self, share: Share, *, parks: bool, overflows: bool, most_records: float, most_bytes: float) -> None:
        self.share = share
        self.parks = parks
        self.overflows = overflows
        self.most_records = most_records
        self.most_bytes = most_bytes

    @property
    def beyond(self) -> bool:
        """Whether the tenant holds more than its share."""
        return self.share.records > self.most_records or self.share.bytes > self.most_bytes


class Diversion:
    """Decides, and moves."""

    def __init__(
        self,
        elsewhere: Elsewhere,
        flow: Flow,
        lanes: Lanes[Owned],
        *,
        ordered: bool,
        settings: RuntimeSettings,
        clock: Clock,
        metrics: Metrics,
        finished: Callable[[Owned], None],
        failed: Callable[[Owned, Exception], None],
    ) -> None:
        """`finished` is told of each record that was moved, `failed` of a fault of ours: the record stays open."""
        self._elsewhere = elsewhere
        self._flow = flow
        self._lanes = lanes
        self._ordered = ordered
        self._records = settings.window * settings.overflow_share
        self._bytes = settings.window_bytes * settings.overflow_share
        self._patience = settings.overflow_patience_seconds
        self._clock = clock
        self._diverted = Children(metrics.diverted)
        self._finished = finished
        self._failed = failed
        self.moves: Lanes[Owned] = Lanes(MOVES, self._move)

    def look(self, window: Window, tenant: str) -> Look:
        """How things stand for a tenant's records of a partition."""
        share = window.shares.get(tenant)
        if share is None:
            share = window.shares[tenant] = Share()
        return Look(
            share,
            parks=self._elsewhere.parks(tenant),
            overflows=self._may_overflow(window),
            most_records=self._records,
            # Memory is the whole process's: each partition has its part of it.
            most_bytes=self._bytes / len(self._flow.windows),
        )

    def diverts(self, owned: Owned, look: Look) -> bool:
        """Take a record that belongs elsewhere; one that does not is counted as what its tenant holds."""
        share = look.share
        if look.parks:
            self._send(owned, Move.PARK)
            return True
        beyond = share.records > look.most_records or share.bytes > look.most_bytes
        if beyond and look.overflows and self._waited_long(owned.tenant):
            self._send(owned, Move.OVERFLOW)
            return True
        share.records += 1
        share.bytes += owned.size
        owned.share = share
        return False

    async def run(self) -> None:
        """Relieve what is full, until cancelled."""
        while True:
            await self._clock.sleep(max(self._patience / LOOKS, SHORTEST_LOOK))
            for window in list(self._flow.windows):
                window.shares = {tenant: share for tenant, share in window.shares.items() if share.records}
                if (window.full or self._flow.choked) and self._may_overflow(window):
                    self._relieve(window)

    def _relieve(self, window: Window) -> None:
        for tenant in list(window.shares):
            look = self.look(window, tenant)
            if not look.beyond or not self._waited_long(tenant):
                continue

            def leaves(owned: Owned, look: Look = look) -> bool:
                if owned.share is not look.share or not look.beyond:
                    return False
                look.share.records -= 1
                look.share.bytes -= owned.size
                owned.share = None
                return True

            for owned in self._lanes.withdraw(tenant, leaves):
                self._send(owned, Move.OVERFLOW)
        self._flow.weigh(window)

    def _send(self, owned: Owned, move: Move) -> None:
        owned.move = move
        owned.window.moving += 1
        self.moves.submit((owned,))

    async def _move(self, taken: Sequence[Owned]) -> Sequence[Owned]:
        (owned,) = taken
        if not owned.window.live:
            return ()
        put = self._elsewhere.park if owned.move is Move.PARK else self._elsewhere.overflow
        try:
            await put(owned.arrival)
        except Exception as error:  # noqa: BLE001  whatever it is, the offset must stay open and others must go on
            self._failed(owned, error)
        else:
            self._diverted[owned.move.value if owned.move else ""].inc()
            self._finished(owned)
        return ()

    def _may_overflow(self, window: Window) -> bool:
        return not self._ordered and self._elsewhere.overflows(window.partition.topic)

    def _waited_long(self, tenant: str) -> bool:
        first = self._lanes.oldest(tenant)
        return first is not None and self._clock.monotonic() - first.since > self._patience
