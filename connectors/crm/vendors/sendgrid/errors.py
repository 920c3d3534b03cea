"""What SendGrid's error answers mean for a mail. An answered error means that the mail was not taken.

Source: SendGrid v3 API reference, "Mail Send errors", "Rate Limits", "4XX API Errors".
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from connectors.crm.delays import header, number, retry_after
from connectors.crm.seam import (
    AuthBroken,
    ConfigBroken,
    ConnectorError,
    PermanentRefusal,
    QuotaSpent,
    RateLimited,
    Retryable,
)
from connectors.crm.vendor_words import fit

DEFAULT_PAUSE = 60.0
LONGEST_PAUSE = 300.0
"""Seconds."""


def error_of(
    status: int,
    headers: Mapping[str, str],
    document: Any,
    *,
    now: datetime,
    scope: str,
    hidden: Iterable[str] = (),
) -> ConnectorError:
    """The error for an answer; `document` is its body where that was JSON."""
    told = "; ".join(_told(document))
    words, code = fit(told or f"SendGrid answered HTTP {status}", hidden), str(status)
    if status == 429:
        return RateLimited(words, delay=_delay(headers, now), scope=scope)
    if status == 401:
        # The one 401 that has nothing to do with the key.
        spent = "maximum credits exceeded" in told.lower()
        return QuotaSpent(words, code=code) if spent else AuthBroken(words, code=code)
    if status == 403 or 300 <= status < 400:
        return ConfigBroken(words, code=code)
    if status >= 500 or status == 408:
        return Retryable(words, code=code)
    return PermanentRefusal(words, code=code)


def _told(document: Any) -> Iterator[str]:
    errors = document.get("errors") if isinstance(document, dict) else None
    for error in errors if isinstance(errors, list) else ():
        if isinstance(error, dict) and error.get("message"):
            where = f"{error['field']}: " if error.get("field") else ""
            yield f"{where}{error['message']}"


def _delay(headers: Mapping[str, str], now: datetime) -> float:
    asked = retry_after(headers, now)
    reset = number(header(headers, "X-RateLimit-Reset"))
    if asked is None and reset is not None:
        asked = max(0.0, reset - now.timestamp())
    return min(DEFAULT_PAUSE if asked is None else max(asked, 1.0), LONGEST_PAUSE)
