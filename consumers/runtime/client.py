"""What the runtime needs of a Kafka, and nothing more.

The runtime is written against these protocols, so what is behind them can be exchanged without it noticing: aiokafka
through FastStream, or a broker in memory. Topic names are without the installation's prefix everywhere but behind them.

    Door            joins a group and leaves it; holds the other two
     ├─ Consumer       this member's reading and committing
     └─ RawPublisher   publishes
    Sink            is given what the door reads, and told what the group gives and takes

    ClientError
     ├─ BrokerUnavailable   no usable answer now: ask again later
     └─ CommitRefused       the group does not take this commit (rebalancing, fenced, broker away): it stays to be done

Publishing raises `NotPublished` (try again) or `RecordTooLarge` (never will be) of connectors.bus.seam.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol


class ClientError(Exception):
    """The root."""


class BrokerUnavailable(ClientError):
    """The broker gave no usable answer."""


class CommitRefused(ClientError):
    """The commit was not taken; nothing is known to be committed."""


class Partition(NamedTuple):
    """A partition of a topic."""

    topic: str
    number: int


class Arrival(NamedTuple):
    """A record as it came, nothing decoded."""

    partition: Partition
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()
    timestamp_ms: int | None = None

    @property
    def size(self) -> int:
        """Bytes of key and value."""
        return len(self.key or b"") + len(self.value or b"")


@dataclass(frozen=True, slots=True)
class Departure:
    """A record to publish, as raw as it may have come: key and value may be missing, headers need not be text."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]


class Committed(NamedTuple):
    """A group's commit on a partition: the next offset to be worked on, and a text of ours."""

    offset: int
    metadata: str


class Bounds(NamedTuple):
    """Where a partition's log begins, and the offset its next record will have."""

    begin: int
    end: int


class Consumer(Protocol):
    """A member of a consumer group. Partitions that are not assigned (any more) are left alone silently."""

    def assigned(self) -> frozenset[Partition]:
        """What the group has given to this member."""
        ...

    def pause(self, partitions: Collection[Partition]) -> None:
        """Fetch no more of them, and deliver nothing that was fetched before."""
        ...

    def resume(self, partitions: Collection[Partition]) -> None:
        """Go on where reading stopped."""
        ...

    def seek(self, partition: Partition, offset: int) -> None:
        """Read from this offset on."""
        ...

    async def commit(self, offsets: Mapping[Partition, Committed]) -> None:
        """Commit for the group; raises CommitRefused."""
        ...

    async def committed(self, partitions: Collection[Partition]) -> Mapping[Partition, Committed]:
        """The group's commits, with metadata; partitions without one are missing. Raises BrokerUnavailable."""
        ...

    async def bounds(self, partitions: Collection[Partition]) -> Mapping[Partition, Bounds]:
        """Where the logs begin and end. Raises BrokerUnavailable."""
        ...

    async def topic_ids(self, topics: Collection[str]) -> Mapping[str, str]:
        """The broker's id of each topic, new when a topic is made anew; missing where the broker cannot tell.

        Raises BrokerUnavailable.
        """
        ...


class RawPublisher(Protocol):
    """Publishes records exactly as they are."""

    async def publish(self, departure: Departure) -> None:
        """Returns when all in-sync replicas have it. Raises NotPublished or RecordTooLarge."""
        ...


class Sink(Protocol):
    """Who takes what a member reads."""

    def accept(self, arrivals: Sequence[Arrival]) -> None:
        """Take records of one partition, in their order; never blocks."""
        ...

    def busy(self) -> bool:
        """Whether more had better be brought in a later turn of the event loop; only a wish, and never for long."""
        ...

    async def revoked(self) -> None:
        """The group is about to share its partitions out anew; commits are still taken."""
        ...

    def assigned(self, partitions: Collection[Partition]) -> None:
        """The group has shared out; runs before anything of the new share is read.

        Each partition must have been sought when it returns: a door may take one without a place for a fault.
        """
        ...


class Door(Protocol):
    """The way into a Kafka: one member of one group, and a publisher. The four verbs come in their order, once."""

    @property
    def consumer(self) -> Consumer:
        """Of use from `join` to `leave`."""
        ...

    @property
    def publisher(self) -> RawPublisher:
        """Of use from `connect` to `close`."""
        ...

    async def connect(self) -> None:
        """Make ready to publish. Raises BrokerUnavailable."""
        ...

    async def join(self, sink: Sink) -> None:
        """Join the group and read for `sink` from then on; may return before the group has given this member its share.

        Raises BrokerUnavailable.
        """
        ...

    async def leave(self) -> None:
        """Leave the group, so that others need not wait for a session to end."""
        ...

    async def close(self) -> None:
        """Flush what is published and disconnect; also after a `connect` or `join` that failed."""
        ...
