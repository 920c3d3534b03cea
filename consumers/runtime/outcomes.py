"""What becomes of a record: the one place where handlers' results and errors turn into records elsewhere.

    result               its publications, acknowledged
    RetryAfter, timeout  a retry tier, until it is given up
    Park                 the store
    Permanent, Poison    a dead letter, with the final states the daemon names
    anything else        a few quick tries, then a dead letter: a fault of ours
    not for us           nothing: it came back for another group

Promise: `process` returns only when that is durable, so its caller may finish the offset. While it cannot be written,
the record stays open, an alarm is up, and it is tried again. Only cancelling ends that; then the record is run again.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from random import Random
from typing import Generic, Protocol

from tenacity import AsyncRetrying, retry_if_not_exception_type, stop_after_attempt, wait_exponential

from connectors.bus.seam import RecordTooLarge
from connectors.store.seam import Parked
from consumers.runtime.client import Arrival
from consumers.runtime.clock import Clock
from consumers.runtime.failpoints import Failpoints
from consumers.runtime.failures import dead_letter_of, due_at, origin_of, retry_of, untouched, wait_for
from consumers.runtime.metrics import Metrics
from consumers.runtime.publishing import Publishing, departures_of
from consumers.runtime.reading import read_record
from consumers.runtime.seam import (
    D,
    DaemonSpec,
    Failure,
    HandlerError,
    Park,
    Permanent,
    Place,
    Poison,
    Publication,
    Record,
    RetryAfter,
)
from consumers.runtime.settings import RuntimeSettings
from schemas.headers import EVENT_ID, REQUEST_ID, RETRY_FOR, TENANT, RecordHeaders
from schemas.identity import derive

log = logging.getLogger(__name__)

GAVE_UP = "gave_up"
HANDLER_FAILED = "handler_failed"
HANDLER_TIMEOUT = "handler_timeout"
RECORD_TOO_LARGE = "record_too_large"


class Parking(Protocol):
    """Keeps what waits. Parking the same `park_id` again changes nothing; any error means: not kept, try again."""

    async def park(self, tenant_id: str, parked: Parked) -> None:
        """Returns once it is durable."""
        ...


class Outcomes(Generic[D]):
    """For one daemon."""

    def __init__(
        self,
        spec: DaemonSpec[D],
        *,
        group: str,
        publishing: Publishing,
        parking: Parking,
        settings: RuntimeSettings,
        clock: Clock,
        chance: Random,
        metrics: Metrics,
        failpoints: Failpoints,
    ) -> None:
        self._spec = spec
        self._group = group
        self._publishing = publishing
        self._parking = parking
        self._settings = settings
        self._clock = clock
        self._chance = chance
        self._metrics = metrics
        self._failpoints = failpoints

    async def process(self, arrival: Arrival) -> None:
        """Handle a record to its end."""
        headers = RecordHeaders.read(arrival.headers)
        if headers.get(RETRY_FOR) not in (None, self._group):
            self._metrics.outcomes.labels("not_for_us").inc()
            return
        record: Record[D] | None = None
        try:
            record = read_record(self._spec, arrival, headers)
            publications = await self._handle(record)
            await self._publishing.until_acknowledged(departures_of(publications, headers))
        except RetryAfter as error:
            outcome = await self._retry(arrival, headers, record, error)
        except Park as error:
            outcome = await self._park(arrival, headers, error)
        except RecordTooLarge as error:
            refusal = Permanent(RECORD_TOO_LARGE, str(error))
            outcome = await self._bury(arrival, headers, record, refusal)
        except HandlerError as error:
            outcome = await self._bury(arrival, headers, record, error)
        else:
            outcome = "done"
        self._failpoints.hit("after_publish_before_commit")
        self._metrics.outcomes.labels(outcome).inc()

    async def _handle(self, record: Record[D]) -> Sequence[Publication]:
        began, outcome = self._clock.monotonic(), "error"
        try:
            async for attempt in AsyncRetrying(
                retry=retry_if_not_exception_type((HandlerError, asyncio.CancelledError)),
                stop=stop_after_attempt(self._settings.quick_tries),
                wait=wait_exponential(multiplier=self._settings.quick_try_wait_seconds),
                sleep=self._clock.sleep,
                reraise=True,
            ):
                with attempt:
                    publications = await self._handle_once(record)
            outcome = "done"
        except HandlerError as error:
            outcome = type(error).__name__
            raise
        except Exception as error:
            # The name of the error and where: its text may hold somebody's name.
            where = _where(error)
            log.error("%s failed at %s: %s", self._spec.name, where, type(error).__name__)
            raise Permanent(HANDLER_FAILED, f"{type(error).__name__} at {where}") from error
        finally:
            self._metrics.handler_seconds.labels(outcome).observe(self._clock.monotonic() - began)
        return publications

    async def _handle_once(self, record: Record[D]) -> Sequence[Publication]:
        limit = self._spec.handler_timeout
        try:
            async with asyncio.timeout(limit) as scope:
                return await self._spec.handler(record)
        except TimeoutError as error:
            if scope.expired():
                raise RetryAfter(HANDLER_TIMEOUT, f"not done within {limit:g} s") from error
            raise

    async def _retry(
        self, arrival: Arrival, headers: RecordHeaders, record: Record[D] | None, error: RetryAfter
    ) -> str:
        now = self._clock.now()
        origin = origin_of(arrival, headers, now)
        tier, wait = wait_for(error.delay, origin.attempt)
        patience = self._settings.give_up_after_seconds if error.give_up_after is None else error.give_up_after
        if now + timedelta(seconds=wait) > origin.first_failed_at + timedelta(seconds=patience):
            refusal = Permanent(GAVE_UP, f"after {origin.attempt} retries: {error}")
            return await self._bury(arrival, headers, record, refusal)
        due = due_at(now, wait, self._chance.random())
        departure = retry_of(
            arrival,
            tier=tier,
            group=self._group,
            reason=error.reason,
            detail=error.detail,
            origin=origin,
            due_at=due,
        )
        await self._publishing.until_acknowledged([departure], must=True)
        self._metrics.retries.labels(tier, error.reason).inc()
        return "retry"

    async def _park(self, arrival: Arrival, headers: RecordHeaders, error: Park) -> str:
        tenant = headers.values[TENANT]
        topic, partition = arrival.partition
        parked = Parked(
            # Of the place, not of the event alone: a released record that has to wait again is a new row.
            park_id=derive("parked", self._group, topic, partition, arrival.offset, headers.values[EVENT_ID]),
            stage=self._spec.name,
            reason=error.reason,
            detail=error.detail,
            event_id=headers.values[EVENT_ID],
            request_id=headers.values[REQUEST_ID],
            topic=topic,
            record=arrival.value or b"",
            headers=tuple((name, value) for name, value in untouched(arrival) if value is not None),
            connector_id=error.connector_id,
            due=error.due,
        )
        await self._until_done(lambda: self._parking.park(tenant, parked), "park")
        self._metrics.parked.labels(error.reason).inc()
        return "parked"

    async def _bury(
        self, arrival: Arrival, headers: RecordHeaders, record: Record[D] | None, error: HandlerError
    ) -> str:
        origin = origin_of(arrival, headers, self._clock.now())
        failure = Failure(error.reason, error.detail, origin.attempt, origin.first_failed_at)
        letter = dead_letter_of(arrival, group=self._group, origin=origin, failure=failure)
        last_words = departures_of(self._last_words(arrival, headers, record, failure), headers)
        await self._publishing.until_acknowledged([letter], must=True)
        try:
            await self._publishing.until_acknowledged(last_words)
        except RecordTooLarge as too_large:
            # The dead letter tells it; trying for ever would block the partition.
            log.critical("%s could not publish the final states: %s", self._spec.name, too_large)
        self._metrics.dead_letters.labels(error.reason).inc()
        log.error("dead letter: %s at %s/%d offset %d", error.reason, *arrival.partition, arrival.offset)
        return "poison" if isinstance(error, Poison) else "dead"

    def _last_words(
        self, arrival: Arrival, headers: RecordHeaders, record: Record[D] | None, failure: Failure
    ) -> Sequence[Publication]:
        try:
            if record is not None:
                return self._spec.on_dead(record, failure)
            return self._spec.on_unreadable(Place(*arrival.partition, arrival.offset), headers, failure)
        except Exception as error:  # noqa: BLE001  a fault there must not keep the dead letter from being written
            log.critical("%s could not name the final states: %s", self._spec.name, type(error).__name__)
            return ()

    async def _until_done(self, effect: Callable[[], Awaitable[None]], what: str) -> None:
        wait, stuck = self._settings.publish_backoff_seconds, False
        try:
            while True:
                try:
                    return await effect()
                except Exception as error:  # noqa: BLE001  whatever the store's trouble is, the record stays open
                    if not stuck:
                        stuck = True
                        self._metrics.stuck.inc()
                    log.error("could not %s (%s), trying again in %.1f s", what, type(error).__name__, wait)
                await self._clock.sleep(wait)
                wait = min(wait * 2, self._settings.publish_backoff_limit_seconds)
        finally:
            if stuck:
                self._metrics.stuck.dec()


def _where(error: BaseException) -> str:
    trace = error.__traceback__
    if trace is None:
        return "unknown"
    while trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_globals.get('__name__', '?')}:{trace.tb_lineno}"
