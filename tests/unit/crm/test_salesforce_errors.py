"""Every signal of Salesforce's, and what it means for a lead."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.crm.seam import AuthBroken, ConfigBroken, PermanentRefusal, QuotaSpent, RateLimited, Retryable
from connectors.crm.vendors.salesforce.errors import CONCURRENT_PAUSE, error_of, record_is_missing

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
KEYS = frozenset({"Leadbus_Contact_Id__c", "Leadbus_Request_Id__c"})


def error(status: int, code: str = "", message: str = "words", fields: tuple[str, ...] = (), **headers: str) -> Any:
    details = [{"errorCode": code, "message": message, "fields": list(fields)}] if code else []
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return error_of(status, details, named, now=NOW, scope="salesforce:t/c", keys=KEYS)


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        *[
            (400, code, PermanentRefusal)
            for code in (
                "REQUIRED_FIELD_MISSING", "INVALID_EMAIL_ADDRESS", "STRING_TOO_LONG", "JSON_PARSER_ERROR",
                "FIELD_CUSTOM_VALIDATION_EXCEPTION", "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
                "CANNOT_UPDATE_CONVERTED_LEAD", "DUPLICATES_DETECTED", "SOMETHING_NEW",
            )
        ],
        (300, "", PermanentRefusal),
        (302, "", ConfigBroken),
        (400, "UNABLE_TO_LOCK_ROW", Retryable),
        (503, "SERVER_UNAVAILABLE", Retryable),
        (500, "UNKNOWN_EXCEPTION", Retryable),
        (400, "QUERY_TIMEOUT", Retryable),
        (502, "", Retryable),
        (400, "STORAGE_LIMIT_EXCEEDED", ConfigBroken),
        (401, "INVALID_SESSION_ID", AuthBroken),
        (401, "", AuthBroken),
        (403, "INSUFFICIENT_ACCESS", ConfigBroken),
        (400, "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY", ConfigBroken),
        (400, "INVALID_FIELD", ConfigBroken),
        (400, "INVALID_TYPE", ConfigBroken),
        (403, "API_DISABLED_FOR_ORG", ConfigBroken),
        (404, "NOT_FOUND", ConfigBroken),
        (410, "", ConfigBroken),
    ],
)  # fmt: skip
def test_each_signal(status: int, code: str, expected: type[Exception]) -> None:
    assert type(error(status, code)) is expected


def test_a_duplicate_value_of_our_key_is_a_race_and_of_another_field_a_refusal() -> None:
    assert type(error(400, "DUPLICATE_VALUE", fields=("Leadbus_Contact_Id__c",))) is Retryable
    named = "duplicate value found: Leadbus_Request_Id__c duplicates value on record with id: 00T1"
    assert type(error(400, "DUPLICATE_VALUE", named)) is Retryable
    assert type(error(400, "DUPLICATE_VALUE", fields=("Customer_No__c",))) is PermanentRefusal


def test_a_spent_day_is_asked_about_hourly_and_too_many_at_once_soon() -> None:
    day = error(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
    assert (type(day), day.until) == (QuotaSpent, NOW + timedelta(hours=1))
    many = error(403, "REQUEST_LIMIT_EXCEEDED", "ConcurrentRequests (Concurrent API Requests) Limit exceeded.")
    assert (type(many), many.delay, many.scope) == (RateLimited, CONCURRENT_PAUSE, "salesforce:t/c")
    assert error(429, Retry_After="9").delay == 9


def test_a_missing_record_and_a_missing_field_both_answer_404() -> None:
    gone = [{"errorCode": "NOT_FOUND", "message": "The requested resource does not exist"}]
    unknown = [
        {"errorCode": "NOT_FOUND", "message": "Provided external ID field does not exist or is not accessible: X"}
    ]
    assert record_is_missing(404, gone)
    assert not record_is_missing(404, unknown)
    assert not record_is_missing(400, gone)


def test_the_vendors_words_are_kept_and_masked() -> None:
    made = error(400, "INVALID_EMAIL_ADDRESS", "Email: invalid email address: dana@example")
    assert str(made) == "INVALID_EMAIL_ADDRESS: Email: invalid email address: [e-mail]"
