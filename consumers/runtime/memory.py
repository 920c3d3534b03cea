"""A Kafka in memory: topics, partitions and groups, and what can go wrong with them. For tests.

It keeps Kafka's rules where the runtime depends on them: offsets ascend and may have gaps; a commit carries a text, and
is taken only from a member of the present generation for what it was given; a group shares out anew when a member comes
or goes, asks all members before and tells all after, and leaves partitions where they are when it can; a topic made
anew has another id and begins at 0; what is too large is refused. Nothing survives the process, and time does not pass:
a member that is dead is `expelled` by the test.

Ask for faults by setting `silent` (no look-up and no commit is answered), `refuse_commits` or `refuse_records`.
"""

import asyncio
import itertools
import zlib
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Protocol

from connectors.bus.seam import NotPublished, RecordTooLarge
from consumers.runtime.client import Arrival, Bounds, BrokerUnavailable, CommitRefused, Committed, Partition
from schemas.topics import LARGEST_FAILED_RECORD

Headers = Sequence[tuple[str, bytes | None]]


class Log:
    """One partition's records."""

    def __init__(self) -> None:
        self.records: dict[int, Arrival] = {}
        """By offset, ascending; offsets that compaction took are missing."""
        self.begin = 0
        self.end = 0


class Topic:
    """A topic as it was created; made anew it is another object."""

    def __init__(self, number: int, partitions: int, largest: int) -> None:
        self.id = f"memory-{number}"
        self.logs = [Log() for _ in range(partitions)]
        self.largest = largest


class Member(Protocol):
    """What a group does with its members."""

    topics: frozenset[str]

    async def revoked(self) -> None:
        """The group is about to share out anew; commits are still taken."""
        ...

    def assigned(self, partitions: frozenset[Partition]) -> None:
        """The group has shared out."""
        ...


class Group:
    """A consumer group: members, generation and commits."""

    def __init__(self) -> None:
        self.generation = 0
        self.commits: dict[Partition, Committed] = {}
        self.shares: dict[Member, frozenset[Partition]] = {}
        """Each member's partitions; empty for one that has not been given any yet."""
        self.lock = asyncio.Lock()

    def commit(self, member: Member, generation: int, offsets: Mapping[Partition, Committed]) -> None:
        """Take a commit; raises CommitRefused."""
        share = self.shares.get(member)
        if share is None:
            raise CommitRefused("not a member of the group")
        if generation != self.generation:
            raise CommitRefused("of a generation that is over")
        if not offsets.keys() <= share:
            raise CommitRefused("not assigned")
        self.commits.update(offsets)

    def share_out(self, partitions: Collection[Partition]) -> Mapping[Member, frozenset[Partition]]:
        """Everybody's partitions: as even as can be, and where they were as far as that allows."""
        wanted = {m: {p for p in partitions if p.topic in m.topics} for m in self.shares}
        shares = {m: set(share) & wanted[m] for m, share in self.shares.items()}
        for partition in sorted(set(partitions).difference(*shares.values())):
            takers = [m for m in shares if partition in wanted[m]]
            if takers:
                shares[min(takers, key=lambda m: len(shares[m]))].add(partition)
        while shares:
            most = max(shares, key=lambda m: len(shares[m]))
            least = min(shares, key=lambda m: len(shares[m]))
            movable = sorted(shares[most] & wanted[least])
            if len(shares[most]) - len(shares[least]) < 2 or not movable:
                break
            shares[most].discard(movable[-1])
            shares[least].add(movable[-1])
        return {m: frozenset(share) for m, share in shares.items()}


