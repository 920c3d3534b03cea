"""The embedded broker serves the real clients the way the daemons and the gateway use them."""

import asyncio
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from confluent_kafka import Producer

from ops.stack.embedded_broker import EmbeddedBroker
from ops.stack.errors import PartFailed

TOPIC = "calls"
PARTITIONS = 12
OTHERS = [(f"other-{number}", 6) for number in range(25)]
LARGEST_RECORD = 900 * 1024


@pytest.fixture(scope="module")
def broker() -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker([(TOPIC, PARTITIONS), ("single", 1), ("ring", 1), *OTHERS]) as running:
        yield running


def publish(bootstrap: str, topic: str, values: list[bytes], partition: int = 0) -> list[object]:
    """The errors of the delivery reports, one per value, None for a delivered one."""
    reports: list[object] = []
    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "acks": "all",
            "enable.idempotence": True,
            "message.max.bytes": 3_000_000,
            "log_level": 0,
        }
    )
    for value in values:
        producer.produce(
            topic, value, key=b"k", partition=partition, on_delivery=lambda error, _: reports.append(error)
        )
    producer.flush(20)
    return reports


def consumer(bootstrap: str, topic: str, group: str) -> AIOKafkaConsumer:
    return AIOKafkaConsumer(
        topic,
        bootstrap_servers=bootstrap,
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        session_timeout_ms=6000,
        heartbeat_interval_ms=1000,
    )


def test_every_topic_has_the_partitions_it_was_given(broker: EmbeddedBroker) -> None:
    topics = Producer({"bootstrap.servers": broker.bootstrap, "log_level": 0}).list_topics(timeout=5).topics
    wanted = {TOPIC: PARTITIONS, "single": 1, "ring": 1, **dict(OTHERS)}
    assert {name: len(topic.partitions) for name, topic in topics.items()} == wanted


async def test_a_group_is_assigned_reads_the_largest_record_and_finds_its_commit_and_metadata_again(
    broker: EmbeddedBroker,
) -> None:
    group, first = uuid.uuid4().hex, TopicPartition(TOPIC, 3)
    assert publish(broker.bootstrap, TOPIC, [b"x" * LARGEST_RECORD, b"second"], first.partition) == [None, None]

    reader = consumer(broker.bootstrap, TOPIC, group)
    await reader.start()
    record = await asyncio.wait_for(reader.getone(), 10)
    assigned = reader.assignment()
    await reader.commit({first: (record.offset + 1, "1:bitmap")})
    await reader.stop()
    again = consumer(broker.bootstrap, TOPIC, group)
    await again.start()
    next_record = await asyncio.wait_for(again.getone(), 10)
    await again.stop()
    admin = AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap)
    await admin.start()
    stored = await admin.list_consumer_group_offsets(group, partitions=[first])
    await admin.close()

    assert len(assigned) == PARTITIONS
    assert len(record.value) == LARGEST_RECORD
    assert next_record.value == b"second"
    assert (stored[first].offset, stored[first].metadata) == (record.offset + 1, "1:bitmap")


READER = """
import asyncio, sys
from aiokafka import AIOKafkaConsumer, TopicPartition
async def main():
    reader = AIOKafkaConsumer("single", bootstrap_servers=sys.argv[1], group_id=sys.argv[2], session_timeout_ms=6000,
        heartbeat_interval_ms=1000, enable_auto_commit=False, auto_offset_reset="earliest")
    await reader.start()
    record = await reader.getone()
    if sys.argv[3] == "hold":
        await reader.commit({TopicPartition("single", 0): record.offset + 1})
    print(record.value.decode(), flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""


def test_a_consumer_that_was_killed_is_replaced_from_its_last_commit(broker: EmbeddedBroker) -> None:
    group = uuid.uuid4().hex
    assert publish(broker.bootstrap, "single", [b"first", b"second"]) == [None, None]
    seen = []
    for role in ("hold", "replace"):
        reader = subprocess.Popen(
            [sys.executable, "-c", READER, broker.bootstrap, group, role],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        with reader:
            assert reader.stdout is not None
            seen.append(reader.stdout.readline().strip())
            reader.kill()
    assert seen == ["first", "second"]


def test_a_full_partition_drops_its_oldest_records_which_is_why_no_promise_is_tested_here(
    broker: EmbeddedBroker,
) -> None:
    from confluent_kafka import Consumer
    from confluent_kafka import TopicPartition as Partition

    assert publish(broker.bootstrap, "ring", [b"x" * 500_000] * 20) == [None] * 20
    client = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": "g", "log_level": 0})
    low, high = client.get_watermark_offsets(Partition("ring", 0), timeout=5)
    client.close()
    assert high == 20
    assert 5 <= low < 15


def test_a_second_start_while_running_is_refused_and_a_stop_frees_the_port(broker: EmbeddedBroker) -> None:
    with pytest.raises(PartFailed, match="running already"):
        broker.start()
    own = EmbeddedBroker([])
    own.start()
    pid = own.pid
    own.stop()
    own.stop()
    assert not is_alive(pid)


OWNER = """
import pathlib, sys, time
from ops.stack.embedded_broker import EmbeddedBroker
broker = EmbeddedBroker([("calls", 1)], run_dir=pathlib.Path(sys.argv[1]))
broker.start()
print(broker.pid, flush=True)
time.sleep(60)
"""


def test_the_broker_ends_when_its_owner_is_killed(tmp_path: Path) -> None:
    owner = subprocess.Popen([sys.executable, "-c", OWNER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    with owner:
        assert owner.stdout is not None
        pid = int(owner.stdout.readline())
        assert is_alive(pid)
        os.kill(owner.pid, signal.SIGKILL)
    deadline = time.monotonic() + 15
    while is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_alive(pid)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # An orphan may stay a zombie where nothing reaps it.
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return sys.platform != "linux"
