"""When records were written: the timestamps of single records, read without joining any group.

A partition is read from each wanted offset until its first record comes (what is at the offset itself may have been
compacted away), small fetches only, for a few seconds at most. What did not come in time is missing in the answer.
"""

import time
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

SECONDS = 5.0
FETCH_BYTES = 1024
"""A broker gives at least one batch, however large."""


class Place(NamedTuple):
    """A partition; `topic` without the installation's prefix."""

    topic: str
    partition: int


def head_times(
    bootstrap: str, wanted: Collection[tuple[Place, int]], *, prefix: str = "", seconds: float = SECONDS
) -> Mapping[tuple[Place, int], float]:
    """(partition, offset) to the time (seconds since 1970) at which the record there, or the next one, was written."""
    if not wanted:
        return {}
    from confluent_kafka import Consumer

    reader = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "leadbus.onlooker",
            "enable.auto.commit": False,
            "fetch.wait.max.ms": 50,
            "max.partition.fetch.bytes": FETCH_BYTES,
            "log_level": 0,
        }
    )
    times: dict[tuple[Place, int], float] = {}
    until = time.monotonic() + seconds
    rounds: dict[Place, list[int]] = {}
    for place, offset in wanted:
        rounds.setdefault(place, []).append(offset)
    try:
        while rounds and time.monotonic() < until:
            # One offset of each partition at a time: a consumer has one position in each.
            _round(reader, {place: offsets.pop() for place, offsets in rounds.items()}, prefix, until, times)
            rounds = {place: offsets for place, offsets in rounds.items() if offsets}
    finally:
        reader.close()
    return times


def _round(
    reader: Any, starts: dict[Place, int], prefix: str, until: float, times: dict[tuple[Place, int], float]
) -> None:
    from confluent_kafka import TopicPartition

    open_ones = dict(starts)
    reader.assign([TopicPartition(prefix + topic, number, offset) for (topic, number), offset in starts.items()])
    while open_ones and (left := until - time.monotonic()) > 0:
        for message in reader.consume(500, timeout=min(left, 0.2)):
            if message.error() is not None:
                continue
            place = Place(message.topic().removeprefix(prefix), message.partition())
            offset = open_ones.pop(place, None)
            if offset is not None:
                times[place, offset] = message.timestamp()[1] / 1000
                reader.incremental_unassign([TopicPartition(message.topic(), place.partition)])
