"""The strict door: what YAML readers turn into something else stays text, what is ambiguous is refused."""

from typing import Any

import pytest

from rules.parsed import MAX_BYTES, Unreadable
from rules.strict_yaml import read


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("NO", "NO"),
        ("no", "no"),
        ("ON", "ON"),
        ("off", "off"),
        ("yes", "yes"),
        ("y", "y"),
        ("01067", "01067"),
        ("0o17", "0o17"),
        ("0x1F", "0x1F"),
        ("0b11", "0b11"),
        ("+15125550142", "+15125550142"),
        ("+1", "+1"),
        ("1_000", "1_000"),
        ("1:30", "1:30"),
        ("190:20:30", "190:20:30"),
        ("2026-01-31", "2026-01-31"),
        (".5", ".5"),
        ("5.", "5."),
        (".inf", ".inf"),
        (".nan", ".nan"),
        ("=", "="),
        ("'5'", "5"),
        ('"true"', "true"),
        ("5", 5),
        ("-3", -3),
        ("0", 0),
        ("0.8", 0.8),
        ("1e3", 1000.0),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
    ],
)
def test_only_what_json_would_read_so_is_no_text(written: str, value: Any) -> None:
    parsed = read(f"a: {written}\n".encode(), "x.yaml").value["a"]
    assert parsed == value
    assert type(parsed) is type(value)


def test_keys_are_text_as_they_stand() -> None:
    assert read(b"on: 1\n1: 2\nNO: 3\n01: 4\n", "x.yaml").value == {"on": 1, "1": 2, "NO": 3, "01": 4}


@pytest.mark.parametrize(
    ("text", "code", "line", "column"),
    [
        ("a: 1\nb: 2\na: 3\n", "duplicate-key", 3, 1),
        ("a:\n  - {b: 1, b: 2}\n", "duplicate-key", 2, 12),
        ("a: &x 1\n", "anchor", 1, 4),
        ("a: &x [*x]\n", "anchor", 1, 4),
        ("a: *x\n", "anchor", 1, 4),
        ("a: !!python/object:os.system x\n", "tag", 1, 4),
        ("a: 1\n---\nb: 2\n", "second-document", 2, 1),
        ("a: 12345678901234567890\n", "long-number", 1, 4),
        ("a: 1e999\n", "long-number", 1, 4),
        ("? [a]\n: b\n", "bad-key", 1, 3),
        ("a: [1\n", "not-yaml", 2, 1),
        ("a: b: c\n", "not-yaml", 1, 5),
        ("[" * 300 + "]" * 300, "too-deep", 1, 102),
    ],
)
def test_what_is_ambiguous_is_refused_with_its_place(text: str, code: str, line: int, column: int) -> None:
    with pytest.raises(Unreadable) as refused:
        read(text.encode(), "rules/a.rules.yaml")
    finding = refused.value.finding
    assert (finding.file, finding.code, finding.line, finding.column) == ("rules/a.rules.yaml", code, line, column)
    assert finding.text
    assert finding.fix


@pytest.mark.parametrize(
    ("text", "code", "line", "column"),
    [
        ('{"a": 1,\n "a": 2}', "duplicate-key", 2, 2),
        ('{"a": NaN}', "not-json", 1, 7),
        ("[1,]", "not-json", 1, 4),
        ("[01]", "not-json", 1, 3),
        ("// no\n{}", "not-json", 1, 1),
        ("{} {}", "not-json", 1, 4),
        ('["\\ud83d"]', "not-json", 1, 10),
        ("[9007199254740992]", "long-number", 1, 2),
        ("[" * 300, "too-deep", 1, 102),
        ("", "not-json", 1, 1),
    ],
)
def test_json_passes_the_same_door(text: str, code: str, line: int, column: int) -> None:
    with pytest.raises(Unreadable) as refused:
        read(text.encode(), "a.json")
    finding = refused.value.finding
    assert (finding.code, finding.line, finding.column) == (code, line, column)


def test_json_and_yaml_give_the_same_value_and_places() -> None:
    text = b'{"rules": [{"id": "a", "n": -1.5e2, "t": true, "x": null}],\n "b": "\\u00e9"}'
    as_json, as_yaml = read(text, "a.json"), read(text, "a.yaml")
    assert as_json.value == as_yaml.value == {"rules": [{"id": "a", "n": -150.0, "t": True, "x": None}], "b": "é"}
    assert as_json.values == as_yaml.values
    assert as_json.keys == as_yaml.keys


def test_places_of_values_and_keys_are_kept() -> None:
    parsed = read(b"rules:\n  - id: one\n    when: {var: lead.email}\n", "a.yaml")
    assert str(parsed.where(("rules", 0, "when", "var"))) == "a.yaml:3:17"
    assert str(parsed.where(("rules", 0, "when"), key=True)) == "a.yaml:3:5"
    assert str(parsed.where(("rules", 0, "missing"))) == "a.yaml:2:5"


@pytest.mark.parametrize(("data", "code"), [(b"a: \xff", "not-utf8"), (b"#" * (MAX_BYTES + 1), "too-large")])
def test_bytes_that_are_no_small_text_are_refused(data: bytes, code: str) -> None:
    with pytest.raises(Unreadable) as refused:
        read(data, "a.yaml")
    assert refused.value.finding.code == code


def test_a_byte_order_mark_is_no_part_of_the_first_key() -> None:
    assert read(b"\xef\xbb\xbfa: 1", "a.yaml").value == {"a": 1}
