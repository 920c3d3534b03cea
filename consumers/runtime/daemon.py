"""Daemons: the real parts of the runtime, plugged together around a daemon's spec.

`run_daemon` runs one until SIGTERM or SIGINT; `build_app` gives the FastStream application alone, unconnected, for
AsyncAPI.
"""

from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING

from connectors.settings import ConnectionSettings
from connectors.tracing import open_tracing
from consumers.runtime.client import Arrival, Door
from consumers.runtime.clock import Clock
from consumers.runtime.failpoints import Failpoints
from consumers.runtime.health import HealthServer
from consumers.runtime.holding import Holding
from consumers.runtime.kafka_door import KafkaDoor
from consumers.runtime.lifecycle import Daemon, DaemonBroken, Plan
from consumers.runtime.metrics import Metrics
from consumers.runtime.outcomes import Outcomes
from consumers.runtime.overflow import Diversions
from consumers.runtime.parking import Parking, ParkingAttendant
from consumers.runtime.seam import D, DaemonSpec
from consumers.runtime.settings import RuntimeSettings
from consumers.runtime.stalls import Stalls
from consumers.runtime.topic_check import KafkaTopics, TopicCheck, needed
from consumers.runtime.tracing import RecordSpans
from schemas.topics import has_overflow, overflow

if TYPE_CHECKING:
    from faststream import FastStream

__all__ = ["Daemon", "DaemonBroken", "build_app", "build_daemon", "group_of", "open_daemon", "plan_of", "run_daemon"]

HELD_PART = 4
"""Part of a window that failing records may take while it is not decided what becomes of them: a quarter."""


def group_of(name: str, prefix: str) -> str:
    """The consumer group of a daemon."""
    return f"{prefix}leadbus.{name}"


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
    door: Door | None = None,
) -> Daemon:
    """The daemon of a spec, not started. Without a `door` it goes to the Kafka that `connections` name."""
    plan, metrics = plan_of(spec), Metrics.create()
    daemon = open_daemon(plan, connections, settings, clock=clock, metrics=metrics, on_ready=on_ready, door=door)
    holding = Holding(
        settings,
        name=spec.name,
        room=max(settings.window // HELD_PART, 1),
        clock=clock,
        metrics=metrics,
        halt=lambda message: daemon.engine.halt(message),
        pardon=lambda: daemon.engine.pardon(),
    )
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
        holding=holding,
    )
    attendant = ParkingAttendant(
        parking, stage=spec.name, group=daemon.group, settings=settings, clock=clock, metrics=metrics
    )
    daemon.work_with(
        outcomes.process,
        together=outcomes.together if spec.batch_handler is not None else None,
        elsewhere=Diversions(holding, attendant, group=daemon.group, publishing=daemon.publishing),
        on_halted=holding.on_halted,
    )
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


def open_daemon(
    plan: Plan,
    connections: ConnectionSettings,
    settings: RuntimeSettings,
    *,
    clock: Clock,
    metrics: Metrics,
    on_ready: Callable[[], None] | None = None,
    door: Door | None = None,
) -> Daemon:
    """A daemon that was not told yet what to do with a record, with what runs beside the work."""
    group = group_of(plan.name, connections.topic_prefix)
    topics: TopicCheck | None = None
    if door is None:
        asked = KafkaTopics(connections.kafka_bootstrap, prefix=connections.topic_prefix, client_id=group)
        topics = TopicCheck(asked, needed(plan.reads, plan.publishes), clock=clock)
        door = _kafka_door(plan, connections.kafka_bootstrap, connections.topic_prefix, settings)
    tracing = open_tracing(connections.otlp_endpoint, plan.name, ratio=connections.trace_ratio)
    spans = None if tracing is None else RecordSpans(tracing, group=group)
    daemon = Daemon(plan, door, settings, group=group, clock=clock, metrics=metrics, on_ready=on_ready, spans=spans)
    if spans is not None:
        daemon.run_beside(spans)
    daemon.run_beside(
        Stalls(
            clock=clock,
            metrics=metrics,
            running=lambda: daemon.engine.running,
            why_stalled=daemon.why_stalled,
            loop_seconds=settings.stall_loop_seconds,
        )
    )
    if topics is not None:
        daemon.run_beside(topics)
    if settings.health_port:
        also = () if topics is None else (topics.why_unready,)
        daemon.run_beside(HealthServer(daemon, settings.health_host, settings.health_port, also=also))
    return daemon


def build_app(spec: DaemonSpec[D], *, topic_prefix: str = "", bootstrap: str = "kafka:9092") -> "FastStream":
    """The application for AsyncAPI; it connects to nothing."""
    return describe(plan_of(spec), topic_prefix=topic_prefix, bootstrap=bootstrap)


def describe(plan: Plan, *, topic_prefix: str, bootstrap: str) -> "FastStream":
    """The application of a plan, without anybody to take its records."""
    return _kafka_door(plan, bootstrap, topic_prefix, RuntimeSettings()).app


def plan_of(spec: DaemonSpec[D]) -> Plan:
    """What a daemon reads, with the overflow topics of its topics, and how it works."""

    def by_key(arrival: Arrival) -> object:
        return None if arrival.key is None else (arrival.partition, arrival.key)

    late = {overflow(topic): document for topic, document in spec.topics.items() if has_overflow(topic)}
    return Plan(
        name=spec.name,
        description=spec.description,
        reads={**spec.topics, **late},
        publishes=spec.publishes,
        slots=spec.slots,
        lane_of=by_key if spec.ordered_by_key else None,
        batch_size=spec.batch_size,
        handler_timeout=spec.handler_timeout,
    )


def _kafka_door(plan: Plan, bootstrap: str, prefix: str, settings: RuntimeSettings) -> KafkaDoor:
    return KafkaDoor(
        name=plan.name,
        description=plan.description,
        reads=plan.reads,
        publishes=plan.publishes,
        group=group_of(plan.name, prefix),
        bootstrap=bootstrap,
        prefix=prefix,
        settings=settings,
    )
