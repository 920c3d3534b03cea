"""Whether the topics that a daemon needs are there and take its records: looked at after the start, then every few
minutes, and more often while something is wrong.

A missing topic, or one that takes smaller records than the table of topics says, makes the daemon not ready: what it
would publish there could not be kept. Fewer partitions than the table says only limit how many replicas share the
work, so that is logged here and left to `leadbus ops topics --check`. What a broker does not tell (the embedded one
knows no topic configuration) is not held against it; while no broker answers, the last verdict stands.
"""

import asyncio
import contextlib
import logging
from collections.abc import Collection, Mapping
from typing import NamedTuple, Protocol

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError

from consumers.runtime.client import BrokerUnavailable
from consumers.runtime.clock import Clock
from schemas.topics import DEAD_LETTERS, RETRY_TIERS, Topic, has_overflow, overflow, table

log = logging.getLogger(__name__)

EVERY_SECONDS = 300.0
AGAIN_SECONDS = 10.0
"""Until the next look while something is wrong."""
ANSWER_SECONDS = 10.0
LARGEST = "max.message.bytes"


class SeenTopic(NamedTuple):
    """What the broker says of a topic; `max_bytes` of None where it does not say."""

    partitions: int
    max_bytes: int | None


class Topics(Protocol):
    """Whoever can look topics up."""

    async def look(self, names: Collection[str]) -> Mapping[str, SeenTopic]:
        """Those that are there. Raises BrokerUnavailable."""
        ...


def needed(reads: Collection[str], publishes: Collection[str]) -> frozenset[str]:
    """The topics of a daemon, with those that its runtime publishes to: retry tiers, dead letters, overflow."""
    diverted = {overflow(topic) for topic in reads if has_overflow(topic)}
    return frozenset({*reads, *publishes, *diverted, *RETRY_TIERS, DEAD_LETTERS})


class TopicCheck:
    """Keeps a verdict up to date. `start` in an event loop; `stop` ends the looking."""

    def __init__(self, topics: Topics, names: Collection[str], *, clock: Clock) -> None:
        """`names` without the installation's prefix."""
        self._topics = topics
        self._wanted = [topic for topic in table() if topic.name in names]
        self._clock = clock
        self._verdict: str | None = "The topics are not verified yet: wait, or see whether the broker answers."
        self._task: asyncio.Task[None] | None = None

    def why_unready(self) -> str | None:
        """What is wrong with the topics, and the next step; None when nothing is."""
        return self._verdict

    async def start(self) -> None:
        """Begin to look."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Look no more."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def look(self) -> None:
        """Look once. Raises BrokerUnavailable, and keeps the last verdict then."""
        seen = await self._topics.look([topic.name for topic in self._wanted])
        few = [topic.name for topic in self._wanted if topic.name in seen and _few(topic, seen[topic.name])]
        if few and self._verdict is not None:
            log.warning("fewer partitions than the table says: %s; see `leadbus ops topics --check`", ", ".join(few))
        self._verdict = verdict(self._wanted, seen)

    async def _run(self) -> None:
        while True:
            try:
                await self.look()
            except BrokerUnavailable as error:
                log.warning("the topics could not be looked at: %s", error)
                await self._clock.sleep(AGAIN_SECONDS)
            else:
                await self._clock.sleep(EVERY_SECONDS if self._verdict is None else AGAIN_SECONDS)


def verdict(wanted: Collection[Topic], seen: Mapping[str, SeenTopic]) -> str | None:
    """What is wrong, in a sentence with the next step."""
    missing = sorted(topic.name for topic in wanted if topic.name not in seen)
    small = sorted(topic.name for topic in wanted if topic.name in seen and _small(topic, seen[topic.name]))
    said = []
    if missing:
        said.append(f"Topics are missing: {', '.join(missing)}. Run `leadbus ops topics --create`.")
    if small:
        said.append(
            f"Topics take too small records: {', '.join(small)}. Raise their max.message.bytes to what the table of"
            " topics in docs/operators.md says."
        )
    return " ".join(said) or None


class KafkaTopics:
    """Looks up with a connection that is closed again: this is asked for once in minutes."""

    def __init__(self, bootstrap: str, *, prefix: str, client_id: str) -> None:
        self._bootstrap = bootstrap
        self._prefix = prefix
        self._client_id = client_id

    async def look(self, names: Collection[str]) -> Mapping[str, SeenTopic]:
        """See `Topics`."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await self._look({self._prefix + name for name in names})
        except (KafkaError, TimeoutError, OSError) as error:
            raise BrokerUnavailable(type(error).__name__) from error

    async def _look(self, full: Collection[str]) -> Mapping[str, SeenTopic]:
        admin = AIOKafkaAdminClient(bootstrap_servers=self._bootstrap, client_id=f"{self._client_id}.topics")
        try:
            await admin.start()
            # All of them: asked for by name, a missing topic would be made where the cluster makes topics by itself.
            found = {
                topic["topic"]: len(topic["partitions"])
                for topic in await admin.describe_topics()
                if topic["topic"] in full and not topic["error_code"]
            }
            sizes = await self._sizes(admin, list(found))
        finally:
            await admin.close()
        return {name.removeprefix(self._prefix): SeenTopic(count, sizes.get(name)) for name, count in found.items()}

    @staticmethod
    async def _sizes(admin: AIOKafkaAdminClient, full: list[str]) -> Mapping[str, int]:
        wanted = [ConfigResource(ConfigResourceType.TOPIC, name, {LARGEST: None}) for name in full]
        try:
            answers = await admin.describe_configs(wanted)
        except KafkaError:
            return {}  # the embedded broker does not know the question, and a credential may not be allowed to ask
        sizes = {}
        for answer in answers:
            for code, _, _, name, entries, *_ in answer.resources:
                for key, value, *_ in entries:
                    if not code and key == LARGEST and value is not None:
                        sizes[name] = int(value)
        return sizes


def _few(topic: Topic, seen: SeenTopic) -> bool:
    return seen.partitions < topic.partitions


def _small(topic: Topic, seen: SeenTopic) -> bool:
    return seen.max_bytes is not None and seen.max_bytes < topic.max_bytes
