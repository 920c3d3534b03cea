"""Every metric of the runtime in one typed list, exported in Prometheus' text form.

Names start with `leadbus_` and say their unit; a counter's ends with `_total` where it is read. Which daemon it was
is a matter of the address that was asked. Labels hold codes of ours, never a tenant's data.

Looking a labelled child up costs more than counting with it, so whoever counts once a record keeps `Children`.
"""

from dataclasses import dataclass, fields
from typing import Any, Final, Generic, Literal, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

M = TypeVar("M", Counter, Gauge, Histogram)

SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 180.0, 600.0)


@dataclass(frozen=True, slots=True)
class MetricDef:
    """One metric: `field` is its name in `Metrics`."""

    field: str
    kind: Literal["counter", "gauge", "histogram"]
    name: str
    meaning: str
    labels: tuple[str, ...] = ()

    @property
    def exposed(self) -> str:
        """Its name in Prometheus' text form."""
        return f"leadbus_{self.name}_total" if self.kind == "counter" else f"leadbus_{self.name}"


DEFINITIONS: Final = (
    MetricDef("received", "counter", "records_received", "Records accepted for work", ("topic",)),
    MetricDef("outcomes", "counter", "records", "Records by what became of them", ("outcome",)),
    MetricDef("handler_seconds", "histogram", "handler_seconds", "Seconds in the handler", ("outcome",)),
    MetricDef("in_flight", "gauge", "records_in_flight", "Records being worked on"),
    MetricDef("waiting", "gauge", "records_waiting", "Records read and not started"),
    MetricDef("open_bytes", "gauge", "open_bytes", "Bytes of the records read and not finished"),
    MetricDef("oldest_open", "gauge", "oldest_open_seconds", "Age of the record that is open longest"),
    MetricDef("lag", "gauge", "lag_records", "Records between the commit and the end", ("topic", "partition")),
    MetricDef("lag_seconds", "gauge", "lag_seconds", "Age of the oldest unfinished record", ("topic", "partition")),
    MetricDef("retention_headroom", "gauge", "retention_headroom_seconds", "Until retention takes it", ("topic",)),
    MetricDef("recreated", "counter", "topics_recreated", "Partitions whose topic was made anew", ("topic",)),
    MetricDef("paused", "gauge", "paused_partitions", "Partitions that are not read at the moment"),
    MetricDef("published", "counter", "records_published", "Records acknowledged by the broker", ("topic",)),
    MetricDef("publish_failures", "counter", "publish_failures", "Publications not acknowledged", ("topic",)),
    MetricDef("stuck", "gauge", "stuck_records", "Records whose end (retry, dead letter, park) cannot be written"),
    MetricDef("retries", "counter", "retries", "Records sent to a retry tier", ("tier", "reason")),
    MetricDef("parked", "counter", "parked", "Records parked", ("reason",)),
    MetricDef("parked_open", "gauge", "parked_records", "Records parked and not released", ("stage", "reason")),
    MetricDef("parked_oldest", "gauge", "parked_oldest_seconds", "Age of the oldest of them", ("stage", "reason")),
    MetricDef("released", "counter", "released", "Parked records published again", ("stage", "reason")),
    MetricDef("diverted", "counter", "records_diverted", "Records put elsewhere at intake", ("where",)),
    MetricDef("dead_letters", "counter", "dead_letters", "Dead letters", ("reason",)),
    MetricDef("held", "gauge", "dead_letters_held", "Failing records held open until the daemon has proven itself"),
    MetricDef("limited", "gauge", "tenants_limited", "Tenants over the dead-letter limits"),
    MetricDef("stalls", "counter", "stalls", "Times the stuck detector wrote down the stacks", ("kind",)),
    MetricDef("loop_delay", "gauge", "loop_delay_seconds", "How late the event loop was, lately"),
    MetricDef("expired", "counter", "expired_records", "Records that retention removed before they were read"),
    MetricDef("commits", "counter", "commits", "Commits taken"),
    MetricDef("commit_failures", "counter", "commit_failures", "Commits refused"),
    MetricDef("rebalances", "counter", "rebalances", "New assignments"),
    MetricDef("partitions_kept", "counter", "partitions_kept", "Partitions kept over a rebalance, with their state"),
    MetricDef("partitions_lost", "counter", "partitions_lost", "Partitions given to another member"),
)


class Children(dict[str, M], Generic[M]):
    """The children of a metric with one label, each looked up once: `Children(metrics.received)[topic].inc()`."""

    def __init__(self, metric: M) -> None:
        super().__init__()
        self._metric: M = metric

    def __missing__(self, value: str) -> M:
        child: M = self._metric.labels(value)
        self[value] = child
        return child


@dataclass(frozen=True, slots=True)
class Metrics:
    """The metrics of one daemon, in a registry of its own."""

    registry: CollectorRegistry
    received: Counter
    outcomes: Counter
    handler_seconds: Histogram
    in_flight: Gauge
    waiting: Gauge
    open_bytes: Gauge
    oldest_open: Gauge
    lag: Gauge
    lag_seconds: Gauge
    retention_headroom: Gauge
    recreated: Counter
    paused: Gauge
    published: Counter
    publish_failures: Counter
    stuck: Gauge
    retries: Counter
    parked: Counter
    parked_open: Gauge
    parked_oldest: Gauge
    released: Counter
    diverted: Counter
    dead_letters: Counter
    held: Gauge
    limited: Gauge
    stalls: Counter
    loop_delay: Gauge
    expired: Counter
    commits: Counter
    commit_failures: Counter
    rebalances: Counter
    partitions_kept: Counter
    partitions_lost: Counter

    @classmethod
    def create(cls) -> "Metrics":
        """All of DEFINITIONS, at zero."""
        registry = CollectorRegistry()
        made: dict[str, Any] = {definition.field: _make(definition, registry) for definition in DEFINITIONS}
        return cls(registry=registry, **made)

    def text(self) -> bytes:
        """Prometheus' text form."""
        return generate_latest(self.registry)

    def value(self, name: str, **labels: str) -> float:
        """The present value of a sample, without the prefix `leadbus_`; 0 when it was never touched."""
        return self.registry.get_sample_value(f"leadbus_{name}", labels) or 0.0


def _make(definition: MetricDef, registry: CollectorRegistry) -> Counter | Gauge | Histogram:
    name = f"leadbus_{definition.name}"  # the client library adds `_total` itself
    if definition.kind == "counter":
        return Counter(name, definition.meaning, definition.labels, registry=registry)
    if definition.kind == "gauge":
        return Gauge(name, definition.meaning, definition.labels, registry=registry)
    return Histogram(name, definition.meaning, definition.labels, registry=registry, buckets=SECONDS)


def undefined_fields() -> set[str]:
    """Fields of Metrics without a definition, or definitions without a field; empty unless the list is wrong."""
    return {field.name for field in fields(Metrics)} - {"registry"} ^ {d.field for d in DEFINITIONS}


def table() -> str:
    """The metrics as the rows of a Markdown table: name, kind, meaning."""
    rows = []
    for definition in DEFINITIONS:
        by = f" (by {', '.join(definition.labels)})" if definition.labels else ""
        rows.append(f"| `{definition.exposed}` | {definition.kind} | {definition.meaning}{by} |")
    return "\n".join(rows)