class MemoryBroker:
    """A cluster."""

    def __init__(self) -> None:
        self._topics: dict[str, Topic] = {}
        self._groups: defaultdict[str, Group] = defaultdict(Group)
        self._numbers = itertools.count(1)
        self.on_growth: set[Callable[[], None]] = set()
        """Called when something was written."""
        self.silent = False
        """Whether look-ups and commits stay without an answer."""
        self.refuse_commits = False
        self.refuse_records = False

    def create(self, name: str, partitions: int = 1, *, largest: int = LARGEST_FAILED_RECORD) -> None:
        """Make a topic; one of this name that there was is gone. `largest` record in bytes."""
        self._topics[name] = Topic(next(self._numbers), partitions, largest)

    def delete(self, name: str) -> None:
        """Remove a topic with its records."""
        del self._topics[name]

    def append(
        self,
        partition: Partition,
        key: bytes | None,
        value: bytes | None,
        headers: Headers = (),
        at_ms: int | None = None,
    ) -> int:
        """Write a record; returns its offset. Raises NotPublished or RecordTooLarge."""
        topic = self._topics.get(partition.topic)
        if topic is None or self.refuse_records:
            raise NotPublished(f"{partition.topic} takes no records")
        if len(key or b"") + len(value or b"") > topic.largest:
            raise RecordTooLarge(f"{partition.topic}: {len(value or b'')} bytes")
        log = topic.logs[partition.number]
        offset, log.end = log.end, log.end + 1
        log.records[offset] = Arrival(partition, offset, key, value, tuple(headers), at_ms)
        for told in list(self.on_growth):
            told()
        return offset

    def number_of(self, topic: str, key: bytes | None) -> int:
        """Which partition of a topic takes a key: always the same one."""
        found = self._topics.get(topic)
        return 0 if found is None else zlib.crc32(key or b"") % len(found.logs)

    def skip(self, partition: Partition, offsets: int) -> None:
        """Leave a gap at the end, as the marks of a transaction do."""
        self.log(partition).end += offsets

    def compact(self, partition: Partition, gone: Iterable[int]) -> None:
        """Take records out of a log."""
        for offset in gone:
            self.log(partition).records.pop(offset, None)

    def expire(self, partition: Partition, begin: int) -> None:
        """Take what lies below `begin`, as retention does."""
        log = self.log(partition)
        log.begin, log.end = begin, max(begin, log.end)
        self.compact(partition, [offset for offset in log.records if offset < begin])

    def log(self, partition: Partition) -> Log:
        """A partition's log; KeyError without such a topic."""
        return self._topics[partition.topic].logs[partition.number]

    def group(self, name: str) -> Group:
        """A group; it need not have any members."""
        return self._groups[name]

    def partitions(self, topics: Collection[str] | None = None) -> frozenset[Partition]:
        """Those of the topics that there are."""
        found = (
            self._topics if topics is None else {name: self._topics[name] for name in topics if name in self._topics}
        )
        return frozenset(Partition(name, number) for name, topic in found.items() for number in range(len(topic.logs)))

    def topic_ids(self, topics: Collection[str]) -> Mapping[str, str]:
        """Raises BrokerUnavailable."""
        self.answer()
        return {name: self._topics[name].id for name in topics if name in self._topics}

    def bounds(self, partitions: Collection[Partition]) -> Mapping[Partition, Bounds]:
        """Raises BrokerUnavailable."""
        self.answer()
        known = self.partitions()
        return {p: Bounds(self.log(p).begin, self.log(p).end) for p in partitions if p in known}

    async def join(self, group: str, member: Member) -> None:
        """Add a member, and share out."""
        found = self._groups[group]
        found.shares[member] = frozenset()
        await self.rebalance(group)

    async def leave(self, group: str, member: Member) -> None:
        """Take a member out, and share out among the others; it is not told."""
        if self._groups[group].shares.pop(member, None) is not None:
            await self.rebalance(group)

    async def rebalance(self, group: str, shares: Mapping[Member, Collection[Partition]] | None = None) -> None:
        """Ask all members, share out, tell all members; `shares` lays down who gets what."""
        found = self._groups[group]
        async with found.lock:
            await asyncio.gather(*(member.revoked() for member in list(found.shares)))
            found.generation += 1
            given = found.share_out(self.partitions()) if shares is None else shares
            found.shares = {member: frozenset(given.get(member, ())) for member in found.shares}
            for member, share in list(found.shares.items()):
                member.assigned(share)

    async def expel(self, group: str, member: Member) -> None:
        """Take a member out that is taken for dead: it learns of it by its next commit, or when it joins again."""
        await self.leave(group, member)

    def answer(self) -> None:
        """Raises BrokerUnavailable while it is silent."""
        if self.silent:
            raise BrokerUnavailable("no answer")
