"""Every signal of Pipedrive's, and what it means for a lead; a POST is not idempotent."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.crm.seam import (
    AuthBroken,
    ConfigBroken,
    EffectUnknown,
    PermanentRefusal,
    QuotaSpent,
    RateLimited,
    Retryable,
)
from connectors.crm.vendors.pipedrive.errors import BLOCK_PAUSE, error_of

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
KEY = "0123456789abcdef0123456789abcdef01234567"


def error(status: int, document: dict[str, Any] | None, *, creates: bool = False, **headers: str) -> Any:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return error_of(status, named, document, creates=creates, now=NOW, scope="pipedrive:t/c")


@pytest.mark.parametrize(
    ("status", "document", "expected"),
    [
        (400, {"error": "Validation failed: name: is required"}, PermanentRefusal),
        (400, {"error": f"Validation failed: {KEY}: is not a known field"}, ConfigBroken),
        (400, {"error": f"Validation failed: {KEY}: must be a number"}, PermanentRefusal),
        (422, {"error": "no"}, PermanentRefusal),
        (401, {"error": "unauthorized access"}, AuthBroken),
        (302, None, ConfigBroken),
        (402, {"error": "pay"}, ConfigBroken),
        (403, {"error": "limit", "code": "feature_capping_deals_limit"}, ConfigBroken),
        (403, None, RateLimited),
        (404, {"error": "unknown path"}, ConfigBroken),
        (410, {"error": "gone"}, ConfigBroken),
        (429, {"error": "slow"}, RateLimited),
        (500, {}, Retryable),
        (503, None, Retryable),
    ],
)
def test_each_signal(status: int, document: dict[str, Any] | None, expected: type[Exception]) -> None:
    assert type(error(status, document)) is expected


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_server_error_on_a_create_leaves_its_effect_unknown(status: int) -> None:
    assert type(error(status, None, creates=True)) is EffectUnknown


def test_a_rate_limit_waits_for_the_reset_or_two_seconds() -> None:
    assert error(429, {}).delay == 2
    assert error(429, {}, x_ratelimit_reset="1").delay == 1
    assert error(429, {}, x_ratelimit_reset="1", Retry_After="8").delay == 8
    assert error(403, None).delay == BLOCK_PAUSE


def test_spent_daily_tokens_are_asked_about_hourly() -> None:
    made = error(429, {}, x_daily_ratelimit_token_remaining="0", x_ratelimit_reset="1")
    assert (type(made), made.until) == (QuotaSpent, NOW + timedelta(hours=1))
