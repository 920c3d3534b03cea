"""Vendors' times as instants. Never raises: a time that cannot be read is None, and the lead goes on without it."""

from datetime import UTC, datetime
from typing import Any


def moment_of(value: Any) -> datetime | None:
    """An ISO 8601 text (naive ones are UTC) as an instant in UTC between 1990 and 2100, else None."""
    if not isinstance(value, str) or not 8 <= len(value) <= 40:
        return None
    try:
        moment = datetime.fromisoformat(value.strip())
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        moment = moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return moment if 1990 <= moment.year < 2100 else None


def micros(moment: datetime | None) -> int | None:
    """Microseconds since 1970, the unit of `Revision.sequence`."""
    return None if moment is None else round(moment.timestamp() * 1_000_000)
