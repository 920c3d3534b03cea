"""What the broker knows of every daemon: members, commits, lag, ages, head-room, retry tiers and dead letters.

Only looked at, never changed: no group is joined and nothing is committed. A few round trips for all partitions
together; ages cost the reading of one record a lagging partition, for a few seconds at most. The embedded broker
answers some questions not at all (groups, configuration, offsets by time): what hangs on them is None then.
"""

import time
from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple

from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_fixed

from consumers.runtime.commit_text import read
from ops.status.facts import BrokerFacts, GroupFacts, PartitionFacts
from ops.status.groups import Reader, also_running, readers
from ops.status.heads import Place, head_times
from schemas.topics import DEAD_LETTERS, RETRY_TIERS, table

ANSWER_SECONDS = 10.0
HOUR_MS = 3_600_000
NOWHERE = -1
RETRY = "retry"
UNSETTLED = frozenset(
    {
        "COORDINATOR_LOAD_IN_PROGRESS",
        "COORDINATOR_NOT_AVAILABLE",
        "LEADER_NOT_AVAILABLE",
        "NOT_COORDINATOR",
        "NOT_LEADER_FOR_PARTITION",
        "UNKNOWN_TOPIC_OR_PART",
        "_WAIT_COORD",
    }
)
"""What a cluster answers for a moment while it chooses who leads what."""


class Unreachable(Exception):
    """It does not answer; the text names it and what to do."""


def _is_unsettled(error: BaseException) -> bool:
    from confluent_kafka import KafkaException

    return isinstance(error, KafkaException) and error.args[0].name() in UNSETTLED


class _Commit(NamedTuple):
    offset: int
    text: str | None


def look_at_broker(bootstrap: str, *, prefix: str = "") -> BrokerFacts:
    """Look once; again for a few seconds while leaders and coordinators are being chosen (after a start, a new topic
    or a broker's loss). Unreachable when the cluster does not answer.
    """
    from confluent_kafka import KafkaException

    settled = Retrying(
        retry=retry_if_exception(_is_unsettled),
        stop=stop_after_delay(ANSWER_SECONDS),
        wait=wait_fixed(0.2),
        reraise=True,
    )
    try:
        return settled(_Look(bootstrap, prefix).facts)
    except KafkaException as error:
        raise Unreachable(
            f"no broker answers at {bootstrap} ({error.args[0].str()}); check the address and that Kafka is up"
        ) from error


