"""Back-pressure: which partitions are read and which are paused.

A partition is held while it has too many open records, or too many finished ones above a slow head (what the commit's
metadata can describe is limited), while it was not yet placed after an assignment, while all records together take too
many bytes, and during the drain. It is read again once what held it has fallen to half: pausing throws prefetched
records away, so going on and off at every record would cost more than it saves.
"""

from collections.abc import Collection

from consumers.runtime.client import Consumer, Partition
from consumers.runtime.offsets import Ledger


class Flow:
    """Pauses and resumes. The limits bound what waits and runs: memory is about `largest_bytes` and prefetch."""

    def __init__(self, consumer: Consumer, *, window: int, span: int, largest_bytes: int) -> None:
        """`window` open records and `span` tracked records a partition, `largest_bytes` of keys and values in all."""
        self._consumer = consumer
        self._window = window
        self._span = span
        self._largest_bytes = largest_bytes
        self._bytes: dict[Partition, int] = {}
        self._total = 0
        self._full: set[Partition] = set()
        self._unplaced: set[Partition] = set()
        self._choked = False
        self._stopped = False
        self._paused: frozenset[Partition] = frozenset()

    @property
    def bytes(self) -> int:
        """Bytes of the records that are open."""
        return self._total

    @property
    def paused(self) -> frozenset[Partition]:
        """The partitions that are held."""
        return self._paused

    def took(self, partition: Partition, ledger: Ledger, size: int) -> None:
        """A record was accepted."""
        self._bytes[partition] = self._bytes.get(partition, 0) + size
        self._total += size
        self._weigh(partition, ledger)

    def gave(self, partition: Partition, ledger: Ledger, size: int) -> None:
        """A record was finished."""
        self._bytes[partition] = self._bytes.get(partition, 0) - size
        self._total -= size
        self._weigh(partition, ledger)

    def forget(self, partition: Partition) -> None:
        """The partition's records are nobody's business any more."""
        self._total -= self._bytes.pop(partition, 0)
        self._full.discard(partition)
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

    def _weigh(self, partition: Partition, ledger: Ledger) -> None:
        full, choked = partition in self._full, self._choked
        if ledger.open >= self._window or ledger.tracked >= self._span:
            self._full.add(partition)
        elif ledger.open <= self._window // 2 and ledger.tracked <= self._span // 2:
            self._full.discard(partition)
        if self._total >= self._largest_bytes:
            self._choked = True
        elif self._total <= self._largest_bytes // 2:
            self._choked = False
        if (full, choked) != (partition in self._full, self._choked):
            self._apply()

    def _apply(self) -> None:
        assigned = self._consumer.assigned()
        held = assigned if self._stopped or self._choked else assigned & (self._full | self._unplaced)
        if held - self._paused:
            self._consumer.pause(held - self._paused)
        if self._paused - held:
            self._consumer.resume(self._paused - held)
        self._paused = held
