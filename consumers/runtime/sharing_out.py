"""Who of the group gets which partitions: each topic shared out evenly for itself, and sticky.

aiokafka's sticky assignor counts partitions, whatever is in them. Measured with 12 partitions of a topic and 12 of its
overflow topic: a second member got the 12 of the overflow topic, which are empty most of the time, and the first went
on doing all the work. Shared out topic by topic, each member has its part of every topic, give or take one partition;
who gets one more changes from topic to topic.

What it tells other members is what aiokafka's tells, under the same name, so both may be in one group during a rolling
upgrade: the group's leader decides how. One object per consumer: aiokafka keeps what it was assigned in its class,
where two consumers of one process overwrite each other's.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Any

from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment, ConsumerProtocolMemberMetadata
from aiokafka.structs import TopicPartition


class SharingOut:
    """An assignor for AIOKafkaConsumer's `partition_assignment_strategy`."""

    name = StickyPartitionAssignor.name
    version = StickyPartitionAssignor.version

    def __init__(self) -> None:
        self._mine: list[TopicPartition] | None = None

    def metadata(self, topics: Iterable[str]) -> ConsumerProtocolMemberMetadata:
        """What this member tells the leader: the topics it reads, and what it has had."""
        return StickyPartitionAssignor._metadata(topics, self._mine)

    def on_assignment(self, assignment: ConsumerProtocolMemberAssignment) -> None:
        """The group has given this to the member."""
        self._mine = assignment.partitions()

    def assign(
        self, cluster: Any, members: Mapping[str, ConsumerProtocolMemberMetadata]
    ) -> dict[str, ConsumerProtocolMemberAssignment]:
        """The leader's part: every member's share, by its id. `cluster` tells each topic's partitions."""
        told = {member: StickyPartitionAssignor.parse_member_metadata(metadata) for member, metadata in members.items()}
        shares: dict[str, list[tuple[str, list[int]]]] = {member: [] for member in members}
        for topic in sorted({topic for each in told.values() for topic in each.subscription}):
            one = _OneTopic(topic, cluster.partitions_for_topic(topic))
            names = {_named_for(topic, member): member for member, each in told.items() if topic in each.subscription}
            before: dict[str, list[TopicPartition]] = defaultdict(list)
            for name, member in names.items():
                before[name] = [partition for partition in told[member].partitions if partition.topic == topic]
            shared = StickyPartitionAssignor.assign(
                one,
                {
                    name: StickyPartitionAssignor._metadata([topic], before[name], told[member].generation)
                    for name, member in names.items()
                },
            )
            for name, share in shared.items():
                shares[names[name]] += share.assignment
        return {member: ConsumerProtocolMemberAssignment(self.version, share, b"") for member, share in shares.items()}


class _OneTopic:
    """As much of aiokafka's cluster metadata as its assignor asks for."""

    def __init__(self, topic: str, partitions: set[int] | None) -> None:
        self._topic = topic
        self._partitions = partitions

    def topics(self) -> set[str]:
        return {self._topic} if self._partitions else set()

    def partitions_for_topic(self, topic: str) -> set[int] | None:
        return self._partitions if topic == self._topic else None


def _named_for(topic: str, member: str) -> str:
    """Equal claims are decided by name: another order for each topic, the same for every leader."""
    return f"{blake2b(f'{topic} {member}'.encode(), digest_size=4).hexdigest()} {member}"
