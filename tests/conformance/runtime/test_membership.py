"""Members come and go, and keep what they had."""

import asyncio
import json
import socket
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Collection

import pytest

from consumers.retry import build_retry_app
from consumers.runtime.client import Door
from consumers.runtime.clock import SystemClock
from consumers.runtime.daemon import build_app, build_daemon
from consumers.runtime.failpoints import Failpoints
from consumers.runtime.memory_door import MemoryDoor
from consumers.runtime.settings import RuntimeSettings
from tests.conformance.runtime.cluster import Cluster, leads, until
from tests.conformance.runtime.example import Journal, ParkingLot, example_spec
from tests.conformance.runtime.memory_cluster import MemoryCluster


def answer(port: int, path: str) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


class MuteParting(MemoryDoor):
    """Never gets an answer when it leaves."""

    async def leave(self) -> None:
        await asyncio.Event().wait()


class MutePartingCluster(MemoryCluster):
    """Its doors are like that."""

    def door(self, name: str, topics: Collection[str]) -> Door:
        return MuteParting(self.broker, f"leadbus.{name}", topics)


@pytest.mark.kafka
async def test_a_second_member_that_joins_and_leaves_loses_nothing_and_reruns_at_most_a_seconds_work(
    apache: Cluster, journal: Journal
) -> None:
    slots, seconds = 20, 0.3
    a_seconds_work = round(slots / seconds)
    apache.produce(leads(400, f"sleep {seconds}"))
    with apache.process(journal, LEADBUS_SLOTS=str(slots)) as first:
        await until(lambda: len(journal.numbers("end")) >= 60)
        with apache.process(journal, LEADBUS_SLOTS=str(slots)) as second:
            await until(lambda: sum(line["pid"] == second.pid for line in journal.lines("end")) >= 40)
            assert second.terminate() == 0, second.errors
        await until(lambda: len(set(journal.numbers("end"))) == 400, 60)
        assert first.terminate() == 0, first.errors
    starts, ends = Counter(journal.numbers("start")), Counter(journal.numbers("end"))
    assert set(ends) == set(range(400))
    # The first commits when the group begins to share out anew. What it finishes until that is done, in partitions that
    # it loses, is run again by the second; so is what it was working on then.
    finished_twice = [number for number, times in ends.items() if times > 1]
    assert len(finished_twice) <= a_seconds_work
    assert sum(starts.values()) - 400 <= a_seconds_work + slots
    assert {p: c.offset for p, c in (await apache.commits()).items()} == dict.fromkeys(range(4), 100)


async def test_the_window_pauses_a_partition_and_goes_on_without_loss(cluster: Cluster, journal: Journal) -> None:
    cluster.produce(leads(300, "sleep 0.02"), partition=lambda _: 0)
    async with cluster.daemon(journal, window=20, slots=10) as daemon:
        held = 0
        while len(journal.numbers("end")) < 300:
            daemon.engine.measure()
            held += daemon.metrics.value("paused_partitions") > 0
            assert daemon.metrics.value("records_waiting") + daemon.metrics.value("records_in_flight") <= 20
            await asyncio.sleep(0.02)
    assert held > 0
    assert Counter(journal.numbers("start")) == Counter(range(300))


async def test_a_stop_does_not_wait_for_a_broker_that_does_not_answer(
    journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    cluster = MutePartingCluster()
    cluster.produce(leads(3))
    async with asyncio.timeout(20):
        async with cluster.daemon(journal, parting_seconds=0.05):
            await until(lambda: len(journal.numbers("end")) == 3)
        commits = await cluster.commits()
    assert sum(commit.offset for commit in commits.values()) == 3
    assert "leaving the group took longer than 0.05 s and was given up" in caplog.text


async def test_health_tells_alive_ready_and_numbers(light: Cluster, journal: Journal) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    async with light.daemon(journal, health_port=port, watch_interval_seconds=0.1):
        light.produce(leads(3))
        await until(lambda: len(journal.numbers("end")) == 3)
        assert (await asyncio.to_thread(answer, port, "/healthz"))[0] == 200
        async with asyncio.timeout(5):
            while (await asyncio.to_thread(answer, port, "/readyz"))[0] != 200:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        status, body = await asyncio.to_thread(answer, port, "/metrics")
        assert status == 200
        assert b'leadbus_records_total{outcome="done"} 3.0' in body
    with pytest.raises(urllib.error.URLError):
        answer(port, "/healthz")


async def test_a_member_without_partitions_placed_is_alive_but_not_ready(journal: Journal) -> None:
    nowhere = Cluster("127.0.0.1:9", "", lambda name, partitions: None)
    daemon = build_daemon(
        example_spec(journal),
        nowhere.connections,
        RuntimeSettings(),
        parking=ParkingLot(),
        failpoints=Failpoints(),
        clock=SystemClock(),
    )
    assert daemon.why_unhealthy() is None
    assert daemon.why_unready() is not None


def test_the_application_describes_its_topics_and_documents_without_a_broker(journal: Journal) -> None:
    document = json.loads(build_app(example_spec(journal), topic_prefix="x.").schema.to_specification().to_json())
    addresses = {channel["address"] for channel in document["channels"].values()}
    assert addresses == {"x.inbound.messages", "x.inbound.messages.overflow", "x.analyzed"}
    assert {"Inbound", "Analyzed", "Envelope"} <= document["components"]["schemas"].keys()
    retry = json.loads(build_retry_app().schema.to_specification().to_json())
    assert "retry.10s" in {channel["address"] for channel in retry["channels"].values()}
