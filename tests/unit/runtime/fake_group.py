"""A consumer group as one member sees it: commits, logs' bounds and topics' ids that tests set; and a tidy clock."""

import asyncio
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime, timedelta

from consumers.runtime.client import Bounds, BrokerUnavailable, CommitRefused, Committed, Partition

TOPIC = "inbound.messages"
ONE, TWO = Partition(TOPIC, 1), Partition(TOPIC, 2)


class FakeGroup:
    """The Consumer protocol; what is asked is answered after one turn of the event loop."""

    def __init__(self, *assigned: Partition) -> None:
        self.given = frozenset(assigned)
        """What `assigned` tells."""
        self.commits: dict[Partition, Committed] = {}
        self.requests: list[dict[Partition, Committed]] = []
        """Every commit that was asked for, taken or not."""
        self.logs: dict[Partition, Bounds] = {}
        self.ids: dict[str, list[str]] = {}
        """Answers for a topic's id, one after the other; the last one stays."""
        self.positions: dict[Partition, int] = {}
        self.paused: set[Partition] = set()
        self.refusing = False
        self.silent = False
        self.answering = asyncio.Event()
        """While it is not set, commits are taken but have no answer."""
        self.answering.set()

    def assigned(self) -> frozenset[Partition]:
        return self.given

    def pause(self, partitions: Collection[Partition]) -> None:
        self.paused |= set(partitions)

    def resume(self, partitions: Collection[Partition]) -> None:
        self.paused -= set(partitions)

    def seek(self, partition: Partition, offset: int) -> None:
        self.positions[partition] = offset

    async def commit(self, offsets: Mapping[Partition, Committed]) -> None:
        self.requests.append(dict(offsets))
        await asyncio.sleep(0)
        if self.refusing:
            raise CommitRefused("not now")
        self.commits.update(offsets)
        await self.answering.wait()

    async def committed(self, partitions: Collection[Partition]) -> Mapping[Partition, Committed]:
        await self._answer()
        return {partition: self.commits[partition] for partition in partitions if partition in self.commits}

    async def bounds(self, partitions: Collection[Partition]) -> Mapping[Partition, Bounds]:
        await self._answer()
        return {partition: self.logs.get(partition, Bounds(0, 1_000)) for partition in partitions}

    async def topic_ids(self, topics: Collection[str]) -> Mapping[str, str]:
        await self._answer()
        return {topic: self._next_id(topic) for topic in topics if topic in self.ids}

    def _next_id(self, topic: str) -> str:
        answers = self.ids[topic]
        return answers.pop(0) if len(answers) > 1 else answers[0]

    async def _answer(self) -> None:
        await asyncio.sleep(0)
        if self.silent:
            raise BrokerUnavailable("silent")


class PassingClock:
    """Stands still until somebody sleeps; then that much time has passed at once."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 3, 1, tzinfo=UTC)

    def now(self) -> datetime:
        return self.moment

    def monotonic(self) -> float:
        return self.moment.timestamp()

    def pass_by(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)

    async def sleep(self, seconds: float) -> None:
        self.pass_by(seconds)
        await asyncio.sleep(0)


async def eventually(condition: Callable[[], bool]) -> None:
    """Let the others run until it is so."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110  it depends on several tasks
            await asyncio.sleep(0)
