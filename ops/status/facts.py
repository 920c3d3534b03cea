"""What was seen of an installation at one moment. Values only; whoever looks fills them in, findings are made of them.

Ages and times left are seconds; None says that it could not be known (the embedded broker tells less than a real one),
which is never taken for good or bad.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class PartitionFacts:
    """One partition as one group stands in it."""

    topic: str
    partition: int
    begin: int
    """Where the log begins."""
    end: int
    """The offset of the next record."""
    committed: int | None
    """None for a group that has not committed here: it will begin at the beginning."""
    finished_beyond: int = 0
    """Records above the commit that are finished all the same."""
    age: float | None = None
    """Of the first record that is not finished."""
    headroom: float | None = None
    """Until retention removes that record."""
    halted: bool = False
    """Whether the daemon stopped here by its dead-letter limits."""
    finished_below: int = 0
    """Those of `finished_beyond` that retention has removed since."""

    @property
    def lag(self) -> int:
        """Records between the commit and the end."""
        return max(self.end - max(self.begin if self.committed is None else self.committed, self.begin), 0)

    @property
    def expired(self) -> int:
        """Records that retention removed before the group had finished them."""
        return 0 if self.committed is None else max(self.begin - self.committed - self.finished_below, 0)

    @property
    def quiet(self) -> bool:
        """Whether there is nothing to look at here."""
        return not (self.lag or self.expired or self.halted)


@dataclass(frozen=True, slots=True)
class GroupFacts:
    """One daemon's consumer group."""

    daemon: str
    group: str
    members: int | None
    partitions: Sequence[PartitionFacts]

    @property
    def lag(self) -> int:
        """Records behind, in all partitions."""
        return sum(partition.lag for partition in self.partitions)

    @property
    def oldest(self) -> float | None:
        """Age of the oldest record that is not finished; None when there is none, or none that could be read."""
        return max((partition.age for partition in self.partitions if partition.age is not None), default=None)

    @property
    def headroom(self) -> float | None:
        """Until retention removes the first unfinished record."""
        return min((p.headroom for p in self.partitions if p.headroom is not None), default=None)

    @property
    def expired(self) -> int:
        """Records that retention removed before they were finished."""
        return sum(partition.expired for partition in self.partitions)

    @property
    def halted(self) -> bool:
        """Whether the daemon stopped by its dead-letter limits, and stays so when it is started again."""
        return any(partition.halted for partition in self.partitions)


@dataclass(frozen=True, slots=True)
class BrokerFacts:
    """What the broker told."""

    bootstrap: str
    brokers: int
    groups: Sequence[GroupFacts]
    letters: GroupFacts
    """The dead-letter topic, which no daemon reads: its lag is what lies there."""
    topics: Sequence[str] = ()
    """What differs from the table of topics, one sentence each."""
    missing: Sequence[str] = ()
    """Topics of the table that are not there."""
    retry: Mapping[str, int] = field(default_factory=dict)
    """Records that wait in each retry tier."""
    dead_letters_hour: int | None = None
    """Dead letters of the last hour."""

    @property
    def dead_letters(self) -> int:
        """Records in the dead-letter topic."""
        return self.letters.lag


@dataclass(frozen=True, slots=True)
class ParkedFacts:
    """What waits of one tenant at one stage for one reason."""

    tenant: str
    stage: str
    reason: str
    count: int
    oldest: float
    due_in: float | None = None
    """Until the first of it is released by itself; None when all of it waits for a person or a repair."""
    connectors: Sequence[str] = ()
    """The connectors that are the reason, where they are."""


@dataclass(frozen=True, slots=True)
class BundleFacts:
    """The live bundle of one tenant; `sequence` of None for a tenant that has none."""

    tenant: str
    sequence: int | None
    commit: str | None = None
    age: float | None = None


@dataclass(frozen=True, slots=True)
class StoreFacts:
    """What the store told."""

    parked: Sequence[ParkedFacts] = ()
    bundles: Sequence[BundleFacts] = ()


@dataclass(frozen=True, slots=True)
class GatewayFacts:
    """What the gateway answered; `spool` as it tells it, None when it has none."""

    url: str
    ready: bool
    reason: str | None = None
    spool: Mapping[str, object] | None = None


@dataclass(frozen=True, slots=True)
class Status:
    """Everything that was looked at. A part that did not answer is None, and `unreachable` says why."""

    broker: BrokerFacts | None
    store: StoreFacts | None
    gateway: GatewayFacts | None = None
    unreachable: Mapping[str, str] = field(default_factory=dict)
