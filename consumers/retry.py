"""The retry daemon: holds what is to be tried again until it is due, and publishes it back to where it came from.

Reads the `retry.*` topics in order, one waiting record a partition: within a tier records become due in about the order
they were written, so whoever waits behind the first would wait anyway. Waiting costs a sleeping task, no polling.

Promises: a record comes back with key, value and headers as they were, marked for the group that asked, so that every
other group of its topic lets it pass. Where it does not fit there any more, with the headers that it has got meanwhile,
it goes to the topic's overflow topic. A crash between publishing and commit brings it back twice; handlers are harmless
to repeat. A record in a retry topic that says not where it belongs, or fits nowhere, becomes a dead letter.

It also releases what is parked and due (due_releases.py), where it is given a store.
"""

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from connectors.bus.seam import RecordTooLarge
from connectors.settings import ConnectionSettings
from connectors.store.seam import FullStore
from consumers.due_releases import DueReleases
from consumers.releasing import Releaser
from consumers.runtime.client import Arrival, Departure, Door
from consumers.runtime.clock import Clock
from consumers.runtime.daemon import describe, open_daemon
from consumers.runtime.failpoints import Failpoints
from consumers.runtime.failures import dead_letter_of, origin_of
from consumers.runtime.lifecycle import Background, Daemon, Plan
from consumers.runtime.metrics import Metrics
from consumers.runtime.publishing import Publishing
from consumers.runtime.seam import Failure
from consumers.runtime.settings import RuntimeSettings
from schemas.documents import Document
from schemas.headers import FAILURE_TOPIC, RETRY_DUE_AT, RETRY_FOR, RecordHeaders
from schemas.topics import DEAD_LETTERS, RETRY_TIERS, has_overflow, overflow, table

if TYPE_CHECKING:
    from faststream import FastStream

log = logging.getLogger(__name__)

NAME = "retry"
DESCRIPTION = "Publishes failed records back to the topics they came from when they are due."
LONGEST_SLEEP = 60.0
"""Seconds between looks at the wall clock, which may be set."""
GRACE_SECONDS = 1.0
"""Nothing here takes long but waiting, and what waits is read again."""
SLOTS = 1_000
"""More than the retry topics have partitions."""


class Retries:
    """What is done with a record of a retry topic."""

    def __init__(
        self, publishing: Publishing, *, group: str, clock: Clock, metrics: Metrics, failpoints: Failpoints
    ) -> None:
        self._publishing = publishing
        self._group = group
        self._clock = clock
        self._metrics = metrics
        self._failpoints = failpoints
        self._topics = frozenset(topic.name for topic in table()) - RETRY_TIERS.keys() - {DEAD_LETTERS}

    async def process(self, arrival: Arrival) -> None:
        """Wait until it is due, and publish it back."""
        headers = RecordHeaders.read(arrival.headers)
        topic, due_at = headers.get(FAILURE_TOPIC), _moment(headers.get(RETRY_DUE_AT))
        if topic not in self._topics or due_at is None or not headers.get(RETRY_FOR):
            await self._bury(arrival, headers, "not_a_retry", "the headers say not where, when or for whom")
            return
        while (wait := (due_at - self._clock.now()) / timedelta(seconds=1)) > 0:
            await self._clock.sleep(min(wait, LONGEST_SLEEP))
        kept = tuple((name, value) for name, value in arrival.headers if name != RETRY_DUE_AT)
        try:
            await self._return(Departure(topic, arrival.key, arrival.value, kept))
        except RecordTooLarge as error:
            await self._bury(arrival, headers, "record_too_large", str(error))
            return
        self._failpoints.hit("after_publish_before_commit")
        self._metrics.outcomes.labels("returned").inc()

    async def _return(self, departure: Departure) -> None:
        try:
            await self._publishing.until_acknowledged([departure])
        except RecordTooLarge:
            if not has_overflow(departure.topic):
                raise
            await self._publishing.until_acknowledged([replace(departure, topic=overflow(departure.topic))])

    async def _bury(self, arrival: Arrival, headers: RecordHeaders, reason: str, detail: str) -> None:
        origin = origin_of(arrival, headers, self._clock.now())
        failure = Failure(reason, detail, origin.attempt, origin.first_failed_at)
        group = headers.get(RETRY_FOR) or self._group
        letter = dead_letter_of(arrival, group=group, origin=origin, failure=failure)
        await self._publishing.until_acknowledged([letter], must=True)
        self._metrics.dead_letters.labels(reason).inc()
        self._metrics.outcomes.labels("dead").inc()
        log.error("dead letter: %s at %s/%d offset %d", reason, *arrival.partition, arrival.offset)


def build_retry_daemon(
    connections: ConnectionSettings,
    settings: RuntimeSettings,
    *,
    failpoints: Failpoints,
    clock: Clock,
    on_ready: Callable[[], None] | None = None,
    store: FullStore | None = None,
    owner: str = NAME,
    door: Door | None = None,
) -> Daemon:
    """The retry daemon, not started. Without a store nothing is released; `owner` names this process there.

    Without a `door` it goes to the Kafka that `connections` name.
    """
    metrics = Metrics.create()
    hasty = settings.model_copy(update={"grace_seconds": min(settings.grace_seconds, GRACE_SECONDS), "slots": SLOTS})
    daemon = open_daemon(_plan(), connections, hasty, clock=clock, metrics=metrics, on_ready=on_ready, door=door)
    retries = Retries(daemon.publishing, group=daemon.group, clock=clock, metrics=metrics, failpoints=failpoints)
    daemon.work_with(retries.process)
    if store is not None:
        releaser = Releaser(store, daemon.publishing.until_acknowledged, connections.topic_prefix, clock)
        daemon.run_beside(Background(DueReleases(store, releaser, owner=owner, clock=clock, metrics=metrics).run))
    return daemon


async def run_retry_daemon(
    connections: ConnectionSettings,
    settings: RuntimeSettings,
    *,
    failpoints: Failpoints,
    clock: Clock,
    on_ready: Callable[[], None] | None = None,
    store: FullStore | None = None,
    owner: str = NAME,
) -> None:
    """Run it until SIGTERM."""
    await build_retry_daemon(
        connections, settings, failpoints=failpoints, clock=clock, on_ready=on_ready, store=store, owner=owner
    ).run()


def build_retry_app(*, topic_prefix: str = "", bootstrap: str = "kafka:9092") -> "FastStream":
    """The application for AsyncAPI; it connects to nothing."""
    return describe(_plan(), topic_prefix=topic_prefix, bootstrap=bootstrap)


def _plan() -> Plan:
    return Plan(
        name=NAME,
        description=DESCRIPTION,
        reads=dict.fromkeys(RETRY_TIERS, Document),
        publishes={DEAD_LETTERS: Document},
        slots=SLOTS,
        lane_of=lambda arrival: arrival.partition,
    )


def _moment(text: str | None) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None
