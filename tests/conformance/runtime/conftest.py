"""The brokers that the runtime must work on."""

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ops.stack.embedded_broker import EmbeddedBroker
from tests.conformance.runtime.cluster import Cluster, topics_of
from tests.conformance.runtime.example import Journal
from tests.conformance.runtime.memory_cluster import MemoryCluster

if TYPE_CHECKING:
    from ops.stack.kafka import RealKafka


def real_cluster(kafka: "RealKafka") -> Cluster:
    """Topics of its own on the shared Apache Kafka."""
    prefix = f"{uuid.uuid4().hex[:8]}."
    kafka.create_topics(topics_of(prefix))
    return Cluster(kafka.bootstrap, prefix, lambda name, partitions: kafka.create_topics([(name, partitions)]))


def no_more_topics(name: str, partitions: int) -> None:
    raise AssertionError("the embedded broker takes its topics at its start")


APACHE = pytest.param("apache", marks=pytest.mark.kafka)


@pytest.fixture(params=["embedded", APACHE])
def networked(request: pytest.FixtureRequest) -> Cluster:
    """Each broker that other processes reach, with empty topics."""
    found: Cluster = request.getfixturevalue(request.param)
    return found


@pytest.fixture(params=["memory", "embedded", APACHE])
def cluster(request: pytest.FixtureRequest) -> Cluster:
    """Each broker, with empty topics."""
    found: Cluster = request.getfixturevalue(request.param)
    return found


@pytest.fixture(params=["memory", "embedded"])
def light(request: pytest.FixtureRequest) -> Cluster:
    """Each broker that starts at once: for what does not hang on the broker at all."""
    found: Cluster = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def memory() -> Cluster:
    """The broker in memory, with empty topics."""
    return MemoryCluster()


@pytest.fixture
def embedded() -> Iterator[Cluster]:
    """The embedded broker, with empty topics."""
    with EmbeddedBroker(topics_of("")) as broker:
        yield Cluster(broker.bootstrap, "", no_more_topics)


@pytest.fixture
def apache(kafka: "RealKafka") -> Cluster:
    """Apache Kafka, with empty topics."""
    return real_cluster(kafka)


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "journal.jsonl")
