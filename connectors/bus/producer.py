"""Publishing to Kafka with confluent-kafka: `publish` returns when all in-sync replicas have the record.

Promise: acks=all and idempotence, so a broker's hiccup neither loses nor doubles a record. Delivery reports come on a
thread of their own, which hands them to the event loop in batches: one wake-up for all reports of one poll.

Fails with `NotPublished` when no acknowledgement came within five seconds (the record may still arrive), when the
queue is full, or when the publisher is not running; with `RecordTooLarge` when the record can never be published.
After a fatal error of the client (librdkafka marks it so) the producer is built anew; what was under way is refused.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer

from connectors.bus.seam import NotPublished, RecordTooLarge
from schemas.topics import LARGEST_RECORD

MESSAGE_TIMEOUT_MS = 5000
LINGER_MS = 2
POLL_SECONDS = 0.1
METADATA_SECONDS = 2.0

_Report = tuple["asyncio.Future[None]", KafkaError | None]


def producer_settings(bootstrap: str, *, largest_record: int = LARGEST_RECORD) -> dict[str, Any]:
    """librdkafka's settings for records that must not be lost; `largest_record` counts key, value and headers.

    No compression: lz4 and zstd would ask for one more native library in every reader.
    """
    return {
        "bootstrap.servers": bootstrap,
        "acks": "all",
        "enable.idempotence": True,
        "linger.ms": LINGER_MS,
        "message.timeout.ms": MESSAGE_TIMEOUT_MS,
        "message.max.bytes": largest_record,
        "queue.buffering.max.kbytes": 128 * 1024,
        "socket.nagle.disable": True,
        # librdkafka would write plain lines to stderr; troubles come through `on_trouble` instead.
        "log_level": 0,
    }


class KafkaPublisher:
    """The `Publisher` of connectors/bus/seam.py. Use: construct, `await start()`, `publish` …, `await close()`."""

    def __init__(
        self,
        bootstrap: str,
        *,
        topic_prefix: str = "",
        topics: Iterable[str] = (),
        overrides: dict[str, Any] | None = None,
        on_trouble: Callable[[str], None] = lambda code: None,
        build: Callable[[dict[str, Any]], Any] = Producer,
    ) -> None:
        """`topics` (without prefix) are those that `ready` asks for; `overrides` go over the settings above.

        `on_trouble` is told librdkafka's error code once for each change of it, from the report thread.
        """
        self._settings = {**producer_settings(bootstrap), **(overrides or {}), "error_cb": self._on_error}
        self._prefix = topic_prefix
        self._topics = frozenset(topic_prefix + name for name in topics)
        self._build = build
        self._on_trouble = on_trouble
        self._trouble = ""
        self._names: dict[str, str] = {}
        self._reports: deque[_Report] = deque()
        self._fatal = threading.Event()
        self._stopping = threading.Event()
        self._producer: Any = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self.rebuilt = 0
        """How often a fatal error made a new producer necessary."""

    async def start(self) -> None:
        """Connect and begin to collect delivery reports; a broker that is away does not fail it."""
        self._loop = asyncio.get_running_loop()
        self._producer = self._build(self._settings)
        self._thread = threading.Thread(target=self._collect, name="kafka-reports", daemon=True)
        self._thread.start()

    async def publish(self, topic: str, *, key: bytes, value: bytes, headers: Sequence[tuple[str, bytes]]) -> None:
        """Publish one record and wait for its acknowledgement."""
        if self._loop is None or self._stopping.is_set():
            raise NotPublished("the publisher is not running")
        acknowledged: asyncio.Future[None] = self._loop.create_future()
        reports = self._reports

        def reported(error: KafkaError | None, message: object) -> None:
            reports.append((acknowledged, error))

        try:
            self._producer.produce(self._name(topic), value, key, headers=list(headers), on_delivery=reported)
        except BufferError as error:
            raise NotPublished("the queue of unacknowledged records is full") from error
        except KafkaException as error:
            raise self._named(error.args[0]) from error
        await acknowledged

    async def ready(self) -> bool:
        """Whether the cluster answers and has every topic."""
        producer = self._producer
        if producer is None or self._stopping.is_set():
            return False
        try:
            metadata = await asyncio.to_thread(producer.list_topics, timeout=METADATA_SECONDS)
        except KafkaException:
            return False
        return all(name in metadata.topics and metadata.topics[name].error is None for name in self._topics)

    async def close(self) -> None:
        """Wait until every record has its report, then stop."""
        if self._thread is None:
            return
        self._stopping.set()
        await asyncio.to_thread(self._thread.join)
        self._settle()
        self._thread = self._producer = None

    def _name(self, topic: str) -> str:
        name = self._names.get(topic)
        if name is None:
            name = self._names[topic] = self._prefix + topic
        return name

    def _on_error(self, error: KafkaError) -> None:
        if error.fatal():
            self._fatal.set()
        if error.name() != self._trouble:
            self._trouble = error.name()
            self._on_trouble(self._trouble)

    def _collect(self) -> None:
        """The thread: serve delivery reports until told to stop, then flush."""
        while not self._stopping.is_set():
            self._producer.poll(POLL_SECONDS)
            if self._fatal.is_set():
                self._rebuild()
            self._wake()
        self._producer.flush(MESSAGE_TIMEOUT_MS / 1000 + 1)
        self._wake()

    def _wake(self) -> None:
        if self._reports and self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._settle)

    def _rebuild(self) -> None:
        """A new producer first, so that nobody produces into the dead one; then refuse what the dead one held."""
        dead, self._producer = self._producer, self._build(self._settings)
        self._fatal.clear()
        self.rebuilt += 1
        dead.purge()
        dead.flush(1.0)

    def _settle(self) -> None:
        """On the loop: answer every report that has come."""
        reports = self._reports
        while reports:
            acknowledged, error = reports.popleft()
            if acknowledged.done():
                continue
            if error is None:
                self._trouble = ""
                acknowledged.set_result(None)
            else:
                acknowledged.set_exception(self._named(error))

    def _named(self, error: KafkaError) -> NotPublished | RecordTooLarge:
        if error.code() == KafkaError.MSG_SIZE_TOO_LARGE:
            return RecordTooLarge("the record is larger than the topic takes")
        if error.fatal():
            self._fatal.set()
        return NotPublished(f"the broker did not acknowledge: {error.name()}")
