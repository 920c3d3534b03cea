"""Daemons: the real parts of the runtime, plugged together around a daemon's spec.

`run_daemon` runs one until SIGTERM or SIGINT; `build_app` gives the FastStream application alone, unconnected, for
AsyncAPI. A stop drains within the grace time, commits, leaves the group, and then flushes the producer.
"""

import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

from aiokafka import ConsumerRecord, TopicPartition

from connectors.settings import ConnectionSettings
from consumers.runtime.client import Arrival
from consumers.runtime.clock import Clock
from consumers.runtime.engine import Engine, LaneOf, Process
from consumers.runtime.failpoints import Failpoints
from consumers.runtime.health import HealthServer
from consumers.runtime.intake import Intake
from consumers.runtime.kafka_client import KafkaConsumer, KafkaPublisher
from consumers.runtime.metrics import Metrics
from consumers.runtime.outcomes import Outcomes, Parking
from consumers.runtime.publishing import Publishing
from consumers.runtime.seam import D, DaemonSpec
from consumers.runtime.settings import RuntimeSettings

if TYPE_CHECKING:
    from faststream import FastStream

log = logging.getLogger(__name__)

SILENT_WATCHES = 3
"""Look-ups of the logs' ends that may go unanswered in a row before the daemon is not ready."""


class DaemonBroken(Exception):
    """The daemon stopped because of a fault of ours; what it had not finished is still open."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a daemon reads and publishes, in topics without prefix, and how many records it works on at a time."""

    name: str
    description: str
    reads: Mapping[str, type]
    publishes: Mapping[str, type]
    slots: int
    lane_of: LaneOf


def group_of(name: str, prefix: str) -> str:
    """The consumer group of a daemon."""
    return f"{prefix}leadbus.{name}"


class Daemon:
    """A daemon's parts. `start` and `stop` for a process that runs other things too; `run` until a signal comes."""

    def __init__(
        self,
        plan: Plan,
        connections: ConnectionSettings,
        settings: RuntimeSettings,
        *,
        clock: Clock,
        metrics: Metrics,
        on_ready: Callable[[], None] | None = None,
    ) -> None:
        self._plan = plan
        self._settings = settings
        self._clock = clock
        self._on_ready = on_ready
        self.metrics = metrics
        self.group = group_of(plan.name, connections.topic_prefix)
        self.intake = _intake(plan, connections.kafka_bootstrap, connections.topic_prefix, settings, sink=self)
        self._consumer = KafkaConsumer(
            self.intake.client, connections.kafka_bootstrap, self.group, connections.topic_prefix
        )
        self._publisher = KafkaPublisher(
            connections.kafka_bootstrap,
            prefix=connections.topic_prefix,
            client_id=self.group,
            timeout_ms=settings.publish_timeout_ms,
        )
        self.publishing = Publishing(self._publisher, settings=settings, clock=clock, metrics=metrics)
        self._health = HealthServer(self, settings.health_host, settings.health_port) if settings.health_port else None
        self._engine: Engine | None = None

    def work_with(self, process: Process) -> None:
        """Say what is done with a record; before `start`."""
        self._engine = Engine(
            self._consumer,
            process,
            slots=self._settings.slots or self._plan.slots,
            lane_of=self._plan.lane_of,
            settings=self._settings,
            clock=self._clock,
            metrics=self.metrics,
            on_ready=self._on_ready,
            on_broken=self.intake.app.exit,
        )
        app = self.intake.app
        app.on_startup(self._before)
        app.on_shutdown(self.engine.drain)
        app.after_shutdown(self._after)

    @property
    def engine(self) -> Engine:
        """What works; RuntimeError before `work_with`."""
        if self._engine is None:
            raise RuntimeError("the daemon was not told what to do with a record")
        return self._engine

    async def run(self) -> None:
        """Run until SIGTERM or SIGINT; raises DaemonBroken when it had to stop by itself."""
        await self.intake.app.run()
        if self.engine.broken is not None:
            raise DaemonBroken(self.engine.broken)

    async def start(self) -> None:
        """Join the group and return once it has given this member its share."""
        await self.intake.app.start()

    async def stop(self) -> None:
        """Drain, commit, leave the group."""
        await self.intake.app.stop()

    def accept(self, record: ConsumerRecord) -> None:
        self.engine.accept(self._consumer.arrival(record))

    async def revoked(self) -> None:
        await self.engine.revoked()

    def assigned(self, partitions: Collection[TopicPartition]) -> None:
        self.engine.assigned(self._consumer.partitions(partitions))

    def why_unhealthy(self) -> str | None:
        return self.engine.broken

    def why_unready(self) -> str | None:
        if self.engine.broken is not None:
            return self.engine.broken
        if not self.engine.settled:
            return "no partitions assigned and placed yet, or stopping"
        answered = self.engine.answered_at
        limit = SILENT_WATCHES * self._settings.watch_interval_seconds
        if answered is None or self._clock.monotonic() - answered > limit:
            return f"the broker has not answered for {limit:g} s"
        return None

    def metrics_text(self) -> bytes:
        self.engine.measure()
        return self.metrics.text()

    async def _before(self) -> None:
        await self._publisher.start()
        if self._health is not None:
            await self._health.start()
        self.engine.start()

    async def _after(self) -> None:
        await self._publisher.stop()
        await self._consumer.close()
        if self._health is not None:
            await self._health.stop()


