"""Every signal of HubSpot's, and what it means for a lead."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.crm.seam import AuthBroken, ConfigBroken, PermanentRefusal, QuotaSpent, RateLimited, Retryable
from connectors.crm.vendors.hubspot.errors import error_of, existing_id, unknown_property
from connectors.crm.vendors.hubspot.objects import wire

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
MISSING = 'Property values were not valid: [{"isValid":false,"message":"no","error":"PROPERTY_DOESNT_EXIST"}]'


def error(status: int, document: dict[str, Any] | None = None, zone: str | None = None, **headers: str) -> Any:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return error_of(status, document or {}, named, now=NOW, scope="hubspot:t/c", time_zone=zone)


@pytest.mark.parametrize(
    ("status", "document", "expected"),
    [
        (400, {"category": "VALIDATION_ERROR", "message": "bad"}, PermanentRefusal),
        (400, {"message": MISSING}, ConfigBroken),
        (400, {"message": "x", "errors": [{"code": "PROPERTY_DOESNT_EXIST"}]}, ConfigBroken),
        (400, {"message": 'PROPERTY_DOESNT_EXIST: Property "x" does not exist'}, ConfigBroken),
        (302, {}, ConfigBroken),
        (401, {}, AuthBroken),
        (403, {"category": "MISSING_SCOPES"}, ConfigBroken),
        (404, {}, PermanentRefusal),
        (409, {"category": "CONFLICT"}, PermanentRefusal),
        (413, {}, PermanentRefusal),
        (414, {}, PermanentRefusal),
        (415, {}, PermanentRefusal),
        (422, {}, PermanentRefusal),
        (423, {}, Retryable),
        (429, {"policyName": "TEN_SECONDLY_ROLLING"}, RateLimited),
        (429, {"policyName": "DAILY"}, QuotaSpent),
        (477, {}, QuotaSpent),
        *[(status, {}, Retryable) for status in (500, 502, 503, 504, 521, 524, 526)],
    ],
)
def test_each_signal(status: int, document: dict[str, Any], expected: type[Exception]) -> None:
    assert type(error(status, document)) is expected


@pytest.mark.parametrize(
    ("policy", "after", "delay"),
    [("TEN_SECONDLY_ROLLING", None, 10), ("SECONDLY", None, 1), ("", None, 10), ("SECONDLY", "3", 3)],
)
def test_a_rate_limit_waits_as_its_policy_or_the_header_says(policy: str, after: str | None, delay: float) -> None:
    made = error(429, {"policyName": policy}, **({"Retry_After": after} if after else {}))
    assert (made.delay, made.scope) == (delay, "hubspot:t/c")


def test_a_wait_of_hours_is_a_quota() -> None:
    assert error(429, {}, Retry_After="7200").until == NOW + timedelta(hours=2)


def test_a_daily_limit_ends_at_midnight_of_the_account() -> None:
    assert error(429, {"policyName": "DAILY"}).until is None
    at = error(429, {"policyName": "DAILY"}, "America/Chicago").until
    assert at.astimezone(UTC) == datetime(2026, 5, 2, 5, 0, tzinfo=UTC)


def test_a_moved_account_comes_back_when_it_says() -> None:
    assert error(477, {}, Retry_After="3600").until == NOW + timedelta(hours=1)
    assert error(477).until == NOW + timedelta(hours=24)


def test_the_vendors_words_are_kept_and_masked() -> None:
    made = error(400, {"category": "VALIDATION_ERROR", "message": "Email address dana@example.com is invalid"})
    assert str(made) == "VALIDATION_ERROR: Email address [e-mail] is invalid"


def test_the_owner_of_a_conflict_is_read_from_the_message() -> None:
    assert existing_id({"message": "Contact already exists. Existing ID: 4711"}) == "4711"
    assert existing_id({"message": "something else"}) is None


def test_a_code_quoted_in_free_text_is_no_code() -> None:
    quoted = json.dumps([{"error": "INVALID_EMAIL", "message": '"error":"PROPERTY_DOESNT_EXIST"'}])
    assert not unknown_property({"message": f"Property values were not valid: {quoted}"})


@pytest.mark.parametrize(
    ("value", "text"),
    [(87, "87"), (87.0, "87"), (0.25, "0.25"), (True, "true"), (["a", 2], "a;2"), ({"b": 1}, '{"b":1}'), ("x", "x")],
)
def test_every_value_is_a_string(value: Any, text: str) -> None:
    assert wire("f", value) == text
