"""Strict JSON with the place of every node: equal keys, comments, NaN and numbers that lose digits are refused.

The standard reader keeps neither places nor the first of two equal keys, hence a reader of our own. Fails with
`Unreadable`, which carries one finding.
"""

import json
import math
import re
from bisect import bisect_right
from collections.abc import Callable
from typing import Any

from rules.findings import Place, finding
from rules.parsed import MAX_DEPTH, MAX_INTEGER, Parsed, Path, Spot, Unreadable

_BLANK = re.compile(r"[ \t\n\r]*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
# The standard library's own reader of JSON strings: text, where it begins, strict -> value, where it ends.
_scan_string: Callable[[str, int, bool], tuple[str, int]] = json.decoder.scanstring  # type: ignore[attr-defined]
_WORDS = {"true": True, "false": False, "null": None}
_FIX = "Check commas, quotes and brackets at this place."


def read_json(text: str, file: str) -> Parsed:
    """The value of a JSON text. Raises `Unreadable`."""
    return _Reader(text, file).run()


class _Reader:
    def __init__(self, text: str, file: str) -> None:
        self._text = text
        self._at = 0
        self._lines = [0, *(m.end() for m in re.finditer("\n", text))]
        self.parsed = Parsed(file)

    def run(self) -> Parsed:
        self.parsed.value = self._value(())
        self._blank()
        if self._at < len(self._text):
            raise self._refuse("not-json", "The value ends before this place.", "Remove what follows it.")
        return self.parsed

    def _value(self, path: Path) -> Any:
        self._blank()
        if len(path) > MAX_DEPTH:
            raise self._refuse(
                "too-deep", f"Nested more than {MAX_DEPTH} levels deep.", "Split the condition into rules."
            )
        self.parsed.values[path] = self._spot()
        char = self._text[self._at : self._at + 1]
        if char == "{":
            return self._object(path)
        if char == "[":
            return self._list(path)
        if char == '"':
            return self._string()
        for word, value in _WORDS.items():
            if self._text.startswith(word, self._at):
                self._at += len(word)
                return value
        return self._number()

    def _object(self, path: Path) -> dict[str, Any]:
        entries: dict[str, Any] = {}
        self._at += 1
        if self._next_is("}"):
            return entries
        while True:
            self._blank()
            spot = self._spot()
            if not self._text.startswith('"', self._at):
                raise self._refuse("not-json", "A key in quotes is expected here.", _FIX)
            start = self._at
            key = self._string()
            if key in entries:
                self._at = start
                raise self._refuse("duplicate-key", f"The key {key!r} stands here twice.", "Keep one of the two.")
            if not self._next_is(":"):
                raise self._refuse("not-json", "A colon is expected here.", _FIX)
            self.parsed.keys[*path, key] = spot
            entries[key] = self._value((*path, key))
            if self._next_is("}"):
                return entries
            if not self._next_is(","):
                raise self._refuse("not-json", "A comma or a closing brace is expected here.", _FIX)

    def _list(self, path: Path) -> list[Any]:
        items: list[Any] = []
        self._at += 1
        if self._next_is("]"):
            return items
        while True:
            items.append(self._value((*path, len(items))))
            if self._next_is("]"):
                return items
            if not self._next_is(","):
                raise self._refuse("not-json", "A comma or a closing bracket is expected here.", _FIX)

    def _string(self) -> str:
        try:
            text, self._at = _scan_string(self._text, self._at + 1, True)
        except json.JSONDecodeError as error:
            raise self._refuse("not-json", f"This text is not JSON: {error.msg}.", _FIX) from error
        if any("\ud800" <= c <= "\udfff" for c in text):
            raise self._refuse("not-json", "This text holds half a character.", "Write the character itself.")
        return text

    def _number(self) -> int | float:
        match = _NUMBER.match(self._text, self._at)
        if match is None:
            raise self._refuse("not-json", "A value is expected here.", _FIX)
        digits = match.group()
        if match.group(1) or match.group(2):
            number: int | float = float(digits)
        else:
            number = int(digits) if len(digits) <= 17 else MAX_INTEGER + 1
        if not math.isfinite(number) or (isinstance(number, int) and abs(number) > MAX_INTEGER):
            raise self._refuse(
                "long-number", "This number is too long to be kept exactly.", "It is an id: put it in quotes."
            )
        self._at = match.end()
        return number

    def _blank(self) -> None:
        match = _BLANK.match(self._text, self._at)
        self._at = match.end() if match else self._at

    def _next_is(self, char: str) -> bool:
        self._blank()
        if self._text.startswith(char, self._at):
            self._at += 1
            return True
        return False

    def _spot(self) -> Spot:
        line = bisect_right(self._lines, self._at)
        return line, self._at - self._lines[line - 1] + 1

    def _refuse(self, code: str, text: str, fix: str) -> Unreadable:
        line, column = self._spot()
        return Unreadable(finding(Place(self.parsed.file, line, column), code, text, fix))
