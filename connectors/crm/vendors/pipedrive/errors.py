"""What Pipedrive's error answers mean for a lead. A POST is not idempotent: after a 5xx its effect is unknown.

Source: Pipedrive "Rate limiting" and API reference (HTTP status codes).
"""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from connectors.crm.delays import header, number, retry_after
from connectors.crm.seam import (
    AuthBroken,
    ConfigBroken,
    ConnectorError,
    EffectUnknown,
    PermanentRefusal,
    QuotaSpent,
    RateLimited,
    Retryable,
)
from connectors.crm.vendor_words import fit

BLOCK_PAUSE = 300.0
"""Seconds; after an edge block, which follows 429s that were ignored."""
BURST_PAUSE = 2.0
"""Seconds; the burst window."""
_PROBE = timedelta(hours=1)
_UNKNOWN_KEY = re.compile(
    r"\b[0-9a-f]{40}\b\W{0,4}(is not (a )?(known|allowed)|not allowed|unknown|does not exist)", re.I
)


def error_of(
    status: int,
    headers: Mapping[str, str],
    document: Mapping[str, Any] | None,
    *,
    creates: bool,
    now: datetime,
    scope: str,
    hidden: Iterable[str] = (),
) -> ConnectorError:
    """The error for an answer; `document` is None when the body is not a JSON object, `creates` means a POST."""
    told = document or {}
    raw = str(told.get("error") or told.get("message") or f"Pipedrive answered HTTP {status}")
    words, code = fit(raw, hidden), str(told.get("code") or status)
    if status == 429:
        return _slow_down(words, headers, now, scope)
    if status == 403 and document is None:
        return RateLimited(words, delay=BLOCK_PAUSE, scope=scope, code="403")
    if status == 401:
        return AuthBroken(words, code=code)
    if 300 <= status < 400 or status in (402, 403, 404, 410) or (status in (400, 422) and unknown_field(told)):
        return ConfigBroken(words, code=code)
    if status >= 500 or status == 408:
        return (EffectUnknown if creates else Retryable)(words, code=code)
    return PermanentRefusal(words, code=code)


def unknown_field(document: Mapping[str, Any]) -> bool:
    """Whether the company does not know a custom field's key that was sent."""
    return _UNKNOWN_KEY.search(str(document.get("error", ""))) is not None


def _slow_down(words: str, headers: Mapping[str, str], now: datetime, scope: str) -> ConnectorError:
    if number(header(headers, "x-daily-ratelimit-token-remaining")) == 0:
        # The budget comes back at midnight of a server whose zone nobody publishes.
        return QuotaSpent(words, until=now + _PROBE, code="daily")
    wait = number(header(headers, "x-ratelimit-reset"))
    asked = retry_after(headers, now)
    delay = max(asked if asked is not None else 0.0, wait if wait is not None else 0.0) or BURST_PAUSE
    return RateLimited(words, delay=min(delay, BLOCK_PAUSE), scope=scope)
