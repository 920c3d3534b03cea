"""Reads every topic of the house from the beginning, as an onlooker: no group, no commit, nobody is disturbed."""

import threading
from collections.abc import Callable, Mapping
from typing import Any

from schemas import codec, topics

Listener = Callable[[str, Mapping[str, bytes | None], Mapping[str, Any]], None]


class Watcher:
    """A thread that hands every record to a listener, in the order of each partition.

    Records that are not JSON objects are handed over as an empty object, so that they are counted.
    """

    def __init__(self, bootstrap: str, listener: Listener, *, prefix: str = "") -> None:
        self._bootstrap = bootstrap
        self._listener = listener
        self._prefix = prefix
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watcher", daemon=True)
        self.failure: str | None = None

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
        finally:
            consumer.close()

    def _hand_over(self, message: Any) -> None:
        try:
            document = codec.loads(message.value() or b"")
        except ValueError:
            document = {}
        topic = str(message.topic()).removeprefix(self._prefix)
        headers = dict(message.headers() or [])
        self._listener(topic, headers, document if isinstance(document, dict) else {})
