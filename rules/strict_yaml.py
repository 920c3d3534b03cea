"""The strict door for files that people write: YAML or JSON in, JSON types out, the place of every node kept.

YAML readers of version 1.1 turn the country NO into false, the postal code 01067 into 567 and the phone number
+15125550142 into a number; JSON readers keep the last of two equal keys in silence. Here:

- only JSON types exist; `true`, `false`, `null` (and `~`, or nothing) and numbers as JSON writes them are special,
  every other plain word is text: NO, on, yes, 01067, +1512…, 0x1F, 1_000, 1:30, 2026-01-31;
- keys are text as they stand (`on:` is the key "on"); equal keys in one object are refused;
- anchors, aliases, tags, a second document, integers beyond 2^53 and numbers without a finite value are refused;
- text is UTF-8, at most 1 MiB, nested at most 100 deep.

Fails with `Unreadable`, which carries one finding (file, line, column, what, what to do); a parser cannot go on
after a broken bracket, so it is one per file.
"""

import math
import re
from collections.abc import Iterator
from typing import Any

import yaml

from rules.findings import Place, finding
from rules.parsed import MAX_BYTES, MAX_DEPTH, MAX_INTEGER, Parsed, Path, Unreadable
from rules.strict_json import read_json

_WORDS: dict[str, bool | None] = {
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
    "null": None, "Null": None, "NULL": None, "~": None, "": None,
}  # fmt: skip
_INTEGER = re.compile(r"-?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
# libyaml's parser is some ten times faster; its events are the same.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read(data: bytes, file: str) -> Parsed:
    """The value of a `.json`, `.yaml` or `.yml` file. Raises `Unreadable`."""
    return read_json(decode(data, file), file) if file.endswith(".json") else read_yaml(decode(data, file), file)


def decode(data: bytes, file: str) -> str:
    """The text of a file. Raises `Unreadable` when it is too large or not UTF-8."""
    if len(data) > MAX_BYTES:
        raise Unreadable(
            finding(
                Place(file),
                "too-large",
                f"The file has {len(data)} bytes; at most {MAX_BYTES} are read.",
                "Split it into several files, or move long lists into lists/*.csv.",
            )
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - (data.rfind(b"\n", 0, error.start) + 1) + 1
        raise Unreadable(
            finding(Place(file, line, column), "not-utf8", "The file is not UTF-8 text.", "Save it as UTF-8.")
        ) from error


def read_yaml(text: str, file: str) -> Parsed:
    """The value of one YAML document. Raises `Unreadable`."""
    reader = _Reader(file)
    try:
        events = yaml.parse(text, Loader=_LOADER)
        reader.run(iter(events))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(file, mark.line + 1, mark.column + 1) if mark else Place(file)
        raise Unreadable(
            finding(
                place,
                "not-yaml",
                f"The file is not YAML: {error.problem or error.context}.",
                "Check indentation, quotes and brackets at this place.",
            )
        ) from error
    except yaml.YAMLError as error:
        raise Unreadable(
            finding(
                Place(file),
                "not-yaml",
                "The file holds a character that YAML does not allow.",
                "Remove control characters.",
            )
        ) from error
    return reader.parsed


class _Reader:
    """Builds the value from the parser's events, without the library's own idea of types."""

    def __init__(self, file: str) -> None:
        self.parsed = Parsed(file)
        self._file = file

    def run(self, events: Iterator[Any]) -> None:
        documents = 0
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise self._refuse(
                        event, "second-document", "A second document begins here.", "Put it into a file of its own."
                    )
                self.parsed.value = self._node(next(events), events, ())

    def _node(self, event: Any, events: Iterator[Any], path: Path) -> Any:
        self._plain_form(event)
        if len(path) > MAX_DEPTH:
            raise self._refuse(
                event, "too-deep", f"Nested more than {MAX_DEPTH} levels deep.", "Split the condition into rules."
            )
        self.parsed.values[path] = (event.start_mark.line + 1, event.start_mark.column + 1)
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event)
        if isinstance(event, yaml.SequenceStartEvent):
            items: list[Any] = []
            while not isinstance(inner := next(events), yaml.SequenceEndEvent):
                items.append(self._node(inner, events, (*path, len(items))))
            return items
        entries: dict[str, Any] = {}
        while not isinstance(inner := next(events), yaml.MappingEndEvent):
            key = self._key(inner, entries)
            self.parsed.keys[*path, key] = (inner.start_mark.line + 1, inner.start_mark.column + 1)
            entries[key] = self._node(next(events), events, (*path, key))
        return entries

    def _key(self, event: Any, entries: dict[str, Any]) -> str:
        self._plain_form(event)
        if not isinstance(event, yaml.ScalarEvent) or event.value == "":
            raise self._refuse(event, "bad-key", "A key has to be a word.", "Write `name: value`.")
        if event.value in entries:
            raise self._refuse(
                event, "duplicate-key", f"The key {event.value!r} stands here twice.", "Keep one of the two."
            )
        return str(event.value)

    def _plain_form(self, event: Any) -> None:
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise self._refuse(
                event, "anchor", "Anchors and aliases (& and *) are not read.", "Write the value out, or quote it."
            )
        if getattr(event, "tag", None):
            raise self._refuse(event, "tag", f"The tag {event.tag!r} is not read.", "Remove it, or quote the value.")

    def _scalar(self, event: Any) -> Any:
        text = str(event.value)
        if event.style is not None and event.style != "":
            return text
        if text in _WORDS:
            return _WORDS[text]
        if _INTEGER.fullmatch(text):
            # The length is looked at first: int() of a text of a megabyte takes minutes.
            if len(text) > 17 or abs(int(text)) > MAX_INTEGER:
                raise self._refuse(
                    event,
                    "long-number",
                    "This number is too long to be kept exactly.",
                    "It is an id: put it in quotes.",
                )
            return int(text)
        if _FLOAT.fullmatch(text):
            if not math.isfinite(number := float(text)):
                raise self._refuse(event, "long-number", "This number is too large.", "Put it in quotes.")
            return number
        return text

    def _refuse(self, event: Any, code: str, text: str, fix: str) -> Unreadable:
        place = Place(self._file, event.start_mark.line + 1, event.start_mark.column + 1)
        return Unreadable(finding(place, code, text, fix))
