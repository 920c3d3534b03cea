"""The bare loop: aiokafka's `getmany`, an awaited handler that does nothing, a commit a second and one at the end.

The clock starts when the first batch is in hand. That batch was unpacked before, so it is not counted unless it is
published. `decode` of the order: `none` hands the bytes over, `typed` reads JSON (orjson) and validates (pydantic).
`publish_to` publishes every value there and waits for the acknowledgements before it commits.
"""

import asyncio
import time
from typing import Any

import orjson
import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from document import Measured  # type: ignore[import-not-found]
from measuring import Tally, read_order, write_answer  # type: ignore[import-not-found]


async def handle(record: Any) -> None:
    """Nothing."""


async def main(order: dict[str, Any]) -> None:
    """Run until it is enough, and answer."""
    tally = Tally(order)
    typed = order.get("decode") == "typed"
    consumer = AIOKafkaConsumer(
        order["topic"],
        bootstrap_servers=order["bootstrap"],
        group_id=order["group"],
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    publish_to = order.get("publish_to")
    producer = (
        AIOKafkaProducer(bootstrap_servers=order["bootstrap"], acks="all", enable_idempotence=True)
        if publish_to
        else None
    )
    await consumer.start()
    if producer is not None:
        await producer.start()
        await producer.partitions_for(publish_to)
    committed = time.perf_counter()
    enough = False
    while not enough:
        batches = await consumer.getmany(timeout_ms=500)
        first = bool(batches) and not tally.began
        if first:
            tally.start()
        waiting = []
        for records in batches.values():
            for record in records:
                await handle(Measured.model_validate(orjson.loads(record.value)) if typed else record)
                if tally.timed:
                    enough = tally.one_timed(record.timestamp) or enough
                if producer is not None:
                    waiting.append(
                        await producer.send(publish_to, record.value, key=record.key, headers=list(record.headers))
                    )
            if first and producer is None and not tally.timed:
                tally.wanted -= len(records)
            elif not tally.timed:
                enough = tally.one(len(records)) or enough
        if waiting:
            await asyncio.gather(*waiting)
        enough = enough or tally.overdue()
        if enough or time.perf_counter() - committed > 1.0:
            await consumer.commit()
            committed = time.perf_counter()
    tally.stamp()
    if producer is not None:
        await producer.stop()
    await consumer.stop()
    write_answer(tally.answer())


if __name__ == "__main__":
    uvloop.run(main(read_order()))
