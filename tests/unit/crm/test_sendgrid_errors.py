"""Every signal of SendGrid's, and what it means for a mail."""

from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.crm.seam import AuthBroken, ConfigBroken, PermanentRefusal, QuotaSpent, RateLimited, Retryable
from connectors.crm.vendors.sendgrid.errors import error_of

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


def error(status: int, *messages: tuple[str, str | None], **headers: str) -> Any:
    document = {"errors": [{"message": m, "field": f} for m, f in messages]} if messages else None
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return error_of(status, named, document, now=NOW, scope="sendgrid:t/c")


@pytest.mark.parametrize(
    ("status", "message", "expected"),
    [
        *[(status, "no", PermanentRefusal) for status in (400, 404, 405, 413, 415)],
        (401, "Permission denied, wrong credentials", AuthBroken),
        (401, "Maximum credits exceeded", QuotaSpent),
        (302, "moved", ConfigBroken),
        (403, "The from address does not match a verified Sender Identity.", ConfigBroken),
        (429, "too many requests", RateLimited),
        *[(status, "broken", Retryable) for status in (500, 502, 503)],
    ],
)
def test_each_signal(status: int, message: str, expected: type[Exception]) -> None:
    assert type(error(status, (message, None))) is expected


def test_a_rate_limit_waits_for_the_reset_else_a_minute() -> None:
    assert error(429).delay == 60
    assert error(429, X_RateLimit_Reset=str(int(NOW.timestamp()) + 12)).delay == 12
    assert error(429, X_RateLimit_Reset="5").delay == 1
    assert error(429, Retry_After="9").delay == 9


def test_every_message_is_told_with_its_field() -> None:
    made = error(400, ("is required", "subject"), ("no such address", None))
    assert made.words == "subject: is required; no such address"
