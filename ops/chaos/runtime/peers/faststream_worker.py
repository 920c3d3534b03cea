"""FastStream's own way to many handlers at a time: ACK_FIRST with max_workers."""

import asyncio
import sys
from typing import Any

from faststream import AckPolicy, FastStream
from faststream.kafka import KafkaBroker, KafkaMessage

from ops.chaos.runtime.peers.reading import SESSION_MS, SLOTS, arguments, task_of


async def main() -> None:
    """Run until killed."""
    journal, bootstrap, topic, group = arguments()
    broker = KafkaBroker(bootstrap)

    @broker.subscriber(
        topic,
        group_id=group,
        ack_policy=AckPolicy.ACK_FIRST,
        max_workers=SLOTS,
        auto_offset_reset="earliest",
        session_timeout_ms=SESSION_MS,
        heartbeat_interval_ms=SESSION_MS // 3,
    )
    async def handle(body: Any, message: KafkaMessage) -> None:
        record: Any = message.raw_message
        task = task_of(record.value)
        place = (task.number, topic, record.partition, record.offset)
        journal.write("start", *place)
        await asyncio.sleep(task.seconds)
        journal.write("end", *place)

    app = FastStream(broker, logger=None)

    @app.after_startup
    async def ready() -> None:
        sys.stdout.write('{"ready": true}\n')
        sys.stdout.flush()

    await app.run()


if __name__ == "__main__":
    asyncio.run(main())
