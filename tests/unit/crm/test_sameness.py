"""A vendor's way of writing a value is not an edit by a person."""

from typing import Any

import pytest

from connectors.crm.sameness import is_empty, is_ours, same
from schemas import codec

SAME = [
    ("+13125550143", "+1 312-555-0143"),
    ("+13125550143", "+1 (312) 555.0143"),
    (87, "87"),
    (87, "87.0"),
    (87.0, "87"),
    (0.25, "0.250"),
    (True, "true"),
    ("Dana@Example.com", "dana@example.com"),
    ("2026-05-01T10:00:00Z", "2026-05-01T10:00:00.000+0000"),
    ("2026-05-01T12:00:00+02:00", "2026-05-01T10:00:00Z"),
    ("2026-05-01T10:00:00Z", "1777629600000"),
    (["roof", "leak"], "leak;roof"),
    ("line one\nline two", "line one\r\nline two"),
    ("text", " text "),
    ({"amount": 5, "currency": "USD"}, {"currency": "USD", "amount": 5}),
]
DIFFERENT: list[tuple[Any, Any]] = [
    ("+13125550143", "+13125550144"),
    (87, "88"),
    ("01234", "1234"),
    ("Dana", "dana"),
    ("a", ""),
    (True, "yes"),
    ("2026-05-01T10:00:00Z", "2026-05-01T10:00:01Z"),
    ("1 and 2", "12"),
    (1, True),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_the_same_to_a_person(one: Any, other: Any) -> None:
    assert same(one, other)
    assert same(other, one)


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_not_the_same(one: Any, other: Any) -> None:
    assert not same(one, other)


@pytest.mark.parametrize(
    ("written", "present"),
    [
        ("+13125550143", "+1 312-555-0143"),
        (87, "87"),
        (87, 87.0),
        (0.25, "0.25"),
        ("dana@example.com", "Dana@Example.com"),
        (True, "true"),
        (["roof", "leak"], "roof;leak"),
        ("2026-05-01T10:00:00Z", "2026-05-01T10:00:00.000+0000"),
        ("2026-05-01T10:00:00+00:00", "1777629600000"),
        ("a\nb", "a\r\nb"),
        ("1 < 2\nb", "1 &lt; 2<br>b"),
        ("x", " x "),
    ],
)
def test_a_reformatted_value_is_known_by_the_hash_of_the_written_one(written: Any, present: Any) -> None:
    assert is_ours(present, codec.digest(written))


@pytest.mark.parametrize(
    "present", ["+13125550144", "", None, 88, "by a person", "99999999999999999999", "9999999999999"]
)
def test_another_value_is_not_ours(present: Any) -> None:
    assert not is_ours(present, codec.digest("+13125550143"))
    assert not is_ours(present, None)


def test_what_is_empty() -> None:
    values: list[Any] = [None, "", " ", [], {}, 0, False, "x"]
    assert [value for value in values if is_empty(value)] == [None, "", " ", [], {}]
