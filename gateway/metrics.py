"""What the gateway counts. The registry is handed in, so that two gateways in one process do not share numbers.

Labels are source names of the registry and short reason codes: never a tenant's data, a key or a path.
"""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
_BYTES = (256, 1024, 4096, 16_384, 65_536, 262_144, 524_288)


class GatewayMetrics:
    """Counters and histograms of one gateway."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self.accepted = Counter(
            "leadbus_gateway_accepted", "Events acknowledged by the broker", ["source"], registry=registry
        )
        self.refused = Counter(
            "leadbus_gateway_refused", "Requests that were not accepted", ["source", "reason"], registry=registry
        )
        self.unparsed = Counter(
            "leadbus_gateway_unparsed", "Authentic bodies kept unread", ["source", "reason"], registry=registry
        )
        self.ignored = Counter(
            "leadbus_gateway_ignored", "Events that are nobody's lead", ["source", "reason"], registry=registry
        )
        self.publish_seconds = Histogram(
            "leadbus_gateway_publish_seconds",
            "Seconds until the broker's acknowledgement",
            buckets=_SECONDS,
            registry=registry,
        )
        self.body_bytes = Histogram(
            "leadbus_gateway_body_bytes", "Bytes of authentic bodies", buckets=_BYTES, registry=registry
        )
        self.in_flight = Gauge("leadbus_gateway_in_flight", "Requests being answered now", registry=registry)

    def text(self) -> bytes:
        """The registry in Prometheus's text format."""
        return generate_latest(self.registry)
