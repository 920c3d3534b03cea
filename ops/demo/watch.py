"""Reads every topic of the house from the beginning, as an onlooker: no group, no commit, nobody is disturbed."""

import threading
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from schemas import codec, topics


class Seen(NamedTuple):
    """A record and where it lies; `topic` without prefix, `document` empty when it is not a JSON object."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    headers: Mapping[str, bytes | None]
    document: Mapping[str, Any]


Listener = Callable[[str, Mapping[str, bytes | None], Mapping[str, Any]], None]


class Onlooker:
    """A thread that hands every record to `look`, in the order of each partition.

    A broker that is away is waited for: reading goes on where it stopped. `failure` says why reading ended by itself.
    """

    def __init__(self, bootstrap: str, look: Callable[[Seen], None], *, prefix: str = "") -> None:
        self._bootstrap = bootstrap
        self._look = look
        self._prefix = prefix
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watcher", daemon=True)
        self.failure: str | None = None
        self.next: dict[tuple[str, int], int] = {}
        """Topic and partition to the offset after the last record that was handed over."""

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, and wait for it."""
        self._stop.set()
        self._thread.join(timeout=10.0)

    def _run(self) -> None:
        from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, TopicPartition

        consumer = Consumer(
            {
                "bootstrap.servers": self._bootstrap,
                "group.id": "leadbus.onlooker",
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "fetch.wait.max.ms": 50,
                "reconnect.backoff.max.ms": 1000,
                # The client would write a line for every attempt to reach a broker that is away.
                "log_level": 0,
            }
        )
        try:
            known = {self._prefix + topic.name for topic in topics.table()}
            metadata = consumer.list_topics(timeout=10.0)
            places = [
                TopicPartition(name, partition, OFFSET_BEGINNING)
                for name, topic in metadata.topics.items()
                if name in known
                for partition in topic.partitions
            ]
            consumer.assign(places)
            while not self._stop.is_set():
                for message in consumer.consume(500, timeout=0.1):
                    if message.error() is None:
                        self._hand_over(message)
        except KafkaException as error:
            self.failure = str(error)
        except Exception as error:
            self.failure = f"{type(error).__name__}: {error}"
            raise
        finally:
            consumer.close()

    def _hand_over(self, message: Any) -> None:
        try:
            document = codec.loads(message.value() or b"")
        except ValueError:
            document = {}
        seen = Seen(
            topic=str(message.topic()).removeprefix(self._prefix),
            partition=message.partition(),
            offset=message.offset(),
            timestamp_ms=message.timestamp()[1],
            headers=dict(message.headers() or []),
            document=document if isinstance(document, dict) else {},
        )
        self._look(seen)
        self.next[seen.topic, seen.partition] = seen.offset + 1


class Watcher(Onlooker):
    """An onlooker for whoever asks for topic, headers and document only."""

    def __init__(self, bootstrap: str, listener: Listener, *, prefix: str = "") -> None:
        super().__init__(bootstrap, lambda seen: listener(seen.topic, seen.headers, seen.document), prefix=prefix)
