"""Publishing that does not give up: a broker that is away is no reason to lose a record or to run a handler twice.

Promise: `until_acknowledged` returns only after all in-sync replicas have the records. While the broker does not take
them it alarms (log and metrics) and tries again, with growing waits, for as long as it takes.
"""

import asyncio
import logging
from collections.abc import Sequence

from connectors.bus.seam import BusError, RecordTooLarge
from consumers.runtime.client import Departure, RawPublisher
from consumers.runtime.clock import Clock
from consumers.runtime.metrics import Metrics
from consumers.runtime.seam import Publication
from consumers.runtime.settings import RuntimeSettings
from consumers.runtime.tracing import traceparent_for
from schemas.headers import TRACEPARENT, RecordHeaders

log = logging.getLogger(__name__)


class Publishing:
    """Between outcomes and the producer."""

    def __init__(self, publisher: RawPublisher, *, settings: RuntimeSettings, clock: Clock, metrics: Metrics) -> None:
        self._publisher = publisher
        self._settings = settings
        self._clock = clock
        self._metrics = metrics

    async def until_acknowledged(self, departures: Sequence[Departure], *, must: bool = False) -> None:
        """Publish all of them. RecordTooLarge is raised, unless the records `must` be written: then it is an alarm."""
        left, wait, stuck = list(departures), self._settings.publish_backoff_seconds, False
        try:
            while left:
                left, errors = await self._publish(left)
                if not left:
                    return
                for error in errors:
                    if isinstance(error, RecordTooLarge) and not must:
                        raise error
                if must and not stuck:
                    stuck = True
                    self._metrics.stuck.inc()
                topics = ", ".join(sorted({departure.topic for departure in left}))
                log.error("not acknowledged: %s (%s); trying again in %.1f s", topics, errors[0], wait)
                await self._clock.sleep(wait)
                wait = min(wait * 2, self._settings.publish_backoff_limit_seconds)
        finally:
            if stuck:
                self._metrics.stuck.dec()

    async def _publish(self, departures: Sequence[Departure]) -> tuple[list[Departure], list[BusError]]:
        """What was not acknowledged, and why; what was is not sent again."""
        answers = await asyncio.gather(*map(self._publisher.publish, departures), return_exceptions=True)
        left, errors = [], []
        for departure, answer in zip(departures, answers, strict=True):
            if isinstance(answer, BusError):
                self._metrics.publish_failures.labels(departure.topic).inc()
                left.append(departure)
                errors.append(answer)
            elif isinstance(answer, BaseException):
                raise answer
            else:
                self._metrics.published.labels(departure.topic).inc()
        return left, errors


def departures_of(publications: Sequence[Publication], cause: RecordHeaders) -> list[Departure]:
    """A handler's publications, with the traceparent of the present span, or of the record they come from."""
    trace = traceparent_for(cause)
    departures = []
    for publication in publications:
        headers: tuple[tuple[str, bytes | None], ...] = publication.headers
        if trace is not None and not any(name == TRACEPARENT for name, _ in headers):
            headers = (*headers, (TRACEPARENT, trace.encode()))
        departures.append(Departure(publication.topic, publication.key, publication.value, headers))
    return departures
