"""The offset ledger of one partition: what was seen, what is finished, and what may be committed.

Records finish in any order, but a group's commit is one number per partition: everything below it is done. The ledger
commits the first offset that is not finished (`low`) and describes what is finished beyond it in the commit's metadata
(`commit_text.py`), so that a crash re-runs neither lost work nor finished work.

Promises: `low` is never above an offset that was seen and is not finished. Only offsets really received are tracked,
because compaction and transactions leave gaps. A metadata text that cannot be read, or a first record below the commit
(the topic was made anew), makes work be done again, never be skipped. That a topic was made anew and has already grown
beyond the commit shows in its id, where the broker tells one.

Pure: no client, no clock, no I/O.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from itertools import islice
from operator import lt

from consumers.runtime.commit_text import METADATA_BUDGET, decode, encode

__all__ = ["METADATA_BUDGET", "Ledger", "decode", "encode"]

COMMITS = 100
"""Commits that a ledger knows again as its own."""


class Ledger:
    """One partition, from assignment to loss. A ledger that was lost is dropped as an object, never used again."""

    __slots__ = (
        "_commits",
        "_halted",
        "_inherited",
        "_last_inherited",
        "_open",
        "_topic_id",
        "_tracked",
        "_version",
        "_written",
        "next",
        "start",
    )

    def __init__(
        self,
        start: int,
        finished_beyond: Iterable[int] = (),
        *,
        topic_id: str | None = None,
        halted: bool = False,
        commit: tuple[int, str] | None = None,
    ) -> None:
        """`start` is the offset reading begins at, `finished_beyond` what earlier owners finished above it.

        `commit` is the group's commit when this member got the partition, `halted` the flag in it.
        """
        self.start = start
        self.next = start
        """One above the highest offset seen: where reading goes on."""
        self._inherited = {offset for offset in finished_beyond if offset >= start}
        """What earlier owners finished and this one has not come to yet; empty for most of a ledger's life."""
        self._last_inherited = max(self._inherited, default=-1)
        self._tracked: deque[int] = deque()
        """Offsets seen and not below `low`, ascending; its head is always open."""
        self._open: set[int] = set()
        self._topic_id = topic_id
        self._halted = halted
        self._version = 0
        """Counts what a commit would tell anew: ends of records, not their arrivals."""
        self._written = 0
        self._commits: deque[int] = deque([] if commit is None else [hash(commit)], maxlen=COMMITS)
        """Hashes of the commits that the group may hold by this ledger's doing."""

    def see(self, offset: int) -> bool:
        """Note that a record arrived. True when it is to be worked on, False when it is known already."""
        if offset < self.next or self._inherited:
            return self._see_with_care(offset)
        self.next = offset + 1
        self._tracked.append(offset)
        self._open.add(offset)
        return True

    def see_many(self, offsets: Sequence[int]) -> Sequence[int]:
        """`see` for records as they were fetched; returns those that are to be worked on."""
        if not offsets:
            return offsets
        if offsets[0] < self.next or self._inherited or not all(map(lt, offsets, islice(offsets, 1, None))):
            return [offset for offset in offsets if self.see(offset)]
        self.next = offsets[-1] + 1
        self._tracked.extend(offsets)
        self._open.update(offsets)
        return offsets

    def finish(self, offset: int) -> None:
        """Note that a record is done for good. Offsets that were not seen, or are finished already, change nothing."""
        still_open, tracked = self._open, self._tracked
        if offset not in still_open:
            return
        still_open.remove(offset)
        self._version += 1
        if tracked[0] == offset:
            tracked.popleft()
            while tracked and tracked[0] not in still_open:
                tracked.popleft()

    def finish_many(self, offsets: Iterable[int]) -> None:
        """`finish` for records that end together."""
        before = len(self._open)
        self._open.difference_update(offsets)
        if len(self._open) != before:
            self._version += 1
            tracked, still_open = self._tracked, self._open
            while tracked and tracked[0] not in still_open:
                tracked.popleft()

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
    def topic_id(self) -> str | None:
        """The broker's id of the topic that the offsets belong to; None while it has not told one."""
        return self._topic_id

    @topic_id.setter
    def topic_id(self, topic_id: str | None) -> None:
        self._version += topic_id != self._topic_id
        self._topic_id = topic_id

    @property
    def halted(self) -> bool:
        """Whether the commit tells that its writer had stopped by the dead-letter limits."""
        return self._halted

    @halted.setter
    def halted(self, halted: bool) -> None:
        self._version += halted != self._halted
        self._halted = halted

    @property
    def dirty(self) -> bool:
        """Whether there is something that was not committed."""
        return self._version != self._written

    def snapshot(self, budget: int = METADATA_BUDGET) -> tuple[int, str, int]:
        """The offset to commit, its metadata, and the version to hand to `committed` once that has succeeded."""
        low, still_open = self.low, self._open
        finished = [offset for offset in self._tracked if offset not in still_open]
        finished.extend(offset for offset in self._inherited if offset > low)
        text = encode(low, finished, budget, topic_id=self._topic_id, halted=self._halted)
        commit = hash((low, text))
        if commit not in self._commits:
            self._commits.append(commit)
        return low, text, self._version

    def committed(self, version: int) -> None:
        """Note that the snapshot of this version was committed; what changed since stays dirty."""
        self._written = max(self._written, version)

    def wrote(self, offset: int, text: str) -> bool:
        """Whether a commit is one of this ledger's last ones, taken or not, or the one that it began at.

        Where the group holds another, somebody else has owned the partition meanwhile.
        """
        return hash((offset, text)) in self._commits

    def _see_with_care(self, offset: int) -> bool:
        if offset < self.next:
            if self.next != self.start:
                return False
            # The first record lies below the commit we began at: another log under the same name.
            self.start = offset
            self._inherited.clear()
        self.next = offset + 1
        if offset in self._inherited:
            self._inherited.discard(offset)
            self._version += 1
            if self._tracked:
                self._tracked.append(offset)
            return False
        if offset > self._last_inherited:
            # What is left of them was removed from the log meanwhile.
            self._inherited.clear()
        self._tracked.append(offset)
        self._open.add(offset)
        return True
