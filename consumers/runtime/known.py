"""What the broker tells about partitions before they are read: commits, where the logs begin and end, topics' ids."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from consumers.runtime.client import Bounds, Committed, Consumer, Partition
from consumers.runtime.commit_text import Told, read


@dataclass(frozen=True, slots=True)
class Known:
    """The answers of one time. `committed` and `topic_ids` lack what there is not."""

    committed: Mapping[Partition, Committed]
    bounds: Mapping[Partition, Bounds]
    topic_ids: Mapping[str, str]

    @classmethod
    async def ask(cls, consumer: Consumer, partitions: Collection[Partition]) -> "Known":
        """All of it, or BrokerUnavailable."""
        if not partitions:
            return cls({}, {}, {})
        return cls(
            await consumer.committed(partitions),
            await consumer.bounds(partitions),
            await consumer.topic_ids({partition.topic for partition in partitions}),
        )

    def told(self, partition: Partition) -> Told:
        """What the text of the partition's commit says."""
        commit = self.committed.get(partition)
        return Told() if commit is None else read(*commit)

    def made_anew(self, partition: Partition) -> bool:
        """Whether the partition's commit is about another topic of the same name."""
        commit = self.committed.get(partition)
        if commit is None:
            return False
        told, present = self.told(partition).topic_id, self.topic_ids.get(partition.topic)
        other = told is not None and present is not None and told != present
        return other or commit.offset > self.bounds[partition].end
