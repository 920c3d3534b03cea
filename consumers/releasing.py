"""Releasing what is parked: it is published again for the stage that parked it, or ended by a person.

A released record goes through the overflow topic of the topic it came from, so that fresh leads go first, with the
headers it had, the group that it is for, the answer, and the id it was parked under.

Promise: a row is noted as released only when its record is on the topic. A crash in between publishes it twice, which
is harmless: both copies carry the same answer and id, decisions and effects are looked up before anything is done
again, an answer is used up once, and a copy that must wait again is a row of its own.

Fails with `CannotRelease`, which says why; whatever the store and the broker raise goes through.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from connectors.bus.seam import RecordTooLarge
from connectors.store.seam import Parked, Scope, Store
from consumers.plan import discarded
from consumers.publishing import outcome
from consumers.runtime.client import Arrival, Departure, Partition
from consumers.runtime.clock import Clock
from consumers.runtime.failures import dead_letter_of, origin_of, released_headers
from consumers.runtime.publishing import departures_of
from consumers.runtime.seam import Failure, Publication
from schemas import codec
from schemas.delivery import DeliveryOrder, FinalState
from schemas.envelope import Phase
from schemas.headers import RecordHeaders, Release
from schemas.topics import INBOUND, OVERFLOW_SUFFIX, has_overflow, overflow

Publish = Callable[[Sequence[Departure]], Awaitable[None]]
"""Returns when all in-sync replicas have all of them; RecordTooLarge when one of them will never fit."""

ONLY_FOR: Final[Mapping[Release, str]] = {
    Release.SENT: "effect_unknown",
    Release.NOT_SENT: "effect_unknown",
    Release.APPROVE: "held_by_rule",
}
"""Answers that mean something for one reason alone."""
TOO_LARGE: Final = "record_too_large"


class CannotRelease(Exception):
    """This row cannot be released so; the message says why, for a person."""


@dataclass(frozen=True, slots=True)
class Releaser:
    """Releases rows. `by` says who wants it: a person's name, or the daemon's."""

    store: Store
    publish: Publish
    topic_prefix: str
    clock: Clock

    async def release(self, scope: Scope, rows: Sequence[Parked], answer: Release, by: str) -> None:
        """Publish all of them in their order, then note it. CannotRelease before anything is done."""
        for row in rows:
            if (why := why_not(row, answer)) is not None:
                raise CannotRelease(f"{row.park_id}: {why}")
        if answer is Release.DISCARD:
            departures = [departure for row in rows for departure in self._end(row, by)]
        else:
            departures = [self._again(row, answer) for row in rows]
        try:
            await self.publish(departures)
        except RecordTooLarge:
            if len(rows) > 1:
                for row in rows:
                    await self.release(scope, [row], answer, by)
                return
            await self.publish([self._dead(rows[0])])
        for row in rows:
            await self.store.mark_released(scope, row.park_id)

    def _again(self, row: Parked, answer: Release) -> Departure:
        headers = released_headers(
            row.headers, group=self._group(row), answer=answer, park_id=row.park_id, parked_at=row.parked_at
        )
        return Departure(way_back(row.topic), row.request_id.encode(), row.record, tuple(headers))

    def _end(self, row: Parked, by: str) -> Sequence[Departure]:
        reason = f"discarded by {by}: it was parked by {row.stage} as {row.reason}"
        try:
            ended = self._final_states(row, reason)
        except (ValidationError, ValueError, TypeError, KeyError) as error:
            raise CannotRelease(f"{row.park_id}: this version cannot read the record, so it cannot end it") from error
        return departures_of(ended, RecordHeaders.read(row.headers))

    def _final_states(self, row: Parked, reason: str) -> Sequence[Publication]:
        document: Mapping[str, Any] = codec.loads(row.record)
        topic, now = row.topic.removesuffix(OVERFLOW_SUFFIX), self.clock.now()
        if row.stage == "recorder":
            return ()  # it keeps what others decide: nothing ends there
        if topic.startswith("deliver."):
            return discarded(DeliveryOrder.model_validate(document), document, reason, now)
        phase = Phase.RECEIVED if row.stage == "routing" and topic in INBOUND else Phase.ANALYZED
        return (outcome(document["envelope"], phase=phase, state=FinalState.FILTERED, reason=reason, at=now),)

    def _dead(self, row: Parked) -> Departure:
        arrival = Arrival(Partition(row.topic, -1), -1, row.request_id.encode(), row.record, tuple(row.headers))
        origin = origin_of(arrival, RecordHeaders.read(row.headers), self.clock.now())
        failure = Failure(TOO_LARGE, f"parked as {row.reason}, released", 0, origin.first_failed_at)
        return dead_letter_of(arrival, group=self._group(row), origin=origin, failure=failure)

    def _group(self, row: Parked) -> str:
        return f"{self.topic_prefix}leadbus.{row.stage}"


def way_back(topic: str) -> str:
    """The topic that a record parked from `topic` is released to."""
    bare = topic.removesuffix(OVERFLOW_SUFFIX)
    return overflow(bare) if has_overflow(bare) else topic


def why_not(row: Parked, answer: Release) -> str | None:
    """Why a row cannot be released with this answer; None when it can."""
    if row.released_at is not None:
        return f"it was released at {row.released_at.isoformat(timespec='seconds')}"
    reason = ONLY_FOR.get(answer)
    if reason is not None and row.reason != reason:
        return f"the answer {answer.value} is for what is parked as {reason}; this one is parked as {row.reason}"
    return None
