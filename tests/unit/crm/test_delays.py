"""Waits that a vendor asks for."""

from datetime import UTC, datetime

import pytest

from connectors.crm.delays import header, number, retry_after

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7", 7.0),
        ("0.5", 0.5),
        ("-3", 0.0),
        ("Fri, 01 May 2026 12:00:30 GMT", 30.0),
        ("Fri, 01 May 2026 11:00:00 GMT", 0.0),
        ("soon", None),
        ("nan", None),
        ("inf", None),
        ("", None),
    ],
)
def test_retry_after_is_seconds_or_a_date_and_never_negative(text: str, seconds: float | None) -> None:
    assert retry_after({"retry-after": text}, NOW) == seconds


def test_a_missing_header_is_none() -> None:
    assert retry_after({}, NOW) is None
    assert header({"X-Reset": " 5 "}, "x-reset") == "5"
    assert number(None) is None
