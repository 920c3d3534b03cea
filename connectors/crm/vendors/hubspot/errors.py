"""What HubSpot's error answers mean for a lead. Every write here is an upsert, so a fault that passes is `Retryable`.

Source: HubSpot developer documentation, "Error handling" and "API usage guidelines and limits".
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

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
from schemas import codec

LONGEST_PAUSE = 300.0
"""Seconds; a longer wait is a spent quota."""
_POLICY_SECONDS = {"TEN_SECONDLY_ROLLING": 10.0, "SECONDLY": 1.0}
_MOVED_SECONDS = 24 * 3600.0
_EXISTING = re.compile(r"Existing ID:\s*(\d+)")


def error_of(
    status: int,
    document: Mapping[str, Any],
    headers: Mapping[str, str],
    *,
    now: datetime,
    scope: str,
    hidden: Iterable[str] = (),
    time_zone: str | None = None,
) -> ConnectorError:
    """The error for an answer with that status and body. 409 is for the conflict recipe; here it is final."""
    words = fit(str(document.get("message") or f"HubSpot answered HTTP {status}"), hidden)
    code = str(document.get("category") or status)
    wait = retry_after(headers, now)
    if status == 429:
        return _slow_down(words, code, str(document.get("policyName", "")), wait, now, scope, time_zone)
    if status == 477:
        return QuotaSpent(words, until=now + timedelta(seconds=wait or _MOVED_SECONDS), code="477")
    if status == 401:
        return AuthBroken(words, code=code)
    if status == 403 or 300 <= status < 400 or unknown_property(document):
        return ConfigBroken(words, code=code)
    if status == 423 or status >= 500:
        return Retryable(words, code=code)
    return PermanentRefusal(words, code=code)


def unknown_property(document: Mapping[str, Any]) -> bool:
    """Whether the portal lacks a property that the mapping names.

    Only HubSpot's own codes are read, never free text: that may quote what a stranger typed into a form.
    """
    if str(document.get("message", "")).startswith("PROPERTY_DOESNT_EXIST"):
        return True
    return any("PROPERTY_DOESNT_EXIST" in (detail.get("error"), detail.get("code")) for detail in _details(document))


def existing_id(document: Mapping[str, Any]) -> str | None:
    """The record that already has the value of a 409, where the message names it."""
    found = _EXISTING.search(str(document.get("message", "")))
    return found[1] if found else None


def _slow_down(
    words: str, code: str, policy: str, wait: float | None, now: datetime, scope: str, time_zone: str | None
) -> ConnectorError:
    if policy == "DAILY":
        until = now + timedelta(seconds=wait) if wait else _midnight(now, time_zone)
        return QuotaSpent(words, until=until, code=policy)
    if wait is not None and wait > LONGEST_PAUSE:
        return QuotaSpent(words, until=now + timedelta(seconds=wait), code=policy or code)
    delay = wait if wait is not None else _POLICY_SECONDS.get(policy, 10.0)
    return RateLimited(words, delay=delay, scope=scope, code=policy or "429")


def _midnight(now: datetime, time_zone: str | None) -> datetime | None:
    if time_zone is None:
        return None
    local = now.astimezone(ZoneInfo(time_zone))
    return (local + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)


def _details(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    listed = document.get("errors")
    yield from (row for row in listed if isinstance(row, dict)) if isinstance(listed, list) else ()
    # Older answers carry the details as a JSON list at the end of the message.
    _, _, tail = str(document.get("message", "")).partition("not valid: ")
    try:
        inner = codec.loads(tail)
    except ValueError:
        return
    yield from (row for row in inner if isinstance(row, dict)) if isinstance(inner, list) else ()
