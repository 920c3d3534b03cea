"""What Salesforce's error answers mean for a lead. Every write is an upsert: a fault that passes is `Retryable`.

Source: Salesforce REST API Developer Guide, "Status Codes and Error Responses"; "API Request Limits and Allocations".
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from connectors.crm.delays import retry_after
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

LONGEST_PAUSE = 300.0
"""Seconds; a longer wait is a spent quota."""
CONCURRENT_PAUSE = 5.0
"""Seconds; Salesforce names none for too many calls at once."""
_PROBE = timedelta(hours=1)

_BY_CODE: Final[dict[str, type[PermanentRefusal | Retryable | AuthBroken | ConfigBroken]]] = {
    "REQUIRED_FIELD_MISSING": PermanentRefusal,
    "INVALID_EMAIL_ADDRESS": PermanentRefusal,
    "STRING_TOO_LONG": PermanentRefusal,
    "FIELD_CUSTOM_VALIDATION_EXCEPTION": PermanentRefusal,
    "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST": PermanentRefusal,
    "CANNOT_UPDATE_CONVERTED_LEAD": PermanentRefusal,
    "JSON_PARSER_ERROR": PermanentRefusal,
    "DUPLICATES_DETECTED": PermanentRefusal,
    "UNABLE_TO_LOCK_ROW": Retryable,
    "SERVER_UNAVAILABLE": Retryable,
    "UNKNOWN_EXCEPTION": Retryable,
    "QUERY_TIMEOUT": Retryable,
    "STORAGE_LIMIT_EXCEEDED": ConfigBroken,
    "INVALID_SESSION_ID": AuthBroken,
    "INVALID_FIELD": ConfigBroken,
    "INVALID_FIELD_FOR_INSERT_UPDATE": ConfigBroken,
    "INVALID_TYPE": ConfigBroken,
    "API_DISABLED_FOR_ORG": ConfigBroken,
    "NOT_FOUND": ConfigBroken,
}


def error_of(
    status: int,
    details: Sequence[Mapping[str, Any]],
    headers: Mapping[str, str],
    *,
    now: datetime,
    scope: str,
    keys: frozenset[str],
    hidden: Iterable[str] = (),
) -> ConnectorError:
    """The error for an answer; `keys` are the External ID fields by which we write."""
    first = details[0] if details else {}
    code = str(first.get("errorCode") or status)
    words = fit(str(first.get("message") or f"Salesforce answered HTTP {status}"), hidden)
    if code == "REQUEST_LIMIT_EXCEEDED" or status == 429:
        return _limit(words, code, retry_after(headers, now), now, scope)
    if code == "DUPLICATE_VALUE":
        # Two upserts of one key raced; the next one finds the record and updates it.
        raced = any(key in _fields(first) or key in str(first.get("message", "")) for key in keys)
        return (Retryable if raced else PermanentRefusal)(words, code=code)
    if code.startswith("INSUFFICIENT_ACCESS"):
        return ConfigBroken(words, code=code)
    if code in _BY_CODE:
        return _BY_CODE[code](words, code=code)
    return _by_status(status)(words, code=code)


def record_is_missing(status: int, details: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a read by External ID found no record; an unknown object or field answers 404 with other words."""
    told = " ".join(str(detail.get("message", "")) for detail in details).lower()
    return status == 404 and "external id field" not in told


def _by_status(status: int) -> type[PermanentRefusal | Retryable | AuthBroken | ConfigBroken]:
    if status == 401:
        return AuthBroken
    if status in (403, 404, 410) or 300 < status < 400:
        return ConfigBroken
    if status >= 500 or status == 423:
        return Retryable
    return PermanentRefusal


def _limit(words: str, code: str, wait: float | None, now: datetime, scope: str) -> ConnectorError:
    if wait is not None and wait <= LONGEST_PAUSE:
        return RateLimited(words, delay=wait, scope=scope, code=code)
    if wait is not None:
        return QuotaSpent(words, until=now + timedelta(seconds=wait), code=code)
    if "concurrent" in words.lower() or code == "429":
        return RateLimited(words, delay=CONCURRENT_PAUSE, scope=scope, code=code)
    # The window of 24 hours rolls: nobody knows when calls come free, so an hour is a good time to ask.
    return QuotaSpent(words, until=now + _PROBE, code=code)


def _fields(detail: Mapping[str, Any]) -> Sequence[str]:
    listed = detail.get("fields")
    return listed if isinstance(listed, list) else ()