def build_daemon(
    spec: DaemonSpec[D],
    connections: ConnectionSettings,
    settings: RuntimeSettings,
    *,
    parking: Parking,
    failpoints: Failpoints,
    clock: Clock,
    chance: Random | None = None,
    on_ready: Callable[[], None] | None = None,
) -> Daemon:
    """The daemon of a spec, not started."""
    metrics = Metrics.create()
    daemon = Daemon(_plan(spec), connections, settings, clock=clock, metrics=metrics, on_ready=on_ready)
    outcomes = Outcomes(
        spec,
        group=daemon.group,
        publishing=daemon.publishing,
        parking=parking,
        settings=settings,
        clock=clock,
        chance=chance or Random(),
        metrics=metrics,
        failpoints=failpoints,
    )
    daemon.work_with(outcomes.process)
    return daemon


async def run_daemon(
    spec: DaemonSpec[D],
    connections: ConnectionSettings,
    settings: RuntimeSettings,
    *,
    parking: Parking,
    failpoints: Failpoints,
    clock: Clock,
    on_ready: Callable[[], None] | None = None,
) -> None:
    """Run a daemon until SIGTERM. `on_ready` is called once, when every assigned partition has its place."""
    await build_daemon(
        spec, connections, settings, parking=parking, failpoints=failpoints, clock=clock, on_ready=on_ready
    ).run()


def build_app(spec: DaemonSpec[D], *, topic_prefix: str = "", bootstrap: str = "kafka:9092") -> "FastStream":
    """The application for AsyncAPI; it connects to nothing."""
    return describe(_plan(spec), topic_prefix=topic_prefix, bootstrap=bootstrap)


def describe(plan: Plan, *, topic_prefix: str, bootstrap: str) -> "FastStream":
    """The application of a plan, without anybody to take its records."""
    return _intake(plan, bootstrap, topic_prefix, RuntimeSettings(), sink=None).app


def _plan(spec: DaemonSpec[D]) -> Plan:
    def by_key(arrival: Arrival) -> object:
        return None if arrival.key is None else (arrival.partition, arrival.key)

    return Plan(
        name=spec.name,
        description=spec.description,
        reads=spec.topics,
        publishes=spec.publishes,
        slots=spec.slots,
        lane_of=by_key if spec.ordered_by_key else lambda arrival: None,
    )


def _intake(plan: Plan, bootstrap: str, prefix: str, settings: RuntimeSettings, *, sink: Daemon | None) -> Intake:
    return Intake(
        sink,
        name=plan.name,
        description=plan.description,
        reads={prefix + topic: document for topic, document in plan.reads.items()},
        publishes={prefix + topic: document for topic, document in plan.publishes.items()},
        group=group_of(plan.name, prefix),
        bootstrap=bootstrap,
        settings=settings,
    )
