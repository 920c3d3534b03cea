"""Back-pressure: which partitions are read and which are paused.

A partition is held while it has too many open records, or too many finished ones above a slow head (what the commit's
metadata can describe is limited), while it was not yet placed after an assignment, while all records together take too
many bytes, and during the drain. It is read again once what held it has fallen to half: pausing throws prefetched
records away, so going on and off at every record would cost more than it saves.

Records on their way to somewhere else (`diversion.py`) are not part of what waits for a slot: they have the same room
again for themselves, so that a flood being moved does not hold up the rest of its partition.
"""

from collections.abc import Collection, Sequence

from consumers.runtime.client import Consumer, Partition
from consumers.runtime.offsets import Ledger
from consumers.runtime.owned import Owned, Window

SPAN_WHILE_MOVING = 8
"""Times the span that may be tracked while records are moved: those lie in long runs, which are told briefly."""


class Flow:
    """Pauses and resumes. The limits bound what waits and runs: memory is about `largest_bytes` and prefetch."""

    def __init__(self, consumer: Consumer, *, window: int, span: int, largest_bytes: int) -> None:
        """`window` open records and `span` tracked records a partition, `largest_bytes` of keys and values in all."""
        self._consumer = consumer
        self._window = window
        self._span = span
        self._largest_bytes = largest_bytes
        self._windows: dict[Partition, Window] = {}
        self._total = 0
        self._unplaced: set[Partition] = set()
        self._stopped = False
        self._paused: frozenset[Partition] = frozenset()
        self.choked = False
        """Whether nothing is read because of too many bytes."""

    @property
    def bytes(self) -> int:
        """Bytes of the records that are open."""
        return self._total

    @property
    def paused(self) -> frozenset[Partition]:
        """The partitions that are held."""
        return self._paused

    @property
    def windows(self) -> Collection[Window]:
        """Those of the partitions that something was accepted of."""
        return self._windows.values()

    def window(self, partition: Partition, ledger: Ledger) -> Window:
        """The partition's present window."""
        window = self._windows.get(partition)
        if window is None or window.ledger is not ledger:
            self._drop(partition)
            window = self._windows[partition] = Window(partition, ledger)
        return window

    def room(self, window: Window) -> tuple[int, int]:
        """How many records, and how many bytes, may be taken before the partition must be held."""
        records = self._window - max(len(window.open) - window.moving, window.moving)
        return min(records, self._longest(window) - window.ledger.tracked), self._largest_bytes - self._total

    def took(self, window: Window, accepted: Sequence[Owned], size: int) -> None:
        """Records of a partition were accepted; `size` in bytes of all of them."""
        window.open.update((owned.offset, owned) for owned in accepted)
        window.bytes += size
        self._total += size
        self.weigh(window)

    def gave(self, owned: Owned) -> None:
        """A record was finished."""
        window, share, size = owned.window, owned.share, owned.size
        if not window.live:
            return
        del window.open[owned.offset]
        window.bytes -= size
        self._total -= size
        if share is not None:
            share.records -= 1
            share.bytes -= size
        elif owned.move is not None:
            window.moving -= 1
        if window.full or self.choked:
            self.weigh(window)

    def weigh(self, window: Window) -> None:
        """Hold or release a partition whose records have changed."""
        before = window.full, self.choked
        open_ = max(len(window.open) - window.moving, window.moving)
        tracked, longest = window.ledger.tracked, self._longest(window)
        if open_ >= self._window or tracked >= longest:
            window.full = True
        elif open_ <= self._window // 2 and tracked <= longest // 2:
            window.full = False
        if self._total >= self._largest_bytes:
            self.choked = True
        elif self._total <= self._largest_bytes // 2:
            self.choked = False
        if before != (window.full, self.choked):
            self._apply()

    def forget(self, partition: Partition) -> None:
        """The partition's records are nobody's business any more."""
        self._drop(partition)
        self._unplaced.discard(partition)

    def reassigned(self, unplaced: Collection[Partition]) -> None:
        """There is a new assignment: the client has forgotten its pauses, and these must not be read yet."""
        self._paused = frozenset()
        self._unplaced = set(unplaced)
        self._apply()

    def placed(self, partition: Partition) -> None:
        """It is known from where this partition is read."""
        self._unplaced.discard(partition)
        self._apply()

    def stop(self) -> None:
        """Read nothing any more."""
        self._stopped = True
        self._apply()

    def _longest(self, window: Window) -> int:
        return self._span * SPAN_WHILE_MOVING if window.moving else self._span

    def _drop(self, partition: Partition) -> None:
        window = self._windows.pop(partition, None)
        if window is not None:
            window.live = False
            self._total -= window.bytes

    def _apply(self) -> None:
        assigned = self._consumer.assigned()
        full = {window.partition for window in self._windows.values() if window.full}
        held = assigned if self._stopped or self.choked else assigned & (full | self._unplaced)
        if held - self._paused:
            self._consumer.pause(held - self._paused)
        if self._paused - held:
            self._consumer.resume(self._paused - held)
        self._paused = held
