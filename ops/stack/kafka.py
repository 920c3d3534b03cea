"""A real Apache Kafka on this machine: one node, KRaft, loopback, data in a temporary folder.

For tests and fault runs that need what the embedded broker lacks: records that survive a kill -9 of the broker,
several members per group, offsets by time, size limits. Up in 2 to 8 s with 512 MB of heap.

`kill` is SIGKILL and `start` after it comes up on the same data and the same port: a client sees an outage, never a
new cluster. The operating system keeps what the broker had written, so acknowledged records survive the process (a
power cut is another matter). Topics are not created by themselves.
"""

import base64
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ops.stack.child import Child
from ops.stack.errors import PartFailed
from ops.stack.guard import Guard
from ops.stack.kafka_jars import fetch, find_java
from ops.stack.places import LOOPBACK, free_ports

START_SECONDS = 90.0
MESSAGE_MAX_BYTES = int(2.2 * 1024 * 1024)
JVM_OPTIONS = (
    "-Xms128m",
    "-Xmx512m",
    "-XX:+UseSerialGC",
    # The first compiler tier starts a broker in half the time and never matters for a test's load.
    "-XX:TieredStopAtLevel=1",
    "-Djava.awt.headless=true",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
)


class RealKafka:
    """One broker. `start` and `kill` may alternate; `stop` ends it and throws the data away."""

    def __init__(self, *, cache: Path | None = None, settings: Mapping[str, str] | None = None) -> None:
        """`settings` are laid over the broker's configuration."""
        self._cache = cache
        self._settings = dict(settings or {})
        self._guard = Guard()
        self._folder: Path | None = None
        self._child: Child | None = None
        self._port = 0

    @property
    def bootstrap(self) -> str:
        """host:port; the same for the life of this object once it was started."""
        return f"{LOOPBACK}:{self._port}"

    @property
    def running(self) -> bool:
        return self._child is not None and self._child.running

    @property
    def pid(self) -> int:
        """The broker's process (it leads a group of its own), for signals; PartFailed before the first start."""
        if self._child is None:
            raise PartFailed("Apache Kafka was not started")
        return self._child.pid

    def start(self) -> str:
        """Start, or start again after `kill`, and return the bootstrap address once the broker serves clients.

        PartUnavailable when Java, Maven or the jars are missing; PartFailed with the log's end when it does not
        come up within 90 s.
        """
        if self._child is None:
            self._child = self._prepare()
        if not self._child.running:
            self._child.start()
            self._child.wait_until(self._serves, seconds=START_SECONDS, every=0.1)
        return self.bootstrap

    def kill(self) -> None:
        """SIGKILL, as a machine that fails. Data and port are kept for the next `start`."""
        if self._child is not None:
            self._child.kill()

    def stop(self) -> None:
        """End it for good and remove its data."""
        # Nobody reads the data again, so a clean shutdown would only cost time.
        self.kill()
        self._child = None
        self._guard.close()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def create_topics(
        self, specs: Iterable[tuple[str, int]], configs: Mapping[str, Mapping[str, str]] | None = None
    ) -> None:
        """Create (name, partitions), with `configs` by topic name; returns when each has its leaders.

        A topic that exists already is left as it is. PartFailed names the topic that was refused.
        """
        from confluent_kafka import KafkaError, KafkaException
        from confluent_kafka.admin import NewTopic  # type: ignore[attr-defined]

        wanted = list(specs)
        configs = configs or {}
        admin = self._admin()
        topics = [NewTopic(name, count, 1, config=dict(configs.get(name, {}))) for name, count in wanted]
        for name, future in (admin.create_topics(topics, operation_timeout=30) if topics else {}).items():
            try:
                future.result()
            except KafkaException as error:
                if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                    raise PartFailed(f"Kafka refused topic {name!r}: {error.args[0].str()}") from error
        if self._child is not None:
            self._child.wait_until(lambda: self._have_leaders(admin, wanted), seconds=30, every=0.05)

    def log_tail(self, lines: int = 20) -> str:
        """The last lines that the broker logged (warnings and errors)."""
        return "" if self._child is None else self._child.tail(lines)

    def __enter__(self) -> "RealKafka":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _prepare(self) -> Child:
        java, jars = find_java(), fetch(self._cache)
        self._folder = Path(tempfile.mkdtemp(prefix="leadbus-kafka-"))
        self._port, controller = free_ports(2)
        configuration = self._folder / "server.properties"
        settings = {**_settings(self._port, controller, self._folder / "data"), **self._settings}
        configuration.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
        command = [str(java), *JVM_OPTIONS, "-cp", f"{jars}/*"]
        # Never with a dash in front, which would read as an option.
        cluster = base64.urlsafe_b64encode(b"k" + uuid.uuid4().bytes[1:]).decode().rstrip("=")
        formatting = [*command, "kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(configuration)]
        done = subprocess.run(formatting, capture_output=True, text=True, check=False, timeout=START_SECONDS)
        if done.returncode != 0:
            self.stop()
            raise PartFailed(f"Kafka's storage could not be formatted:\n{(done.stdout + done.stderr)[-2000:]}")
        return Child(
            "Apache Kafka",
            [*command, "kafka.Kafka", str(configuration)],
            log=self._folder / "kafka.log",
            guard=self._guard,
        )

    def _admin(self) -> Any:
        from confluent_kafka.admin import AdminClient

        return AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})

    def _serves(self) -> bool:
        from confluent_kafka import KafkaException

        try:
            return bool(self._admin().list_topics(timeout=2).brokers)
        except KafkaException:
            return False

    @staticmethod
    def _have_leaders(admin: Any, wanted: list[tuple[str, int]]) -> bool:
        known = admin.list_topics(timeout=5).topics
        return all(
            name in known and known[name].partitions and all(p.leader >= 0 for p in known[name].partitions.values())
            for name, _ in wanted
        )


def _settings(port: int, controller: int, data: Path) -> dict[str, str]:
    return {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@{LOOPBACK}:{controller}",
        "listeners": f"PLAINTEXT://{LOOPBACK}:{port},CONTROLLER://{LOOPBACK}:{controller}",
        "advertised.listeners": f"PLAINTEXT://{LOOPBACK}:{port}",
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "PLAINTEXT",
        "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
        "log.dirs": str(data),
        "auto.create.topics.enable": "false",
        "message.max.bytes": str(MESSAGE_MAX_BYTES),
        "group.initial.rebalance.delay.ms": "0",
        "offsets.topic.replication.factor": "1",
        "offsets.topic.num.partitions": "4",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "transaction.state.log.num.partitions": "1",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        # After a kill the same node may register again only when its old session has run out.
        "broker.session.timeout.ms": "3000",
        "broker.heartbeat.interval.ms": "500",
    }
