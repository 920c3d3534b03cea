"""What a soak runs on: a real Kafka whose data survives its kill, the store, and the house on top.

The topics have four partitions each instead of the table's twelve: one broker on a laptop has to come back from a kill
within seconds, and its time to recover grows with them.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ops.demo.run import demo_secrets
from ops.stack.house import EMBEDDED_PARTITIONS, House, HousePlan
from ops.stack.kafka import RealKafka
from ops.stack.spanner_emulator import SpannerEmulator
from schemas import topics

LEASE_SECONDS = 6.0
"""Shorter than the longest freeze, so that a process may wake up after its lease has run out."""

StoreKind = Literal["sqlite", "emulator"]


@dataclass(frozen=True, slots=True)
class Place:
    """The house and its broker, both running."""

    house: House
    broker: RealKafka


@contextlib.asynccontextmanager
async def open_place(folder: Path, tenants: Path, store: StoreKind) -> AsyncIterator[Place]:
    """Start everything in `folder`; PartUnavailable when Java, the broker's jars or the emulator are missing."""
    with contextlib.ExitStack() as stack:
        broker = RealKafka()
        stack.callback(broker.stop)
        await asyncio.to_thread(broker.start)
        stack.callback(lambda: (folder / "logs" / "broker.log").write_text(broker.log_tail(1000)))
        await asyncio.to_thread(
            broker.create_topics,
            [(topic.name, min(topic.partitions, EMBEDDED_PARTITIONS)) for topic in topics.table()],
            {topic.name: {"max.message.bytes": str(topic.max_bytes)} for topic in topics.table()},
        )
        env = {"LEADBUS_LEASE_SECONDS": str(LEASE_SECONDS)}
        store_url = None
        if store == "emulator":
            host = stack.enter_context(SpannerEmulator())
            store_url = f"spanner://leadbus/soak/soak?emulator={host}"
        plan = HousePlan(
            run_dir=folder,
            tenants_dir=tenants,
            secrets=demo_secrets(),
            kafka_bootstrap=broker.bootstrap,
            store_url=store_url,
            env=env,
        )
        async with House(plan) as house:
            await house.start()
            yield Place(house, broker)
