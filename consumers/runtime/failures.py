"""Retries, dead letters and moves: the original key, value and headers untouched, plus headers that say why.

The first failure's time and the first place are kept over all attempts and moves. What an earlier attempt added is
replaced, so a record never carries two reasons. The answer of a release goes along to retries, and no further; how
often and since when the record was parked goes along to its next parking. Pure: time and chance are arguments.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from consumers.runtime.client import Arrival, Departure
from consumers.runtime.seam import Failure, Place
from schemas.headers import (
    FAILURE_ATTEMPT,
    FAILURE_DETAIL,
    FAILURE_FIRST_AT,
    FAILURE_GROUP,
    FAILURE_OFFSET,
    FAILURE_PARTITION,
    FAILURE_REASON,
    FAILURE_TOPIC,
    FAILURE_TRACE,
    PARK_ID,
    PARKED_FIRST_AT,
    PARKED_TIMES,
    RELEASED,
    RETRY_DUE_AT,
    RETRY_FOR,
    RawHeaders,
    RecordHeaders,
    Release,
)
from schemas.topics import DEAD_LETTERS, RETRY_TIERS

OURS = frozenset(
    {
        FAILURE_ATTEMPT,
        FAILURE_DETAIL,
        FAILURE_FIRST_AT,
        FAILURE_GROUP,
        FAILURE_OFFSET,
        FAILURE_PARTITION,
        FAILURE_REASON,
        FAILURE_TOPIC,
        FAILURE_TRACE,
        PARK_ID,
        PARKED_FIRST_AT,
        PARKED_TIMES,
        RELEASED,
        RETRY_DUE_AT,
        RETRY_FOR,
    }
)
LONGEST_DETAIL = 500
LARGEST_JITTER = 0.1
"""Of the delay, added: a burst that failed together does not come back together."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where and when a record failed first."""

    topic: str
    partition: int
    offset: int
    first_failed_at: datetime
    attempt: int
    """How often it came back since."""


def attempt_of(headers: RecordHeaders) -> int:
    """How often the record came back through the retry topics."""
    text = headers.get(FAILURE_ATTEMPT) if headers.get(RETRY_FOR) else None
    return int(text) if text and text.isdigit() else 0


def first_place(headers: RecordHeaders, here: Place) -> Place:
    """Where the record lay before it was retried, moved or released."""
    if not headers.get(RETRY_FOR):
        return here
    try:
        partition, offset = int(headers.values[FAILURE_PARTITION]), int(headers.values[FAILURE_OFFSET])
        return Place(headers.values[FAILURE_TOPIC], partition, offset)
    except (KeyError, ValueError):
        return here


def origin_of(arrival: Arrival, headers: RecordHeaders, now: datetime) -> Origin:
    """The first failure of a record that fails now: from its headers when it came back, else here and now."""
    first = first_place(headers, Place(*arrival.partition, arrival.offset))
    return Origin(first.topic, first.partition, first.offset, _failed_before(headers) or now, attempt_of(headers))


def answer_of(headers: RecordHeaders) -> tuple[Release, str] | None:
    """The answer with which the record was released, and the id it was parked under; None for any other record.

    Ask only for records that are for this group: the runtime lets no other through to a handler.
    """
    answer, park_id = headers.get(RELEASED), headers.get(PARK_ID)
    if not headers.get(RETRY_FOR) or not park_id or answer not in set(Release):
        return None
    return Release(answer), park_id


def parked_before(headers: RecordHeaders) -> int:
    """How often a released record was parked; 0 for any other record."""
    text = headers.get(PARKED_TIMES) if answer_of(headers) is not None else None
    return int(text) if text and text.isdigit() else 0


def wait_for(delay: float, attempt: int) -> tuple[str, float]:
    """The retry tier and the seconds to wait there.

    The first time what the handler asked for; from then on at least the tier of the attempt, so that something that
    stays broken is tried less and less often. Never longer than the last tier, which repeats: a tier is read in order,
    so a record that waits much longer than its tier would hold up those behind it.
    """
    tiers = list(RETRY_TIERS.items())
    floor = tiers[min(attempt, len(tiers) - 1)][1] if attempt else 0.0
    wait = min(max(delay, floor, 0.0), tiers[-1][1])
    return next((topic, wait) for topic, seconds in tiers if wait <= seconds)


def retry_of(
    arrival: Arrival,
    *,
    tier: str,
    group: str,
    reason: str,
    detail: str,
    origin: Origin,
    due_at: datetime,
    trace: str | None = None,
) -> Departure:
    """The record on its way to a retry tier; `trace` is the `traceparent` of the attempt that failed."""
    extra = {
        **_why(group, reason, detail, origin, origin.attempt + 1),
        **({FAILURE_TRACE: trace} if trace is not None else {}),
        **_answered(arrival),
        RETRY_FOR: group,
        RETRY_DUE_AT: due_at.isoformat(),
    }
    return Departure(tier, arrival.key, arrival.value, _with(arrival, extra))


