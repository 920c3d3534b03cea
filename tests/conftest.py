"""The parts that tests share: brokers, the Spanner emulator, a browser. Each is started by the first test that asks.

A test says by a marker (`kafka`, `spanner`, `browser`) that it needs a part which not every machine has; see
`tests.parts.requirements` for what becomes of it when the part is missing. Whoever kills a shared part starts it
again before its test ends.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.parts.requirements import Requirements

if TYPE_CHECKING:
    from ops.stack.embedded_broker import EmbeddedBroker
    from ops.stack.kafka import RealKafka

PLUGIN = "leadbus-requirements"


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Requirements.from_environment(), PLUGIN)


@pytest.fixture(scope="session")
def requirements(pytestconfig: pytest.Config) -> Requirements:
    found = pytestconfig.pluginmanager.get_plugin(PLUGIN)
    assert isinstance(found, Requirements)
    return found


@pytest.fixture(scope="session")
def kafka(requirements: Requirements) -> Iterator["RealKafka"]:
    """A running Apache Kafka without topics: each test creates its own, under names of its own."""
    from ops.stack.errors import PartUnavailable
    from ops.stack.kafka import RealKafka

    broker = RealKafka()
    try:
        broker.start()
    except PartUnavailable as error:
        requirements.missing("kafka", str(error))
    yield broker
    broker.stop()


@pytest.fixture(scope="session")
def embedded_broker() -> Iterator["EmbeddedBroker"]:
    """A running embedded broker with every topic of the house; tests that need an empty one start their own."""
    from ops.stack.embedded_broker import EmbeddedBroker
    from schemas.topics import table

    with EmbeddedBroker((topic.name, topic.partitions) for topic in table()) as broker:
        yield broker


@pytest.fixture(scope="session")
def spanner_emulator(requirements: Requirements) -> Iterator[str]:
    """host:port of a running Spanner emulator without instances: each test makes its own database."""
    from ops.stack.errors import PartUnavailable
    from ops.stack.spanner_emulator import SpannerEmulator

    emulator = SpannerEmulator()
    try:
        host = emulator.start()
    except PartUnavailable as error:
        requirements.missing("spanner", str(error))
    yield host
    emulator.stop()


@pytest.fixture(scope="session")
def chromium_path(requirements: Requirements) -> Path:
    """The browser's binary, to be started headless and, as root, with --no-sandbox."""
    from tests.parts.chromium import find_chromium, why_not

    found = find_chromium()
    if found is None:
        requirements.missing("browser", str(why_not()))
    return found
