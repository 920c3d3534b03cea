"""Parking: what cannot go now and has no date soon becomes a row in the store, and its offset is free.

Promise: `park` returns only when the row is durable. While the store does not answer, the record stays open, an alarm
is up, and it is tried again. The one end besides success is `Invalid` of the store's seam: the row can never be kept.

What waits for a newer version of the daemon has no date of its own: it is due after an hour, then every six hours, so
that it comes back by itself once that version runs. Being parked again is no failure and counts against no limit.
"""

import logging
from datetime import datetime, timedelta
from typing import Final, Protocol

from connectors.store.seam import Invalid, Parked
from consumers.runtime.client import Arrival
from consumers.runtime.clock import Clock
from consumers.runtime.failures import parked_before, parked_headers
from consumers.runtime.metrics import Metrics
from consumers.runtime.seam import Park, Place
from consumers.runtime.settings import RuntimeSettings
from schemas.headers import EVENT_ID, REQUEST_ID, TENANT, RecordHeaders
from schemas.identity import derive

log = logging.getLogger(__name__)

LONGEST_ID = 64
"""Characters of an id that the store takes; ids of ours have 36."""
UPDATE_WAITS: Final = (timedelta(hours=1), timedelta(hours=6))
"""How long a record waits for a newer version the first time, and every time after: a roll-out takes minutes, one that
is put off takes days, and each look costs a trip through the overflow topic."""


class Parking(Protocol):
    """Keeps what waits. Parking the same `park_id` again changes nothing.

    `Invalid` of the store's seam means that it can never be kept; any other error: not kept, try again.
    """

    async def park(self, tenant_id: str, parked: Parked) -> None:
        """Returns once it is durable."""
        ...


class ParkingAttendant:
    """Parks the records of one daemon."""

    def __init__(
        self, parking: Parking, *, stage: str, group: str, settings: RuntimeSettings, clock: Clock, metrics: Metrics
    ) -> None:
        self._parking = parking
        self._stage = stage
        self._group = group
        self._settings = settings
        self._clock = clock
        self._metrics = metrics

    async def park(self, arrival: Arrival, headers: RecordHeaders, why: Park) -> None:
        """Keep the record under the tenant that its headers name; raises Invalid."""
        place = Place(*arrival.partition, arrival.offset)
        parked = Parked(
            # Of the place, not of the event alone: a released record that has to wait again is a new row, so that
            # noting the release of the first row never hides it.
            park_id=derive("parked", self._group, *arrival.partition, arrival.offset, headers.get(EVENT_ID) or ""),
            stage=self._stage,
            reason=why.reason,
            detail=why.detail,
            event_id=(headers.get(EVENT_ID) or "")[:LONGEST_ID],
            request_id=(headers.get(REQUEST_ID) or "")[:LONGEST_ID],
            topic=place.topic,
            record=arrival.value or b"",
            headers=parked_headers(headers, place),
            connector_id=why.connector_id,
            due=self._due(headers, why),
        )
        await self._until_kept(headers.get(TENANT) or "", parked)
        self._metrics.parked.labels(why.reason).inc()

    def _due(self, headers: RecordHeaders, why: Park) -> datetime | None:
        if why.due is not None or not why.update:
            return why.due
        return self._clock.now() + UPDATE_WAITS[min(parked_before(headers), len(UPDATE_WAITS) - 1)]

    async def _until_kept(self, tenant_id: str, parked: Parked) -> None:
        wait, stuck = self._settings.publish_backoff_seconds, False
        try:
            while True:
                try:
                    return await self._parking.park(tenant_id, parked)
                except Invalid:
                    raise
                except Exception as error:  # noqa: BLE001  whatever the store's trouble is, the record stays open
                    if not stuck:
                        stuck = True
                        self._metrics.stuck.inc()
                    log.error("could not park (%s), trying again in %.1f s", type(error).__name__, wait)
                await self._clock.sleep(wait)
                wait = min(wait * 2, self._settings.publish_backoff_limit_seconds)
        finally:
            if stuck:
                self._metrics.stuck.dec()
