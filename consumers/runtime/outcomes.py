"""What becomes of a record: the one place where handlers' results and errors turn into records elsewhere.

    result               its publications, acknowledged
    RetryAfter, timeout  a retry tier, until it is given up
    Park                 the store
    Permanent, Poison    a dead letter, with the final states the daemon names; held or parked where holding.py says so
    anything else        a few quick tries, then a dead letter: a fault of ours
    not for us           nothing: it came back for another group

Promise: `process` returns only when that is durable, so its caller may finish the offset. While it cannot be written,
the record stays open, an alarm is up, and it is tried again. Only cancelling ends that; then the record is run again.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Collection, Sequence
from datetime import timedelta
from random import Random
from typing import Generic

from connectors.bus.seam import RecordTooLarge
from connectors.store.seam import Invalid
from connectors.tracing import current_traceparent
from consumers.runtime.aside import Later
from consumers.runtime.client import Arrival
from consumers.runtime.clock import Clock
from consumers.runtime.failpoints import Failpoints
from consumers.runtime.failures import dead_letter_of, due_at, origin_of, retry_of, wait_for
from consumers.runtime.handling import Handling, Result
from consumers.runtime.holding import Held, Holding, Verdict
from consumers.runtime.metrics import Children, Metrics
from consumers.runtime.parking import Parking as Parking
from consumers.runtime.parking import ParkingAttendant
from consumers.runtime.publishing import Publishing, departures_of
from consumers.runtime.reading import Unreadable, read_record
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
from consumers.runtime.tally import Tally
from consumers.runtime.tracing import of_batch, record_ended
from schemas.headers import RETRY_FOR, TENANT, RecordHeaders

log = logging.getLogger(__name__)

GAVE_UP = "gave_up"
RECORD_TOO_LARGE = "record_too_large"
CANNOT_BE_PARKED = "cannot_be_parked"
TENANT_OVER_LIMIT = "tenant_over_dead_letter_limit"


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
        holding: Holding | None = None,
    ) -> None:
        """Without `holding` there are no dead-letter limits."""
        self._spec = spec
        self._group = group
        self._publishing = publishing
        self._attendant = ParkingAttendant(
            parking, stage=spec.name, group=group, settings=settings, clock=clock, metrics=metrics
        )
        self._settings = settings
        self._clock = clock
        self._chance = chance
        self._metrics = metrics
        self._failpoints = failpoints
        self._holding = holding
        self._handling = Handling(spec, settings=settings, clock=clock, metrics=metrics)
        self._ends = Children(metrics.outcomes)
        self._common_ends: Tally[str] = Tally(lambda outcome, count: self._ends[outcome].inc(count))
        self._fine: Tally[str | None] = Tally(self._tell_fine)

    async def process(self, arrival: Arrival) -> None:
        """Handle a record to its end."""
        headers = RecordHeaders.read(arrival.headers)
        if headers.get(RETRY_FOR) not in (None, self._group):
            self._common_ends.count("not_for_us")
            return
        record: Record[D] | None = None
        result: Result
        try:
            record = read_record(self._spec, arrival, headers)
            result = await self._handling.handle(record)
        except HandlerError as error:
            result = error
        await self._end(arrival, headers, record, result)

    async def together(
        self, arrivals: Sequence[Arrival], ended: Callable[[int, Later | None], None]
    ) -> Collection[int]:
        """Handle records in one call, each to an end of its own; returns the places of those to be handled alone."""
        records: dict[int, Record[D]] = {}
        ends: list[tuple[int, RecordHeaders, Record[D] | None, Result]] = []
        for place, arrival in enumerate(arrivals):
            headers = RecordHeaders.read(arrival.headers)
            if headers.get(RETRY_FOR) not in (None, self._group):
                self._common_ends.count("not_for_us")
                ended(place, None)
                continue
            try:
                records[place] = read_record(self._spec, arrival, headers)
            except HandlerError as error:
                ends.append((place, headers, None, error))
        results = await self._handling.handle_together(list(records.values())) if records else ()
        for (place, record), result in zip(records.items(), results or (), strict=results is not None):
            ends.append((place, record.headers, record, result))

        async def end(place: int, headers: RecordHeaders, record: Record[D] | None, result: Result) -> None:
            later: Later | None = None
            with of_batch(place):
                try:
                    await self._end(arrivals[place], headers, record, result)
                except Later as its_end:
                    later = its_end
            ended(place, later)

        # Each for itself: one that cannot be written yet must not keep the others open.
        answers = await asyncio.gather(*(end(*one) for one in ends), return_exceptions=True)
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer
        return records.keys() if results is None else ()

    async def _end(
        self,
        arrival: Arrival,
        headers: RecordHeaders,
        record: Record[D] | None,
        result: Result,
    ) -> None:
        try:
            if isinstance(result, HandlerError):
                raise result
            if result:
                await self._publishing.until_acknowledged(departures_of(result, headers))
        except RetryAfter as error:
            outcome = await self._retry(arrival, headers, record, error)
        except Park as error:
            outcome = await self._park(arrival, headers, record, error)
            self._well(headers)
        except RecordTooLarge as error:
            refusal = Permanent(RECORD_TOO_LARGE, str(error))
            outcome = await self._bury(arrival, headers, record, refusal)
        except Unreadable as error:
            outcome = await self._bury(arrival, headers, None, error)
        except HandlerError as error:
            outcome = await self._bury(arrival, headers, record, error)
        else:
            self._well(headers)
            self._failpoints.hit("after_publish_before_commit")
            self._common_ends.count("done")
            record_ended("done")
            return
        self._failpoints.hit("after_publish_before_commit")
        self._ends[outcome].inc()
        record_ended(outcome)

    async def _retry(
        self, arrival: Arrival, headers: RecordHeaders, record: Record[D] | None, error: RetryAfter
    ) -> str:
        now = self._clock.now()
        origin = origin_of(arrival, headers, now)
        tier, wait = wait_for(error.delay, origin.attempt)
        patience = self._settings.give_up_after_seconds if error.give_up_after is None else error.give_up_after
        if now + timedelta(seconds=wait) > origin.first_failed_at + timedelta(seconds=patience):
            refusal = Permanent(GAVE_UP, f"after {origin.attempt} retries: {error}")
            # It had all the time it was given: no fault of this release.
            return await self._write_dead_letter(arrival, headers, record, refusal)
        due = due_at(now, wait, self._chance.random())
        departure = retry_of(
            arrival,
            tier=tier,
            group=self._group,
            reason=error.reason,
            detail=error.detail,
            origin=origin,
            due_at=due,
            trace=current_traceparent(),
        )
        await self._publishing.until_acknowledged([departure], must=True)
        self._metrics.retries.labels(tier, error.reason).inc()
        return "retry"

    async def _park(self, arrival: Arrival, headers: RecordHeaders, record: Record[D] | None, why: Park) -> str:
        try:
            await self._attendant.park(arrival, headers, why)
        except Invalid as error:
            refusal = Permanent(CANNOT_BE_PARKED, f"{why.reason}: {error}")
            return await self._write_dead_letter(arrival, headers, record, refusal)
        return "parked"

    async def _bury(
        self, arrival: Arrival, headers: RecordHeaders, record: Record[D] | None, error: HandlerError
    ) -> str:
        """The end of what will never work, once the dead-letter limits have said which; raises Later."""
        verdict = self._judge(headers, error)
        if isinstance(verdict, Held):
            held = verdict
            raise Later(lambda: self._bury_later(held, arrival, headers, record, error), held.drop)
        return await self._end_as(verdict, arrival, headers, record, error)

    async def _bury_later(
        self, held: Held, arrival: Arrival, headers: RecordHeaders, record: Record[D] | None, error: HandlerError
    ) -> None:
        verdict: Verdict | Held = held
        while isinstance(verdict, Held):
            try:
                await verdict.wait()
            finally:
                verdict.drop()
            verdict = self._judge(headers, error)
        outcome = await self._end_as(verdict, arrival, headers, record, error)
        self._metrics.outcomes.labels(outcome).inc()

    def _judge(self, headers: RecordHeaders, error: HandlerError) -> Verdict | Held:
        return Verdict(park=False) if self._holding is None else self._holding.judge(headers, error.reason)

    async def _end_as(
        self,
        verdict: Verdict,
        arrival: Arrival,
        headers: RecordHeaders,
        record: Record[D] | None,
        error: HandlerError,
    ) -> str:
        if not verdict.park:
            return await self._write_dead_letter(arrival, headers, record, error)
        if verdict.due is None:
            return await self._park(arrival, headers, record, Park(error.reason, error.detail))
        return await self._park(arrival, headers, record, Park(TENANT_OVER_LIMIT, str(error), due=verdict.due))

    async def _write_dead_letter(
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
                with contextlib.suppress(Unreadable):
                    return self._spec.on_dead(record, failure)
            return self._spec.on_unreadable(Place(*arrival.partition, arrival.offset), headers, failure)
        except Exception as error:  # noqa: BLE001  a fault there must not keep the dead letter from being written
            log.critical("%s could not name the final states: %s", self._spec.name, type(error).__name__)
            return ()

    def _well(self, headers: RecordHeaders) -> None:
        self._fine.count(headers.get(TENANT))

    def _tell_fine(self, tenant: str | None, records: int) -> None:
        if self._holding is not None:
            self._holding.fine(tenant, records)
