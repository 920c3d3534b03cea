"""Records published at a steady rate while a contestant runs, by a thread of the measuring process."""

import threading
import time
from collections.abc import Iterable

from ops.bench.records import Row


class Trickle:
    """Publishes the records one by one, `a_second` of them a second, until they or the block end."""

    def __init__(self, bootstrap: str, topic: str, records: Iterable[Row], a_second: float) -> None:
        self._bootstrap = bootstrap
        self._topic = topic
        self._records = records
        self._a_second = a_second
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(10.0)

    def _run(self) -> None:
        from confluent_kafka import Producer

        producer = Producer({"bootstrap.servers": self._bootstrap, "linger.ms": 0, "log_level": 0})
        began = time.monotonic()
        for number, (key, value, headers) in enumerate(self._records):
            # By the schedule and not by the last one, so that a late one is made up for.
            wait = began + number / self._a_second - time.monotonic()
            if self._over.wait(wait) if wait > 0 else self._over.is_set():
                break
            producer.produce(self._topic, value=value, key=key, headers=list(headers))
            producer.poll(0)
        producer.flush(10.0)
