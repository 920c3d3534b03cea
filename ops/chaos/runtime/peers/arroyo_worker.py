"""sentry-arroyo's RunTaskInThreads with as many threads as the daemon has slots, committing once a second."""

import sys
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

from ops.chaos.runtime.peers.reading import SESSION_MS, SLOTS, arguments, task_of


def main() -> None:
    """Run until killed."""
    journal, bootstrap, topic, group = arguments()

    def handle(message: Message[KafkaPayload]) -> None:
        task = task_of(message.payload.value)
        place = (task.number, topic, message.value.partition.index, message.value.offset)
        journal.write("start", *place)
        time.sleep(task.seconds)
        journal.write("end", *place)

    class Factory(ProcessingStrategyFactory[KafkaPayload]):  # type: ignore[misc]
        def create_with_partitions(self, commit: Commit, partitions: Mapping[Partition, int]) -> Any:
            return RunTaskInThreads(handle, SLOTS, SLOTS * 4, CommitOffsets(commit))

    consumer = KafkaConsumer(
        build_kafka_consumer_configuration(
            {"bootstrap.servers": bootstrap, "session.timeout.ms": SESSION_MS, "log_level": 0},
            group_id=group,
            auto_offset_reset="earliest",
        )
    )
    sys.stdout.write('{"ready": true}\n')
    sys.stdout.flush()
    StreamProcessor(consumer=consumer, topic=Topic(topic), processor_factory=Factory()).run()


if __name__ == "__main__":
    main()
