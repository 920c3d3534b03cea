"""FastStream with one subscriber and a typed handler that does nothing.

`policy` of the order: `ACK` commits after every record, as FastStream's own at-least-once policy does; `ACK_FIRST`
leaves it to the client once in five seconds, and may lose what is in flight.
"""

import asyncio
import logging
from typing import Any

import uvloop
from document import Measured  # type: ignore[import-not-found]
from faststream import AckPolicy
from faststream.kafka import KafkaBroker, KafkaMessage
from measuring import Tally, read_order, write_answer  # type: ignore[import-not-found]


async def main(order: dict[str, Any]) -> None:
    """Run until it is enough, and answer."""
    logging.disable(logging.WARNING)
    tally, enough = Tally(order), asyncio.Event()
    broker = KafkaBroker(order["bootstrap"], logger=None)

    def done(is_enough: bool) -> None:
        if is_enough and not enough.is_set():
            tally.stamp()
            enough.set()

    async def handle(document: Measured) -> None:
        done(enough.is_set() or tally.one())

    async def handle_timed(document: Measured, message: KafkaMessage) -> None:
        record: Any = message.raw_message
        done(enough.is_set() or tally.one_timed(record.timestamp))

    subscriber = broker.subscriber(
        order["topic"],
        group_id=order["group"],
        auto_offset_reset="earliest",
        ack_policy=AckPolicy[order.get("policy", "ACK")],
    )
    subscriber(handle_timed if tally.timed else handle)

    await broker.start()
    await enough.wait()
    answer = tally.answer()
    await broker.stop()
    write_answer(answer)


if __name__ == "__main__":
    uvloop.run(main(read_order()))
