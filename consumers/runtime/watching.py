"""Watching the logs: how far behind this member is, whether it moves, and whether a log has left its reader.

Every few seconds the ends of the assigned logs and the ids of their topics are looked up, and told as gauges:

    lag                  records between the first unfinished one and the end
    lag_seconds          age of the oldest unfinished record by its own timestamp; 0 when nothing is behind. While that
                         record is unread, the time for which it has been known to be there: less than its age
    retention_headroom   by topic: its retention less that age, so what is left until records are lost unread

A reader that retention has overtaken goes on at the log's new beginning; a topic made anew (its end fell behind the
reader, or its id changed and two looks in a row say so) is read from its beginning.

A broker that does not answer is logged, and shows in `answered_at`. Nothing else is raised.
"""

import logging
from collections.abc import Callable, Mapping

from consumers.runtime.client import Arrival, Bounds, BrokerUnavailable, Consumer, Partition
from consumers.runtime.clock import Clock
from consumers.runtime.metrics import Metrics
from consumers.runtime.offsets import Ledger
from consumers.runtime.rebalance import Rebalance
from schemas.topics import table

log = logging.getLogger(__name__)

UNREADABLE = 1_000
"""Offsets up to the end that may hold no record at all, of transactions for example: being there is no reason to move.
More, or an end that grows while nothing moves, means that records are there and are not read."""


class Watch:
    """Watches one member's partitions."""

    def __init__(
        self,
        consumer: Consumer,
        ledgers: Mapping[Partition, Ledger],
        rebalance: Rebalance,
        *,
        oldest_open: Callable[[Partition], Arrival | None],
        clock: Clock,
        metrics: Metrics,
        interval: float,
        stall_seconds: float,
    ) -> None:
        """`oldest_open` gives a partition's first record that is read and not finished. `interval` in seconds;
        `stall_seconds` must be longer than a handler may take."""
        self._consumer = consumer
        self._ledgers = ledgers
        self._rebalance = rebalance
        self._oldest_open = oldest_open
        self._clock = clock
        self._metrics = metrics
        self._interval = interval
        self._stall_seconds = stall_seconds
        self._retention = {topic.name: topic.retention_ms / 1000 for topic in table() if topic.retention_ms > 0}
        self._ends: dict[Partition, int] = {}
        self._ends_at_rest: dict[Partition, int] = {}
        """The ends when something last moved, or nothing was to be done."""
        self._places: dict[Partition, tuple[int, int]] = {}
        self._moved_at = clock.monotonic()
        self._behind: dict[Partition, tuple[int, float]] = {}
        """First unfinished offset, and when it was first known to be there."""
        self._suspected: dict[Partition, str] = {}
        """Ids that topics were told to have, other than those they are read under."""
        self._shown: set[Partition] = set()
        self.answered_at: float | None = None
        """When (by the monotonic clock) the broker last told about the logs."""

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await self.look()
            await self._clock.sleep(self._interval)

    async def look(self) -> None:
        """Look once."""
        before = {partition: ledger.next for partition, ledger in self._ledgers.items()}
        try:
            bounds = await self._consumer.bounds(before.keys())
            topic_ids = await self._consumer.topic_ids({partition.topic for partition in before})
        except BrokerUnavailable as error:
            log.warning("the logs' ends could not be looked up: %s", error)
            return
        self.answered_at = self._clock.monotonic()
        for partition, bound in bounds.items():
            self._follow(partition, bound, before[partition], topic_ids.get(partition.topic))
        self._ends = {partition: bound.end for partition, bound in bounds.items()}
        self._note_movement()
        self._show()
        await self._rebalance.cancel_strays()

    def why_stalled(self) -> str | None:
        """What waits, when nothing was accepted or finished anywhere for `stall_seconds`; else None."""
        self._note_movement()
        seconds = self._clock.monotonic() - self._moved_at
        if seconds <= self._stall_seconds:
            return None
        waiting = sum(max(self._ends.get(p, 0), ledger.next) - ledger.low for p, ledger in self._ledgers.items())
        return f"nothing was accepted or finished for {seconds:.0f} s, and {waiting} records wait"

    def _follow(self, partition: Partition, bounds: Bounds, before: int, topic_id: str | None) -> None:
        ledger = self._ledgers.get(partition)
        if ledger is None:
            return
        if topic_id is not None and ledger.topic_id is None:
            ledger.topic_id = topic_id
        if topic_id is None or topic_id == ledger.topic_id:
            self._suspected.pop(partition, None)
        elif self._suspected.get(partition) == topic_id:
            del self._suspected[partition]
            self._rebalance.made_anew(partition, bounds.begin, topic_id)
            return
        else:
            # A broker that lags behind may have told the id of before.
            self._suspected[partition] = topic_id
        self._rebalance.move(partition, bounds, before)

    def _note_movement(self) -> None:
        places = {partition: (ledger.next, ledger.open) for partition, ledger in self._ledgers.items()}
        if places != self._places or not any(map(self._waits, self._ledgers.items())):
            self._moved_at = self._clock.monotonic()
            self._places = places
            self._ends_at_rest = self._ends

    def _waits(self, item: tuple[Partition, Ledger]) -> bool:
        partition, ledger = item
        end = self._ends.get(partition, 0)
        return (
            ledger.open > 0
            or end - ledger.next > UNREADABLE
            or end > max(ledger.next, self._ends_at_rest.get(partition, 0))
        )

    def _show(self) -> None:
        ages: dict[str, float] = {}
        for partition, ledger in self._ledgers.items():
            lag = max(self._ends.get(partition, 0) - ledger.low, 0)
            age = self._age(partition, ledger.low) if lag else 0.0
            if not lag:
                self._behind.pop(partition, None)
            ages[partition.topic] = max(ages.get(partition.topic, 0.0), age)
            labels = (partition.topic, str(partition.number))
            self._metrics.lag.labels(*labels).set(lag)
            self._metrics.lag_seconds.labels(*labels).set(age)
        for topic in ages.keys() & self._retention.keys():
            self._metrics.retention_headroom.labels(topic).set(self._retention[topic] - ages[topic])
        for partition in self._shown - self._ledgers.keys():
            # What is another member's now is told by that one.
            self._behind.pop(partition, None)
            self._suspected.pop(partition, None)
            self._metrics.lag.remove(partition.topic, str(partition.number))
            self._metrics.lag_seconds.remove(partition.topic, str(partition.number))
        for topic in {partition.topic for partition in self._shown} & self._retention.keys() - ages.keys():
            self._metrics.retention_headroom.remove(topic)
        self._shown = set(self._ledgers)

    def _age(self, partition: Partition, low: int) -> float:
        now = self._clock.monotonic()
        since = self._behind.get(partition)
        if since is None or since[0] != low:
            since = self._behind[partition] = (low, now)
        oldest = self._oldest_open(partition)
        if oldest is None or oldest.timestamp_ms is None:
            return now - since[1]
        return max(self._clock.now().timestamp() - oldest.timestamp_ms / 1000, 0.0)