def moved_of(arrival: Arrival, *, topic: str, group: str, reason: str) -> Departure:
    """The record on its way to an overflow topic. It has not failed: attempt and first failure stay as they were."""
    headers = RecordHeaders.read(arrival.headers)
    kept = (FAILURE_ATTEMPT, FAILURE_FIRST_AT) if headers.get(RETRY_FOR) else ()
    extra = {
        FAILURE_REASON: reason,
        FAILURE_GROUP: group,
        **_place(first_place(headers, Place(*arrival.partition, arrival.offset))),
        **{name: text for name in kept if (text := headers.get(name)) is not None},
        **_answered(arrival),
        RETRY_FOR: group,
    }
    return Departure(topic, arrival.key, arrival.value, _with(arrival, extra))


def parked_headers(headers: RecordHeaders, here: Place) -> tuple[tuple[str, bytes], ...]:
    """What is kept of a record's headers while it is parked: its own, where it first lay, and its earlier parkings."""
    own = tuple((name, value) for name, value in headers.raw if value is not None and name not in OURS)
    extra = {**_place(first_place(headers, here)), **_parked_so_far(headers)}
    return own + tuple((name, text.encode()) for name, text in extra.items())


def released_headers(
    kept: RawHeaders, *, group: str, answer: Release, park_id: str, parked_at: datetime | None
) -> RawHeaders:
    """The headers of a parked record that is published again for its group; `parked_at` as the store tells it."""
    before = RecordHeaders.read(kept)
    times, first = before.get(PARKED_TIMES) or "", before.get(PARKED_FIRST_AT)
    extra = {
        RETRY_FOR: group,
        RELEASED: answer.value,
        PARK_ID: park_id,
        PARKED_TIMES: str(int(times) + 1 if times.isdigit() else 1),
        PARKED_FIRST_AT: first or (parked_at.isoformat() if parked_at is not None else None),
    }
    rest = tuple(pair for pair in kept if pair[0] not in extra)
    return rest + tuple((name, text.encode()) for name, text in extra.items() if text is not None)


def dead_letter_of(arrival: Arrival, *, group: str, origin: Origin, failure: Failure) -> Departure:
    """The record on its way to the dead letters."""
    extra = _why(group, failure.reason, failure.detail, origin, failure.attempt)
    return Departure(DEAD_LETTERS, arrival.key, arrival.value, _with(arrival, extra))


def due_at(now: datetime, wait: float, chance: float) -> datetime:
    """When a retry is due; `chance` from 0 to 1."""
    return now + timedelta(seconds=wait * (1 + LARGEST_JITTER * chance))


def untouched(arrival: Arrival) -> tuple[tuple[str, bytes | None], ...]:
    """The headers that the record had before it failed."""
    return tuple((name, value) for name, value in arrival.headers if name not in OURS)


def _why(group: str, reason: str, detail: str, origin: Origin, attempt: int) -> Mapping[str, str]:
    return {
        FAILURE_REASON: reason,
        FAILURE_DETAIL: detail[:LONGEST_DETAIL],
        FAILURE_GROUP: group,
        **_place(Place(origin.topic, origin.partition, origin.offset)),
        FAILURE_ATTEMPT: str(attempt),
        FAILURE_FIRST_AT: origin.first_failed_at.isoformat(),
    }


def _place(place: Place) -> Mapping[str, str]:
    return {
        FAILURE_TOPIC: place.topic,
        FAILURE_PARTITION: str(place.partition),
        FAILURE_OFFSET: str(place.offset),
    }


def _answered(arrival: Arrival) -> Mapping[str, str]:
    headers = RecordHeaders.read(arrival.headers)
    answer = answer_of(headers)
    return {} if answer is None else {RELEASED: answer[0].value, PARK_ID: answer[1], **_parked_so_far(headers)}


def _parked_so_far(headers: RecordHeaders) -> Mapping[str, str]:
    if answer_of(headers) is None:
        return {}
    return {name: text for name in (PARKED_TIMES, PARKED_FIRST_AT) if (text := headers.get(name)) is not None}


def _failed_before(headers: RecordHeaders) -> datetime | None:
    try:
        first = datetime.fromisoformat(headers.get(FAILURE_FIRST_AT) or "") if headers.get(RETRY_FOR) else None
    except ValueError:
        return None
    return first if first is not None and first.tzinfo is not None else None


def _with(arrival: Arrival, extra: Mapping[str, str]) -> tuple[tuple[str, bytes | None], ...]:
    return untouched(arrival) + tuple((name, value.encode()) for name, value in extra.items())
