"""The rules daemon as production runs it, for measurements: `leadbus consumer routing` on a broker and a store.

    PartFailed   it did not come up, died, or did not decide within the time given; with the end of its log

What it decided is read from the topic `decided`: its time is the stamp that the producer gave each record.
"""

import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ops.bench.broker import Broker
from ops.bench.leads import TENANTS
from ops.bench.records import Row
from ops.stack.errors import PartFailed
from ops.stack.places import LOOPBACK, free_ports
from ops.stack.processes import ProcessSpec, Supervisor
from ops.stack.readiness import HttpReady
from schemas import topics

DAEMON = "routing"
PREFIX = "bench."
READY_SECONDS = 60.0
LONGEST_LINE = 500


@dataclass(frozen=True, slots=True)
class Way:
    """What became of one series: when each record was published to either topic, in seconds of the wall clock."""

    went_in: dict[bytes, float]
    came_out: dict[bytes, float]

    @property
    def rate(self) -> float:
        """Decided a second, from the first that was published to `analyzed`: the daemon was idle and waiting for it."""
        if not self.came_out:
            return 0.0
        seconds = max(self.came_out.values()) - min(self.went_in.values())
        return len(self.came_out) / seconds if seconds > 0 else 0.0

    @property
    def latencies(self) -> list[float]:
        """Seconds from `analyzed` to `decided`, of every record."""
        return [at - self.went_in[key] for key, at in self.came_out.items()]


class RoutingHouse:
    """Store, tenants and the daemon; use it as an async context manager."""

    def __init__(self, run_dir: Path, broker: Broker, store_url: str, prefix: str) -> None:
        self._run_dir = run_dir
        self._broker = broker
        self._store_url = store_url
        self._prefix = prefix
        self._supervisor = Supervisor(run_dir / "logs")
        self._out: Any = None

    async def __aenter__(self) -> Self:
        await self._publish_tenants()
        await self._supervisor.__aenter__()
        try:
            await self._start()
        except BaseException:
            await self._supervisor.__aexit__(*sys.exc_info())
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._out is not None:
            self._out.close()
        await self._supervisor.__aexit__(kind, error, trace)

    def cpu_seconds(self) -> float | None:
        """User and system time of the daemon so far; None where the system does not tell."""
        try:
            fields = Path(f"/proc/{self._supervisor.pid(DAEMON)}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return None
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def send(self, rows: Sequence[Row], *, a_second: float | None = None, max_seconds: float = 120.0) -> Way:
        """Publish a series to `analyzed`, all at once or paced, and wait until each is decided; raises PartFailed."""
        from confluent_kafka import Producer

        went_in: dict[bytes, float] = {}

        def told(error: Any, message: Any) -> None:
            if error is not None:
                raise PartFailed(f"{self._prefix}{topics.ANALYZED} did not take a record: {error}")
            went_in[message.key()] = message.timestamp()[1] / 1000

        settings = {"bootstrap.servers": self._broker.bootstrap, "linger.ms": 0 if a_second else 5, "log_level": 0}
        producer = Producer({**settings, "queue.buffering.max.messages": 1_000_000})
        began = time.monotonic()
        for number, (key, value, headers) in enumerate(rows):
            if a_second is not None:
                time.sleep(max(0.0, began + number / a_second - time.monotonic()))
            producer.produce(
                self._prefix + topics.ANALYZED, value=value, key=key, headers=list(headers), on_delivery=told
            )
            producer.poll(0)
        producer.flush(30.0)
        return Way(went_in, self._decided({key for key, _, _ in rows}, max_seconds))

    def _decided(self, wanted: set[bytes], max_seconds: float) -> dict[bytes, float]:
        found: dict[bytes, float] = {}
        deadline = time.monotonic() + max_seconds
        while len(found) < len(wanted):
            if time.monotonic() > deadline or DAEMON not in self._supervisor.running:
                missing = len(wanted) - len(found)
                tail = "\n".join(line[:LONGEST_LINE] for line in self._supervisor.tail(DAEMON).splitlines())
                raise PartFailed(f"{missing} of {len(wanted)} leads were not decided\n{tail}")
            for message in self._out.consume(1_000, 0.2):
                if message.error() is None and message.key() in wanted:
                    found.setdefault(message.key(), message.timestamp()[1] / 1000)
        return found

    async def _publish_tenants(self) -> None:
        from connectors.store.opening import open_store
        from ops.tenants import publish_folder

        store = open_store(self._store_url, create=True)
        try:
            await store.migrate()
            for folder in sorted(path for path in TENANTS.iterdir() if (path / "tenant.yaml").is_file()):
                await publish_folder(store, folder)
        finally:
            await store.close()

    async def _start(self) -> None:
        from confluent_kafka import Consumer, TopicPartition

        [port] = free_ports(1)
        env = {
            "LEADBUS_KAFKA_BOOTSTRAP": self._broker.bootstrap,
            "LEADBUS_TOPIC_PREFIX": self._prefix,
            "LEADBUS_STORE_URL": self._store_url,
            "LEADBUS_OBJECTS_URL": f"file://{self._run_dir.resolve()}",
            "LEADBUS_HEALTH_PORT": str(port),
        }
        argv = [sys.executable, "-m", "ops.cli", "consumer", DAEMON]
        ready = HttpReady(f"http://{LOOPBACK}:{port}/readyz", seconds=READY_SECONDS)
        await self._supervisor.start(ProcessSpec(DAEMON, argv, env, ready))
        out = self._prefix + topics.DECIDED
        self._out = Consumer(
            {
                "bootstrap.servers": self._broker.bootstrap,
                "group.id": "bench-onlooker",
                "enable.auto.commit": False,
                "log_level": 0,
            }
        )
        partitions = self._out.list_topics(out, timeout=10.0).topics[out].partitions
        # From the beginning: nothing was decided before.
        self._out.assign([TopicPartition(out, number, 0) for number in partitions])
