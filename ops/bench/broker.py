"""The broker that measurements run on: real Kafka where this machine can, else the embedded one, and it says which."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ops.stack.embedded_broker import EmbeddedBroker
from ops.stack.kafka import RealKafka
from ops.stack.kafka_jars import KAFKA_VERSION, why_not

PARTITIONS = 4
EMBEDDED_RECORDS = 16_000
"""What a topic of 4 partitions keeps on the embedded broker: about 5 MiB a partition, of records of 750 bytes."""


CreateTopics = Callable[[Sequence[tuple[str, int]]], None]
"""Makes topics of (name, partitions); returns when they can be written to."""


@dataclass(frozen=True, slots=True)
class Broker:
    """A running broker."""

    bootstrap: str
    description: str
    create: CreateTopics
    largest: int | None
    """Records that a measured topic may hold; None for any number."""

    @property
    def real(self) -> bool:
        return self.largest is None


@contextlib.contextmanager
def measured_broker(*, embedded: bool = False) -> Iterator[Broker]:
    """A broker for one call of a bench, ended with it."""
    reason = "asked for" if embedded else why_not()
    if reason is None:
        with RealKafka() as kafka:
            yield Broker(
                kafka.bootstrap,
                f"Apache Kafka {KAFKA_VERSION}, one node on this machine",
                kafka.create_topics,
                None,
            )
        return
    with EmbeddedBroker([]) as mock:
        yield Broker(
            mock.bootstrap,
            f"librdkafka's mock cluster, in memory ({reason}): figures are not those of a real Kafka",
            _ask_for(mock.bootstrap),
            EMBEDDED_RECORDS,
        )


def _ask_for(bootstrap: str) -> CreateTopics:
    def create(specs: Sequence[tuple[str, int]]) -> None:
        # The mock makes a topic, always of 4 partitions, when somebody asks about it.
        from confluent_kafka.admin import AdminClient

        admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
        for name, _ in specs:
            admin.list_topics(name, timeout=10.0)

    return create
