"""The embedded broker: librdkafka's mock cluster in a process of its own, TCP on loopback, memory only.

It speaks the real protocol, so every real client works against it: produce with `acks=all` and idempotence, consumer
groups, commits with metadata. It is up in 0.2 s and needs nothing beyond the confluent-kafka wheel, whose bundled
librdkafka is called here through ctypes: the `test.mock.num.brokers` setting of the Python client would give every
topic 4 partitions, whereas `rd_kafka_mock_topic_create` (librdkafka's public rdkafka_mock.h) takes any number, and
the 3 s that a new group waits for its first assignment can be set to 0. The mock answers no CreateTopics request.

What it is not, measured with librdkafka 2.16.0:

- It forgets everything at its death; there is no time look-up, no compaction, no retention, no offset reset by admin.
- A partition holds about 5 MiB: beyond, the oldest records are dropped and the log's start moves up (after 400
  records of 50 KB the log began at 296). A slow consumer of a long burst loses records here. Real Kafka does not.
- It enforces no size limit: a 5 MB record passed, whatever `message.max.bytes` says; limits are the producers' own.
- A topic not named at the start is made by the first metadata request that asks for it, with 4 partitions.
- After kill -9 of a consumer, and also after its clean stop, the next one of its group waits for the old session less
  one second: 5 s with `session_timeout_ms=6000`. The first one of a group is assigned at once.
"""

import argparse
import contextlib
import ctypes
import json
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ops.stack.child import Child
from ops.stack.errors import PartFailed, PartUnavailable
from ops.stack.guard import Guard

START_SECONDS = 15.0
RD_KAFKA_PRODUCER = 0
RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS = 36


class EmbeddedBroker:
    """Starts and ends the broker process. Every start is a new, empty broker on a new port."""

    def __init__(
        self,
        topics: Iterable[tuple[str, int]],
        *,
        run_dir: Path | None = None,
        rebalance_delay_ms: int = 0,
    ) -> None:
        """`topics` are (name, partitions). The log goes to `run_dir`/broker.log, else to a temporary folder."""
        self._topics = list(topics)
        self._delay = rebalance_delay_ms
        self._run_dir = run_dir
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        self._guard = Guard()
        self._child: Child | None = None
        self._bootstrap = ""

    def start(self) -> str:
        """Start it and return its bootstrap address once every topic exists; PartFailed when it does not come up."""
        if self._child is not None and self._child.running:
            raise PartFailed("the embedded broker is running already")
        argv = [sys.executable, "-m", "ops.stack.embedded_broker"]
        argv += ["--topics", json.dumps(self._topics), "--rebalance-delay-ms", str(self._delay)]
        self._child = Child("embedded broker", argv, log=self._log(), guard=self._guard)
        self._child.start()
        try:
            ready = self._child.wait_until(self._child.ready_line, seconds=START_SECONDS)
        except PartFailed:
            self.stop()
            raise
        self._bootstrap = str(ready["bootstrap"])
        return self._bootstrap

    @property
    def bootstrap(self) -> str:
        """host:port of the running broker; empty before the first start."""
        return self._bootstrap

    @property
    def pid(self) -> int:
        if self._child is None:
            raise PartFailed("the embedded broker was not started")
        return self._child.pid

    def stop(self) -> None:
        """End it; its records are gone. Calling it twice does no harm."""
        if self._child is not None:
            self._child.stop()
            self._child = None
        self._guard.close()
        if self._temporary is not None:
            self._temporary.cleanup()
            self._temporary = None

    def __enter__(self) -> "EmbeddedBroker":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _log(self) -> Path:
        if self._run_dir is not None:
            return self._run_dir / "broker.log"
        self._temporary = tempfile.TemporaryDirectory(prefix="leadbus-broker-")
        return Path(self._temporary.name) / "broker.log"


