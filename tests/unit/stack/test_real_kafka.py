"""Apache Kafka on this machine: what a fault test relies on."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition

from ops.stack.errors import PartFailed
from ops.stack.kafka import RealKafka


@pytest.fixture(scope="module")
def broker() -> Iterator[RealKafka]:
    """One of its own, because these tests kill it."""
    with RealKafka() as running:
        yield running


def publish(bootstrap: str, topic: str, value: bytes) -> KafkaError | None:
    reports: list[KafkaError | None] = []
    producer = Producer({"bootstrap.servers": bootstrap, "acks": "all", "message.max.bytes": 5_000_000, "log_level": 0})
    producer.produce(topic, value, partition=0, on_delivery=lambda error, _: reports.append(error))
    producer.flush(30)
    return reports[0]


def read(bootstrap: str, topic: str, count: int) -> list[bytes]:
    reader = Consumer({"bootstrap.servers": bootstrap, "group.id": "readers", "log_level": 0})
    reader.assign([TopicPartition(topic, 0, 0)])
    records = reader.consume(count, timeout=30)
    reader.close()
    return [record.value() or b"" for record in records]


@pytest.mark.kafka
def test_acknowledged_records_and_the_address_survive_a_kill(broker: RealKafka) -> None:
    broker.create_topics([("kept", 12)])
    address = broker.bootstrap
    assert publish(address, "kept", b"before") is None
    broker.kill()
    assert not broker.running
    assert broker.start() == address
    assert publish(address, "kept", b"after") is None
    assert read(address, "kept", 2) == [b"before", b"after"]


@pytest.mark.kafka
def test_topics_get_their_partitions_and_configuration_and_none_appears_by_itself(broker: RealKafka) -> None:
    broker.create_topics([("wide", 7), ("small", 1)], {"small": {"max.message.bytes": "1000"}})
    broker.create_topics([("wide", 7)])
    client = Producer({"bootstrap.servers": broker.bootstrap, "log_level": 0})
    assert len(client.list_topics(timeout=5).topics["wide"].partitions) == 7
    refused = publish(broker.bootstrap, "small", b"x" * 2000)
    assert refused is not None
    assert refused.code() == KafkaError.MSG_SIZE_TOO_LARGE
    assert client.list_topics("never-made", timeout=5).topics["never-made"].error is not None
    assert "never-made" not in client.list_topics(timeout=5).topics


@pytest.mark.kafka
def test_a_dead_letter_of_two_mebibytes_passes_and_more_is_refused(broker: RealKafka) -> None:
    broker.create_topics([("dead", 1)])
    assert publish(broker.bootstrap, "dead", b"x" * (2 * 1024 * 1024)) is None
    refused = publish(broker.bootstrap, "dead", b"x" * (3 * 1024 * 1024))
    assert refused is not None
    assert refused.code() == KafkaError.MSG_SIZE_TOO_LARGE


@pytest.mark.kafka
def test_a_topic_that_kafka_refuses_is_named(broker: RealKafka) -> None:
    with pytest.raises(PartFailed, match="'no/such name'"):
        broker.create_topics([("no/such name", 1)])


@pytest.mark.kafka
def test_two_processes_that_fetch_at_once_end_with_one_whole_folder(tmp_path: Path) -> None:
    script = "import sys, pathlib; from ops.stack.kafka_jars import fetch; print(fetch(pathlib.Path(sys.argv[1])))"
    both = [
        subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    folders = {process.communicate(timeout=120)[0].strip() for process in both}
    assert len(folders) == 1
    assert [process.returncode for process in both] == [0, 0]
    assert [str(entry) for entry in tmp_path.iterdir()] == list(folders)


def without_tools(code: str, tmp_path: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], env={"PATH": str(tmp_path), "LEADBUS_CACHE": str(tmp_path)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout


def test_a_machine_without_java_is_told_what_to_install(tmp_path: Path) -> None:
    said = without_tools("from ops.stack.kafka_jars import why_not; print(why_not())", tmp_path)
    assert "openjdk-17-jre-headless" in said


def test_a_machine_without_maven_is_told_what_to_install(tmp_path: Path) -> None:
    java = tmp_path / "java"
    java.write_text("#!/bin/sh\necho 'openjdk version \"21.0.2\" 2024-01-16' >&2\n")
    java.chmod(0o755)
    said = without_tools("from ops.stack.kafka_jars import why_not; print(why_not())", tmp_path)
    assert "apt-get install maven" in said


def test_an_old_java_is_refused(tmp_path: Path) -> None:
    java = tmp_path / "java"
    java.write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\" 2019-01-15' >&2\n")
    java.chmod(0o755)
    said = without_tools("from ops.stack.kafka_jars import why_not; print(why_not())", tmp_path)
    assert "is older" in said


def test_a_folder_that_is_already_whole_is_taken_without_maven(tmp_path: Path) -> None:
    code = (
        "from ops.stack.kafka_jars import ARTIFACTS, fetch, KAFKA_VERSION\n"
        "from ops.stack.places import cache_dir\n"
        "folder = cache_dir() / f'kafka-{KAFKA_VERSION}'; folder.mkdir()\n"
        "[(folder / f'{name}-{version}.jar').touch() for _, name, version in ARTIFACTS]\n"
        "print(fetch() == folder)"
    )
    assert without_tools(code, tmp_path).strip() == "True"
