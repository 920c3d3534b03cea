"""A daemon that is stuck says where, and one that is not well says why, to whoever asks its health port."""

import asyncio
import contextlib
import logging
import threading
import time
import uuid
from collections.abc import AsyncIterator, Collection, Iterator, Sequence
from random import Random
from typing import Any

import aiohttp
import pytest

from consumers.runtime.clock import SystemClock
from consumers.runtime.daemon import Daemon, build_daemon
from consumers.runtime.failpoints import Failpoints
from consumers.runtime.seam import DaemonSpec, Publication, Record
from consumers.runtime.settings import RuntimeSettings
from ops.stack.embedded_broker import EmbeddedBroker
from ops.stack.places import free_ports
from schemas.documents import Analyzed, Inbound
from schemas.topics import ANALYZED, DEAD_LETTERS, INBOUND_MESSAGES, table
from tests.conformance.runtime.cluster import Cluster, leads, until
from tests.conformance.runtime.conftest import no_more_topics
from tests.conformance.runtime.example import ParkingLot

STALL_SECONDS = 1.5
"""Longer than a busy machine may keep a loop from turning."""


class Stuck:
    """A daemon whose handler blocks the loop, or does not hear that its time is up, until it is let go."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.until = ""
        self.log: list[str] = []

    async def handle(self, record: Record[Inbound]) -> Sequence[Publication]:
        command = record.document.lead.message
        if command == "block":
            block_until(self.go)
        elif command == "deaf":
            await hear_nothing_until(self.go)
        return ()

    def spec(self) -> DaemonSpec[Inbound]:
        return DaemonSpec(
            name="stuck",
            description="Gets stuck.",
            topics={INBOUND_MESSAGES: Inbound},
            publishes={ANALYZED: Analyzed},
            handler=self.handle,
            handler_timeout=0.2,
        )

    @contextlib.asynccontextmanager
    async def running(self, cluster: Cluster) -> AsyncIterator[tuple[Daemon, str]]:
        """The daemon, and the address of its health port."""
        [port] = free_ports(1)
        daemon = build_daemon(
            self.spec(),
            cluster.connections,
            RuntimeSettings(stall_loop_seconds=STALL_SECONDS, grace_seconds=2.0, health_port=port),
            parking=ParkingLot(),
            failpoints=Failpoints(),
            clock=SystemClock(),
            chance=Random(1),
        )
        await daemon.start()
        try:
            yield daemon, f"http://127.0.0.1:{port}"
        finally:
            self.go.set()
            await daemon.stop()


def block_until(go: threading.Event) -> None:
    deadline = time.monotonic() + 30
    while not go.is_set() and time.monotonic() < deadline:
        time.sleep(0.01)


async def hear_nothing_until(go: threading.Event) -> None:
    while not go.is_set():
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(0.02)


class Listener(logging.Handler):
    """Lets the daemon go when it has told that it is stuck."""

    def __init__(self, stuck: Stuck) -> None:
        super().__init__()
        self._stuck = stuck

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        self._stuck.log.append(text)
        if self._stuck.until in text:
            self._stuck.go.set()


@pytest.fixture
def stuck() -> Iterator[Stuck]:
    made, log = Stuck(), logging.getLogger("consumers.runtime.stalls")
    listener = Listener(made)
    log.addHandler(listener)
    yield made
    log.removeHandler(listener)


@contextlib.contextmanager
def embedded(*, without: Collection[str] = ()) -> Iterator[Cluster]:
    with EmbeddedBroker((topic.name, 4) for topic in table() if topic.name not in without) as broker:
        yield Cluster(broker.bootstrap, "", no_more_topics)


async def ask(url: str) -> tuple[int, dict[str, Any]]:
    async with aiohttp.ClientSession() as http, http.get(url) as answer:
        return answer.status, await answer.json()


async def ready(url: str) -> None:
    async with asyncio.timeout(30):
        while (await ask(f"{url}/readyz"))[0] != 200:  # noqa: ASYNC110  it depends on the broker
            await asyncio.sleep(0.05)


async def test_a_handler_that_blocks_the_loop_is_named_and_the_record_is_finished_afterwards(stuck: Stuck) -> None:
    stuck.until = "block_until"
    with embedded() as cluster:
        async with stuck.running(cluster) as (daemon, url):
            await ready(url)
            await asyncio.to_thread(cluster.produce, leads(1, "block"))
            await until(lambda: daemon.metrics.value("records_total", outcome="done") == 1)
            assert daemon.metrics.value("stalls_total", kind="loop") >= 1
    assert any("stuck (loop)" in text and "block_until" in text for text in stuck.log)


async def test_a_handler_that_does_not_hear_its_cancellation_is_named(stuck: Stuck) -> None:
    stuck.until = "stuck (handler)"
    with embedded() as cluster:
        async with stuck.running(cluster) as (daemon, url):
            await ready(url)
            await asyncio.to_thread(cluster.produce, leads(1, "deaf"))
            await until(lambda: daemon.metrics.value("stalls_total", kind="handler") == 1)
    told = next(text for text in stuck.log if "stuck (handler)" in text)
    assert "hear_nothing_until" in told


@pytest.fixture(params=["embedded", pytest.param("apache", marks=pytest.mark.kafka)])
def no_dead_letters(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """Either broker, without the topic of the dead letters."""
    if request.param == "embedded":
        with embedded(without=[DEAD_LETTERS]) as cluster:
            yield cluster
        return
    kafka, prefix = request.getfixturevalue("kafka"), f"{uuid.uuid4().hex[:8]}."
    kafka.create_topics((prefix + topic.name, 2) for topic in table() if topic.name != DEAD_LETTERS)
    yield Cluster(kafka.bootstrap, prefix, no_more_topics)


async def test_a_missing_topic_keeps_it_from_being_ready_and_the_next_command_is_said(
    stuck: Stuck, no_dead_letters: Cluster
) -> None:
    async with stuck.running(no_dead_letters) as (daemon, url):
        await until(lambda: daemon.engine.settled and daemon.why_unready() is None)
        async with asyncio.timeout(30):
            while "missing" not in str((await ask(f"{url}/readyz"))[1]["reason"]):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        status, said = await ask(f"{url}/readyz")
        healthy = await ask(f"{url}/healthz")
    assert status == 503
    assert "Topics are missing: dead-letters. Run `leadbus ops topics --create`." in said["reason"]
    assert healthy == (200, {"ok": True, "reason": None})
