"""Retries and dead letters: the original key, value and headers untouched, plus headers that say why.

The first failure's time and place are kept over all attempts. What an earlier attempt added is replaced, so a record
never carries two reasons. Pure: time and chance are arguments.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from consumers.runtime.client import Arrival, Departure
from consumers.runtime.seam import Failure
from schemas.headers import (
    FAILURE_ATTEMPT,
    FAILURE_DETAIL,
    FAILURE_FIRST_AT,
    FAILURE_GROUP,
    FAILURE_OFFSET,
    FAILURE_PARTITION,
    FAILURE_REASON,
    FAILURE_TOPIC,
    RETRY_DUE_AT,
    RETRY_FOR,
    RecordHeaders,
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


def origin_of(arrival: Arrival, headers: RecordHeaders, now: datetime) -> Origin:
    """The first failure of a record that fails now: from its headers when it came back, else here and now."""
    here = Origin(arrival.partition.topic, arrival.partition.number, arrival.offset, now, attempt_of(headers))
    if not headers.get(RETRY_FOR):
        return here
    try:
        first = datetime.fromisoformat(headers.values[FAILURE_FIRST_AT])
        partition, offset = int(headers.values[FAILURE_PARTITION]), int(headers.values[FAILURE_OFFSET])
        topic = headers.values[FAILURE_TOPIC]
    except (KeyError, ValueError):
        return here
    return here if first.tzinfo is None else Origin(topic, partition, offset, first, here.attempt)


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
    arrival: Arrival, *, tier: str, group: str, reason: str, detail: str, origin: Origin, due_at: datetime
) -> Departure:
    """The record on its way to a retry tier."""
    extra = {
        **_why(group, reason, detail, origin, origin.attempt + 1),
        RETRY_FOR: group,
        RETRY_DUE_AT: due_at.isoformat(),
    }
    return Departure(tier, arrival.key, arrival.value, _with(arrival, extra))


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
        FAILURE_TOPIC: origin.topic,
        FAILURE_PARTITION: str(origin.partition),
        FAILURE_OFFSET: str(origin.offset),
        FAILURE_ATTEMPT: str(attempt),
        FAILURE_FIRST_AT: origin.first_failed_at.isoformat(),
    }


def _with(arrival: Arrival, extra: Mapping[str, str]) -> tuple[tuple[str, bytes | None], ...]:
    return untouched(arrival) + tuple((name, value.encode()) for name, value in extra.items())
