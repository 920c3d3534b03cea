"""What the runtime needs of a Kafka client, and nothing more.

Ledger, lanes, commits and rebalance are written against these protocols, so the client can be exchanged without them
noticing. Topic names are without the installation's prefix everywhere but behind these protocols.

    ClientError
     ├─ BrokerUnavailable   no usable answer now: ask again later
     └─ CommitRefused       the group does not take this commit (rebalancing, fenced, broker away): it stays to be done

Publishing raises `NotPublished` (try again) or `RecordTooLarge` (never will be) of connectors.bus.seam.
"""

from collections.abc import Collection, Mapping
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


@dataclass(frozen=True, slots=True)
class Arrival:
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
