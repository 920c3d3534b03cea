"""Creates and checks the topics of the table on a real cluster.

Partitions, retention, clean-up and largest record come from `schemas/topics.py`; replication is the operator's, and
two in-sync replicas are asked for wherever there are three. What exists is never changed here: it is reported.
"""

from typing import Any

from schemas import topics


class TopicsUnreachable(Exception):
    """The cluster does not answer; the text names it and what to do."""


def create_topics(bootstrap: str, *, prefix: str = "", replication: int = 3) -> list[str]:
    """Create what is missing; the names created. Raises `TopicsUnreachable`."""
    from confluent_kafka import KafkaException
    from confluent_kafka.admin import NewTopic  # type: ignore[attr-defined]

    admin = _admin(bootstrap)
    present = _present(admin, bootstrap)
    missing = [topic for topic in topics.table() if prefix + topic.name not in present]
    wanted = [
        NewTopic(
            prefix + topic.name,
            num_partitions=topic.partitions,
            replication_factor=replication,
            config=_config(topic, replication),
        )
        for topic in missing
    ]
    created = []
    for name, future in (admin.create_topics(wanted) if wanted else {}).items():
        try:
            future.result(timeout=30.0)
            created.append(name)
        except KafkaException as error:
            if error.args[0].name() != "TOPIC_ALREADY_EXISTS":
                raise TopicsUnreachable(f"topic {name} cannot be created: {error.args[0].str()}") from error
    return sorted(created)


def check_topics(bootstrap: str, *, prefix: str = "") -> list[str]:
    """What differs from the table, one sentence each. Raises `TopicsUnreachable`."""
    present = _present(_admin(bootstrap), bootstrap)
    findings = []
    for topic in topics.table():
        name = prefix + topic.name
        if name not in present:
            findings.append(f"{name}: missing; run `leadbus ops topics --create`")
        elif present[name] < topic.partitions:
            findings.append(f"{name}: {present[name]} partitions, should have {topic.partitions}")
    return findings


def _config(topic: topics.Topic, replication: int) -> dict[str, str]:
    config = {
        "retention.ms": str(topic.retention_ms),
        "max.message.bytes": str(topic.max_bytes),
        "cleanup.policy": "compact" if topic.compacted else "delete",
    }
    if replication >= 3:
        config["min.insync.replicas"] = "2"
    return config


def _admin(bootstrap: str) -> Any:
    from confluent_kafka.admin import AdminClient

    # Its own log repeats every attempt; the one that counts is in the error.
    return AdminClient({"bootstrap.servers": bootstrap, "socket.connection.setup.timeout.ms": 5000, "log_level": 0})


def _present(admin: Any, bootstrap: str) -> dict[str, int]:
    from confluent_kafka import KafkaException

    try:
        metadata = admin.list_topics(timeout=10.0)
    except KafkaException as error:
        raise TopicsUnreachable(
            f"no broker answers at {bootstrap} ({error.args[0].str()}); check the address and that Kafka is up"
        ) from error
    return {name: len(topic.partitions) for name, topic in metadata.topics.items()}
