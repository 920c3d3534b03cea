"""The offset ledger of one partition: what was seen, what is finished, and what may be committed.

Records finish in any order, but a group's commit is one number per partition: everything below it is done. The ledger
commits the first offset that is not finished (`low`) and describes what is finished beyond it in the commit's metadata,
so that a crash re-runs neither lost work nor finished work.

Promises: `low` is never above an offset that was seen and is not finished. Only offsets really received are tracked,
because compaction and transactions leave gaps. A metadata text that cannot be read, or a first record below the commit
(the topic was made anew), makes work be done again, never be skipped. What is not noticed: a topic made anew that has
already grown beyond the commit.

Pure: no client, no clock, no I/O.
"""

import base64
import binascii
import zlib
from collections import deque
from collections.abc import Iterable

FORMAT = "1:"
"""Version of the metadata text: zlib-compressed bitmap in base64; bit 0 is the committed offset itself."""

METADATA_BUDGET = 3_800
"""Characters; a broker takes `offset.metadata.max.bytes`, 4,096 unless configured otherwise."""

LARGEST_BITMAP = 1 << 20
"""Bytes that a metadata text may unfold to: a damaged text must not exhaust the memory."""


class Ledger:
    """One partition, from assignment to loss. A ledger that was lost is dropped as an object, never used again."""

    __slots__ = ("_inherited", "_open", "_tracked", "_version", "_written", "next", "start")

    def __init__(self, start: int, finished_beyond: Iterable[int] = ()) -> None:
        """`start` is the offset reading begins at, `finished_beyond` what earlier owners finished above it."""
        self.start = start
        self.next = start
        """One above the highest offset seen: where reading goes on."""
        self._inherited = {offset for offset in finished_beyond if offset >= start}
        self._tracked: deque[int] = deque()
        """Offsets seen and not below `low`, ascending; its head is always open."""
        self._open: set[int] = set()
        self._version = 0
        self._written = 0

    def see(self, offset: int) -> bool:
        """Note that a record arrived. True when it is to be worked on, False when it is known already."""
        if offset < self.next:
            if self.next != self.start:
                return False
            # The first record lies below the commit we began at: another log under the same name.
            self.start = offset
            self._inherited.clear()
        self.next = offset + 1
        self._version += 1
        if offset in self._inherited:
            self._inherited.discard(offset)
            if self._tracked:
                self._tracked.append(offset)
            return False
        self._tracked.append(offset)
        self._open.add(offset)
        return True

    def finish(self, offset: int) -> None:
        """Note that a record is done for good. Offsets that were not seen, or are finished already, change nothing."""
        if offset not in self._open:
            return
        self._open.discard(offset)
        self._version += 1
        while self._tracked and self._tracked[0] not in self._open:
            self._tracked.popleft()

    @property
    def low(self) -> int:
        """The first offset that is not finished: the offset to commit."""
        return self._tracked[0] if self._tracked else self.next

    @property
    def open(self) -> int:
        """Records seen and not finished."""
        return len(self._open)

    @property
    def tracked(self) -> int:
        """Records remembered: the open ones and the finished ones above the first open one."""
        return len(self._tracked)

    @property
    def dirty(self) -> bool:
        """Whether there is something that was not committed."""
        return self._version != self._written

    def snapshot(self, budget: int = METADATA_BUDGET) -> tuple[int, str, int]:
        """The offset to commit, its metadata, and the version to hand to `committed` once that has succeeded."""
        low = self.low
        seen = [offset for offset in self._tracked if offset not in self._open]
        unseen = sorted(offset for offset in self._inherited if offset > low)
        return low, encode(low, seen + unseen, budget), self._version

    def committed(self, version: int) -> None:
        """Note that the snapshot of this version was committed; what changed since stays dirty."""
        self._written = max(self._written, version)


def encode(low: int, finished: Iterable[int], budget: int = METADATA_BUDGET) -> str:
    """The metadata text for offsets finished above `low`, given in any order; empty when there are none.

    What does not fit into `budget` characters is left out from the top, and would be worked on again.
    """
    offsets = sorted(offset for offset in finished if offset > low)
    # A gap of compaction can make the span huge; the decoder refuses more than this anyway.
    while offsets and offsets[-1] - low >= LARGEST_BITMAP * 8:
        offsets.pop()
    while offsets:
        bitmap = bytearray((offsets[-1] - low) // 8 + 1)
        for offset in offsets:
            bitmap[(offset - low) // 8] |= 1 << (offset - low) % 8
        text = FORMAT + base64.b64encode(zlib.compress(bytes(bitmap), 1)).decode()
        if len(text) <= budget:
            return text
        del offsets[len(offsets) * 3 // 4 :]
    return ""


def decode(low: int, metadata: str | None) -> frozenset[int]:
    """The offsets finished above `low`. A text of another version, or a damaged one, says nothing: empty."""
    if not metadata or not metadata.startswith(FORMAT):
        return frozenset()
    try:
        packed = base64.b64decode(metadata[len(FORMAT) :], validate=True)
        bitmap = zlib.decompressobj().decompress(packed, LARGEST_BITMAP)
    except (binascii.Error, zlib.error, ValueError):
        return frozenset()
    return frozenset(
        low + index * 8 + bit for index, byte in enumerate(bitmap) if byte for bit in range(8) if byte >> bit & 1
    )
