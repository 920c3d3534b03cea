"""The whole house under test, on the embedded parts and on the real ones."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from ops.demo.run import demo_secrets
from ops.stack.house import House, HousePlan
from ops.stack.kafka import RealKafka
from ops.topics import create_topics

AT_ONCE = {"LEADBUS_PROBATION_RECORDS": "0"}
"""So few leads come in a test that daemons would be on probation all the time, and hold their dead letters."""
TENANTS = Path(__file__).resolve().parents[2] / "rules" / "tenants"
PREFIX = "e2e."


def embedded_plan(folder: Path) -> HousePlan:
    """Everything embedded: librdkafka's mock cluster and SQLite."""
    return HousePlan(run_dir=folder, tenants_dir=TENANTS, secrets=demo_secrets(), env=AT_ONCE)


def real_plan(folder: Path, kafka: RealKafka, spanner: str) -> HousePlan:
    """Apache Kafka and the Spanner emulator."""
    create_topics(kafka.bootstrap, prefix=PREFIX, replication=1)
    return HousePlan(
        run_dir=folder,
        tenants_dir=TENANTS,
        secrets=demo_secrets(),
        env=AT_ONCE,
        kafka_bootstrap=kafka.bootstrap,
        topic_prefix=PREFIX,
        store_url=f"spanner://leadbus/e2e/day?emulator={spanner}",
    )


@pytest_asyncio.fixture(
    scope="module",
    loop_scope="module",
    params=["embedded", pytest.param("real", marks=[pytest.mark.kafka, pytest.mark.spanner])],
)
async def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """A running house, one per kind of parts."""
    folder = tmp_path_factory.mktemp(f"house-{request.param}")
    if request.param == "embedded":
        plan = embedded_plan(folder)
    else:
        plan = real_plan(folder, request.getfixturevalue("kafka"), request.getfixturevalue("spanner_emulator"))
    async with House(plan) as running:
        await running.start()
        yield running
