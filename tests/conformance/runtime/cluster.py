"""A broker with the topics of one test: the embedded one, or Apache Kafka with names of the test's own."""

import asyncio
import contextlib
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.structs import OffsetAndMetadata
from aiokafka.structs import TopicPartition as KafkaPartition
from confluent_kafka import Consumer, Producer, TopicPartition

from connectors.settings import ConnectionSettings
from consumers.retry import build_retry_daemon
from consumers.runtime.client import Door
from consumers.runtime.clock import SystemClock
from consumers.runtime.daemon import Daemon, build_daemon, plan_of
from consumers.runtime.failpoints import Failpoints
from consumers.runtime.settings import RuntimeSettings
from schemas import codec
from schemas.topics import ANALYZED, DEAD_LETTERS, INBOUND_MESSAGES, OUTCOMES, RETRY_TIERS, overflow
from tests.conformance.runtime.example import GROUP, Journal, ParkingLot, example_spec, headers_of, inbound

PARTITIONS = 4
TOPICS = (INBOUND_MESSAGES, overflow(INBOUND_MESSAGES), ANALYZED, OUTCOMES, DEAD_LETTERS, *RETRY_TIERS)


def topics_of(prefix: str, *, without: Sequence[str] = ()) -> list[tuple[str, int]]:
    return [(prefix + topic, PARTITIONS) for topic in TOPICS if topic not in without]


class Cluster:
    """What tests do with a broker."""

    def __init__(self, bootstrap: str, prefix: str, create: Callable[[str, int], None]) -> None:
        self.bootstrap = bootstrap
        self.prefix = prefix
        self.create = create
        """Makes a topic, by its full name."""

    @property
    def connections(self) -> ConnectionSettings:
        return ConnectionSettings(
            kafka_bootstrap=self.bootstrap, topic_prefix=self.prefix, store_url="unused", objects_url="memory://"
        )

    def produce(
        self,
        documents: Sequence[dict[str, Any]],
        *,
        topic: str = INBOUND_MESSAGES,
        partition: Callable[[int], int] = lambda index: index % PARTITIONS,
        more_headers: Sequence[tuple[str, bytes]] = (),
    ) -> None:
        """One record a document, in the order given."""
        for index, document in enumerate(documents):
            headers = [*headers_of(document), *more_headers]
            key = document["envelope"]["request_id"].encode()
            self.produce_raw(key, codec.dumps(document), headers, topic=topic, partition=partition(index))
        self.flush()

    def produce_raw(
        self,
        key: bytes | None,
        value: bytes | None,
        headers: Sequence[tuple[str, bytes | None]],
        *,
        topic: str = INBOUND_MESSAGES,
        partition: int = 0,
    ) -> None:
        producer = self._producer()
        producer.produce(self.prefix + topic, value, key, partition=partition, headers=list(headers))
        producer.poll(0)
        if len(producer) > 10_000:
            producer.flush(20)

    def flush(self) -> None:
        self._producer().flush(20)

    def read(self, topic: str, *, partitions: int = PARTITIONS) -> list[Any]:
        """Every record of a topic, in the order of each partition."""
        reader = Consumer({"bootstrap.servers": self.bootstrap, "group.id": uuid.uuid4().hex, "log_level": 0})
        full = self.prefix + topic
        try:
            ends = {p: reader.get_watermark_offsets(TopicPartition(full, p), timeout=10) for p in range(partitions)}
            wanted = sum(high - low for low, high in ends.values())
            reader.assign([TopicPartition(full, p, low) for p, (low, high) in ends.items() if high > low])
            found: list[Any] = []
            while len(found) < wanted:
                message = reader.poll(10)
                assert message is not None, f"{full}: {len(found)} of {wanted} records came"
                assert message.error() is None
                found.append(message)
            return found
        finally:
            reader.close()

    async def commits(self, group: str = GROUP) -> Mapping[int, OffsetAndMetadata]:
        """The group's commits on the topic that the example reads, by partition."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await admin.start()
        try:
            wanted = [KafkaPartition(self.prefix + INBOUND_MESSAGES, p) for p in range(PARTITIONS)]
            found = await admin.list_consumer_group_offsets(self.prefix + group, partitions=wanted)
        finally:
            await admin.close()
        return {tp.partition: commit for tp, commit in found.items() if commit.offset >= 0}

    @contextlib.asynccontextmanager
    async def daemon(
        self, journal: Journal, *, parking: ParkingLot | None = None, slots: int = 500, **settings: Any
    ) -> AsyncIterator[Daemon]:
        """The example daemon in this process, joined, ready, and with no dead letter held back on probation."""
        ready = asyncio.Event()
        spec = example_spec(journal, slots=slots)
        daemon = build_daemon(
            spec,
            self.connections,
            RuntimeSettings(
                **{"grace_seconds": 2.0, "quick_try_wait_seconds": 0.01, "probation_records": 0, **settings}
            ),
            parking=parking or ParkingLot(),
            failpoints=Failpoints(),
            clock=SystemClock(),
            chance=Random(1),
            on_ready=ready.set,
            door=self.door(spec.name, plan_of(spec).reads),
        )
        async with _running(daemon, ready):
            yield daemon

    @contextlib.asynccontextmanager
    async def retry_daemon(self) -> AsyncIterator[Daemon]:
        """The retry daemon in this process, joined and ready."""
        ready = asyncio.Event()
        daemon = build_retry_daemon(
            self.connections,
            RuntimeSettings(),
            failpoints=Failpoints(),
            clock=SystemClock(),
            on_ready=ready.set,
            door=self.door("retry", RETRY_TIERS),
        )
        async with _running(daemon, ready):
            yield daemon

    def door(self, name: str, topics: Collection[str]) -> Door | None:
        """A daemon's way in; None for the one that it makes itself."""
        return None

    @contextlib.contextmanager
    def process(self, journal: Journal, **environment: str) -> Iterator["Process"]:
        """The example daemon as a process of its own, ready."""
        process = Process(self, journal, environment)
        try:
            process.wait_ready()
            yield process
        finally:
            process.kill()

    def _producer(self) -> Any:
        if not hasattr(self, "_made"):
            self._made = Producer({"bootstrap.servers": self.bootstrap, "acks": "all", "linger.ms": 5, "log_level": 0})
        return self._made


