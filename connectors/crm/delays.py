"""How long a vendor asks us to wait, read from its headers."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds of `Retry-After`, which may be a number or an HTTP date; None when it is missing or unreadable.

    Never negative. Names of headers are compared without regard to case.
    """
    text = header(headers, "Retry-After")
    if text is None:
        return None
    seconds = number(text)
    if seconds is not None:
        return max(0.0, seconds)
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    at = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
    return max(0.0, (at - now).total_seconds())


def header(headers: Mapping[str, str], name: str) -> str | None:
    """A header's value, its name compared without regard to case."""
    return next((value.strip() for key, value in headers.items() if key.lower() == name.lower()), None)


def number(text: str | None) -> float | None:
    """A finite number, or None."""
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None