class MockCluster:
    """The mock cluster inside this process, by librdkafka's C interface."""

    def __init__(self, rebalance_delay_ms: int) -> None:
        """PartUnavailable when the installed confluent-kafka does not show librdkafka's mock functions."""
        from confluent_kafka import cimpl

        self._library = ctypes.CDLL(cimpl.__file__)
        try:
            self._declare()
        except AttributeError as error:
            raise PartUnavailable(
                f"this build of confluent-kafka hides librdkafka's mock cluster ({error});"
                " install the binary wheel, or give a real Kafka with --kafka"
            ) from error
        message = ctypes.create_string_buffer(512)
        conf = self._library.rd_kafka_conf_new()
        self._library.rd_kafka_conf_set(conf, b"log_level", b"3", message, len(message))
        client = self._library.rd_kafka_new(RD_KAFKA_PRODUCER, conf, message, len(message))
        if not client:
            raise PartFailed(f"librdkafka: {message.value.decode(errors='replace')}")
        self._cluster = self._library.rd_kafka_mock_cluster_new(client, 1)
        if not self._cluster:
            raise PartFailed("librdkafka could not open the mock cluster's socket on loopback")
        self._library.rd_kafka_mock_group_initial_rebalance_delay_ms(self._cluster, rebalance_delay_ms)

    @property
    def bootstrap(self) -> str:
        return bytes(self._library.rd_kafka_mock_cluster_bootstraps(self._cluster)).decode()

    def create_topics(self, specs: Iterable[tuple[str, int]]) -> None:
        """Make topics of (name, partitions); one that exists already is left as it is."""
        host, port = self.bootstrap.rsplit(":", 1)
        with ThreadPoolExecutor(1) as pool:
            made = [pool.submit(self._create_topic, name, partitions) for name, partitions in specs]
            while not all(each.done() for each in made):
                # The cluster's thread may sleep up to a second before it takes a request; a connection wakes it.
                socket.create_connection((host, int(port)), timeout=1).close()
                time.sleep(0.005)
        for each in made:
            each.result()

    def _create_topic(self, name: str, partitions: int) -> None:
        code = self._library.rd_kafka_mock_topic_create(self._cluster, name.encode(), partitions, 1)
        if code not in (0, RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS):
            raise PartFailed(f"the embedded broker refused topic {name!r} (librdkafka error {code})")

    def _declare(self) -> None:
        pointer, text, number = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
        for name, answer, arguments in (
            ("rd_kafka_conf_new", pointer, ()),
            ("rd_kafka_conf_set", number, (pointer, text, text, text, ctypes.c_size_t)),
            ("rd_kafka_new", pointer, (number, pointer, text, ctypes.c_size_t)),
            ("rd_kafka_mock_cluster_new", pointer, (pointer, number)),
            ("rd_kafka_mock_cluster_bootstraps", text, (pointer,)),
            ("rd_kafka_mock_topic_create", number, (pointer, text, number, number)),
            ("rd_kafka_mock_group_initial_rebalance_delay_ms", None, (pointer, ctypes.c_int32)),
        ):
            function = getattr(self._library, name)
            function.restype, function.argtypes = answer, arguments


def main() -> None:
    """Run the broker until SIGTERM or SIGINT. Prints `{"ready": true, "bootstrap": "host:port"}`."""
    parser = argparse.ArgumentParser(prog="python -m ops.stack.embedded_broker")
    parser.add_argument("--topics", type=json.loads, default=[], help='JSON: [["name", partitions], ...]')
    parser.add_argument("--rebalance-delay-ms", type=int, default=0)
    options = parser.parse_args()
    cluster = MockCluster(options.rebalance_delay_ms)
    cluster.create_topics(options.topics)
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    sys.stdout.write(json.dumps({"ready": True, "bootstrap": cluster.bootstrap}) + "\n")
    sys.stdout.flush()
    with contextlib.suppress(KeyboardInterrupt):
        stopped.wait()


if __name__ == "__main__":
    main()