class Process:
    """A running example daemon."""

    def __init__(self, cluster: Cluster, journal: Journal, environment: Mapping[str, str]) -> None:
        import os

        argv = [sys.executable, "-m", "tests.conformance.runtime.example", "--journal", str(journal.path)]
        argv += ["--bootstrap", cluster.bootstrap, "--prefix", cluster.prefix]
        self._process = subprocess.Popen(
            argv,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **environment},
            cwd=Path(__file__).resolve().parents[3],
        )
        self._errors: list[bytes] = []
        self._reader = threading.Thread(target=self._collect, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def errors(self) -> str:
        return b"".join(self._errors).decode(errors="replace")

    def wait_ready(self) -> None:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line == b"ready\n", f"not ready: {line!r}\n{self.errors[-3000:]}"

    def terminate(self, seconds: float = 20.0) -> int:
        """SIGTERM; the exit code once it has ended."""
        self._process.send_signal(signal.SIGTERM)
        return self.wait(seconds)

    def wait(self, seconds: float = 20.0) -> int:
        return self._process.wait(seconds)

    def kill(self) -> None:
        """SIGKILL, if it is not ended yet."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait(10)
        self._reader.join(5)
        for stream in (self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()

    def _collect(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self._errors.append(line)


@contextlib.asynccontextmanager
async def _running(daemon: Daemon, ready: asyncio.Event) -> AsyncIterator[None]:
    await daemon.start()
    try:
        async with asyncio.timeout(20):
            await ready.wait()
        yield
    finally:
        await daemon.stop()


async def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait for a condition; TimeoutError when it does not come true."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110  what is waited for happens in other processes
            await asyncio.sleep(0.02)


def leads(count: int, command: str = "ok", *, start: int = 0) -> list[dict[str, Any]]:
    """Documents numbered from `start`."""
    return [inbound(number, command) for number in range(start, start + count)]