class _Look:
    def __init__(self, bootstrap: str, prefix: str) -> None:
        from confluent_kafka.admin import AdminClient

        self._bootstrap = bootstrap
        self._prefix = prefix
        self._admin: Any = AdminClient(
            {"bootstrap.servers": bootstrap, "socket.connection.setup.timeout.ms": 5000, "log_level": 0}
        )

    def facts(self) -> BrokerFacts:
        metadata = self._admin.list_topics(timeout=ANSWER_SECONDS)
        there = {name: len(topic.partitions) for name, topic in metadata.topics.items()}
        wanted = {topic.name: topic for topic in table()}
        counts = {name: there[self._prefix + name] for name in wanted if self._prefix + name in there}
        missing = sorted(wanted.keys() - counts.keys())
        few = [
            f"{name} has {counts[name]} partitions, should have {topic.partitions}"
            for name, topic in wanted.items()
            if name in counts and counts[name] < topic.partitions
        ]
        places = [Place(name, number) for name, count in counts.items() for number in range(count)]
        begins, ends = self._offsets(places, "earliest"), self._offsets(places, "latest")
        members = self._members()
        retentions = self._retentions(counts, told=members is not None)
        commits = {reader: self._commits(reader, counts) for reader in self._readers(members)}
        groups = self._groups(commits, begins, ends, retentions, members)
        letters = [place for place in places if place.topic == DEAD_LETTERS]
        return BrokerFacts(
            bootstrap=self._bootstrap,
            brokers=len(metadata.brokers),
            groups=groups,
            letters=GroupFacts(
                DEAD_LETTERS,
                "-",
                None,
                [_partition(place, begins[place], ends[place], None, None, None) for place in letters],
            ),
            topics=few,
            missing=missing,
            retry={
                tier: sum(p.lag for g in groups if g.daemon == RETRY for p in g.partitions if p.topic == tier)
                for tier in RETRY_TIERS
            },
            dead_letters_hour=self._of_last_hour(letters, ends) if members is not None else None,
        )

    def _groups(
        self,
        commits: Mapping[Reader, Mapping[Place, _Commit]],
        begins: Mapping[Place, int],
        ends: Mapping[Place, int],
        retentions: Mapping[str, float],
        members: Mapping[str, int] | None,
    ) -> list[GroupFacts]:
        heads: dict[tuple[Reader, Place], int] = {}
        for reader, told in commits.items():
            for place in begins:
                if place.topic in reader.topics:
                    low = max(told[place].offset if place in told else 0, begins[place])
                    if low < ends[place]:
                        heads[reader, place] = low
        asked = {(place, low) for (_, place), low in heads.items()}
        written = head_times(self._bootstrap, asked, prefix=self._prefix)
        now = time.time()
        groups = []
        for reader, told in commits.items():
            partitions = []
            for place in sorted(place for place in begins if place.topic in reader.topics):
                at = written.get((place, heads[reader, place])) if (reader, place) in heads else None
                age = None if at is None else max(now - at, 0.0)
                kept = retentions[place.topic]
                partitions.append(
                    _partition(
                        place,
                        begins[place],
                        ends[place],
                        told.get(place),
                        age,
                        None if age is None or kept < 0 else kept - age,
                    )
                )
            count = None if members is None else members.get(self._prefix + reader.group, 0)
            groups.append(GroupFacts(reader.daemon, self._prefix + reader.group, count, partitions))
        return groups

    def _readers(self, members: Mapping[str, int] | None) -> list[Reader]:
        """The daemons, with `delivery` by kinds where it runs so."""
        return also_running(readers(), [name.removeprefix(self._prefix) for name in members or ()])

    def _members(self) -> Mapping[str, int] | None:
        """Members of every group of ours; None where the broker cannot tell."""
        from confluent_kafka import KafkaException

        try:
            listed = self._admin.list_consumer_groups(request_timeout=ANSWER_SECONDS).result()
            names = {self._prefix + reader.group for reader in readers()}
            names |= {g.group_id for g in listed.valid if g.group_id.startswith(f"{self._prefix}leadbus.")}
            described = self._admin.describe_consumer_groups(sorted(names), request_timeout=ANSWER_SECONDS)
            return {name: len(future.result().members) for name, future in described.items()}
        except KafkaException as error:
            if error.args[0].name() == "_UNSUPPORTED_FEATURE":
                return None
            raise

    def _commits(self, reader: Reader, counts: Mapping[str, int]) -> Mapping[Place, _Commit]:
        from confluent_kafka import ConsumerGroupTopicPartitions

        group = self._prefix + reader.group
        wanted = [Place(topic, n) for topic in sorted(reader.topics & counts.keys()) for n in range(counts[topic])]
        if not wanted:
            return {}
        asked = ConsumerGroupTopicPartitions(group, [self._tp(place) for place in wanted])
        futures = self._admin.list_consumer_group_offsets([asked], request_timeout=ANSWER_SECONDS)
        return {
            Place(tp.topic.removeprefix(self._prefix), tp.partition): _Commit(tp.offset, tp.metadata)
            for tp in futures[group].result().topic_partitions
            if tp.error is None and tp.offset >= 0
        }

    def _offsets(self, places: Collection[Place], what: str, at_ms: int = 0) -> dict[Place, int]:
        from confluent_kafka.admin import OffsetSpec  # type: ignore[attr-defined]

        if not places:
            return {}
        spec = OffsetSpec.for_timestamp(at_ms) if what == "time" else getattr(OffsetSpec, what)()
        futures = self._admin.list_offsets({self._tp(place): spec for place in places}, request_timeout=ANSWER_SECONDS)
        return {
            Place(tp.topic.removeprefix(self._prefix), tp.partition): int(future.result().offset)
            for tp, future in futures.items()
        }

    def _of_last_hour(self, letters: Collection[Place], ends: Mapping[Place, int]) -> int:
        since = self._offsets(letters, "time", int(time.time() * 1000) - HOUR_MS)
        return sum(ends[place] - offset for place, offset in since.items() if offset != NOWHERE)

    def _retentions(self, names: Iterable[str], *, told: bool) -> dict[str, float]:
        """Seconds that each topic keeps its records, below 0 for ever: as configured, or as the table says."""
        from confluent_kafka import KafkaException
        from confluent_kafka.admin import ConfigResource  # type: ignore[attr-defined]

        kept = {topic.name: topic.retention_ms / 1000 for topic in table()}
        if not told:
            return kept
        wanted = [ConfigResource(ConfigResource.Type.TOPIC, self._prefix + name) for name in names]
        for resource, future in self._admin.describe_configs(wanted, request_timeout=ANSWER_SECONDS).items():
            try:
                value = future.result()["retention.ms"].value
            except (KafkaException, KeyError):
                continue  # a credential that may not read the configuration
            kept[resource.name.removeprefix(self._prefix)] = int(value) / 1000
        return kept

    def _tp(self, place: Place) -> Any:
        from confluent_kafka import TopicPartition

        return TopicPartition(self._prefix + place.topic, place.partition)


def _partition(
    place: Place, begin: int, end: int, commit: _Commit | None, age: float | None, headroom: float | None
) -> PartitionFacts:
    said = read(commit.offset, commit.text) if commit is not None else None
    return PartitionFacts(
        topic=place.topic,
        partition=place.partition,
        begin=begin,
        end=end,
        committed=None if commit is None else commit.offset,
        finished_beyond=0 if said is None else len(said.finished),
        age=age,
        headroom=headroom,
        halted=said is not None and said.halted,
        finished_below=0 if said is None else sum(offset < begin for offset in said.finished),
    )
