"""sentry-arroyo's RunTaskInThreads: `slots` threads, each sleeps `work_seconds` a record; a commit a second."""

import threading
import time
from collections.abc import Mapping
from typing import Any

from arroyo.backends.kafka import (  # type: ignore[import-not-found]
    KafkaConsumer,
    KafkaPayload,
    build_kafka_consumer_configuration,
)
from arroyo.processing.processor import StreamProcessor  # type: ignore[import-not-found]
from arroyo.processing.strategies import CommitOffsets, RunTaskInThreads  # type: ignore[import-not-found]
from arroyo.processing.strategies.abstract import ProcessingStrategyFactory  # type: ignore[import-not-found]
from arroyo.types import Commit, Message, Partition, Topic  # type: ignore[import-not-found]
from measuring import Tally, late_by, read_order, write_answer  # type: ignore[import-not-found]


def main(order: dict[str, Any]) -> None:
    """Run until it is enough, and answer."""
    tally, lock = Tally(order), threading.Lock()
    starts: list[float] = []
    slots, work_seconds = int(order["slots"]), float(order["work_seconds"])
    enough = threading.Event()

    def handle(message: Message[KafkaPayload]) -> None:
        with lock:
            tally.start()
            starts.append(time.perf_counter())
        time.sleep(work_seconds)
        with lock:
            if tally.one() and not enough.is_set():
                tally.stamp()
                enough.set()

    class Factory(ProcessingStrategyFactory[KafkaPayload]):  # type: ignore[misc]
        def create_with_partitions(self, commit: Commit, partitions: Mapping[Partition, int]) -> Any:
            return RunTaskInThreads(handle, slots, slots * 4, CommitOffsets(commit))

    consumer = KafkaConsumer(
        build_kafka_consumer_configuration(
            {"bootstrap.servers": order["bootstrap"], "log_level": 0},
            group_id=order["group"],
            auto_offset_reset="earliest",
        )
    )
    processor = StreamProcessor(consumer=consumer, topic=Topic(order["topic"]), processor_factory=Factory())

    def stop() -> None:
        enough.wait()
        processor.signal_shutdown()

    threading.Thread(target=stop, daemon=True).start()
    processor.run()
    tally.delays = late_by(starts, slots, work_seconds)
    write_answer(tally.answer())


if __name__ == "__main__":
    main(read_order())
