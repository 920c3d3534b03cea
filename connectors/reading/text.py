"""Vendors' values made safe to keep: text without NUL and lone surrogates, bounded in length, trees bounded in all.

Promise: never raises, whatever the value; what comes out is JSON that every reader and both stores take. Integers
beyond 64 bits become text, because no reader agrees on what to make of them.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any

from schemas import codec

LONGEST_VALUE = 2_000
"""Characters of a value in `extra` or `custom`."""
LARGEST_TREE = 64 * 1024
"""Bytes of `lead.extra` as JSON."""
DEEPEST = 8
MOST_ITEMS = 200
CUT = "_cut"
"""Name in `lead.extra` that says that something did not fit; the raw body has it all."""

_INT64 = 2**63
_FLAGS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


def clean(text: str, longest: int) -> str:
    """The text without NUL and lone surrogates, trimmed, at most `longest` characters."""
    text = text[: longest * 2 + 64]
    if "\x00" in text:
        text = text.replace("\x00", "")
    if not text.isascii():
        text = text.encode(errors="ignore").decode()
    return text.strip()[:longest].rstrip()


def text_of(value: Any, longest: int = LONGEST_VALUE) -> str | None:
    """A scalar as text, or None for nothing, blanks and structures. Numbers that lost digits (floats) are None."""
    if isinstance(value, str):
        return clean(value, longest) or None
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < _INT64 * 2:
        return str(value)
    return None


def flag_of(value: Any) -> bool | None:
    """A truth value as JSON or forms write it."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}.get(
            value.strip().lower()
        )
    return None


def number_of(value: Any, largest: float = 1e9) -> float | None:
    """A number from 0 to `largest`, as JSON or digits."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value[:32] if isinstance(value, str) else value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) and 0 <= number <= largest else None


def tree_of(value: Any, depth: int = 0) -> Any:
    """A bounded copy of a JSON value: long texts cut, deep or wide parts left out."""
    if isinstance(value, str):
        return clean(value, LONGEST_VALUE)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if -_INT64 <= value < _INT64 else _digits(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if depth >= DEEPEST:
        return None
    if isinstance(value, Mapping):
        items = list(value.items())[:MOST_ITEMS]
        return {clean(str(name), 200): tree_of(part, depth + 1) for name, part in items}
    if isinstance(value, (list, tuple)):
        return [tree_of(part, depth + 1) for part in value[:MOST_ITEMS]]
    return None


def bounded(items: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """A bounded mapping of at most LARGEST_TREE bytes; CUT tells that something was left out."""
    kept: dict[str, Any] = {}
    room = LARGEST_TREE
    for count, (name, value) in enumerate(items):
        part = tree_of(value)
        size = len(codec.dumps(part)) + len(name) * 4 + 4 if isinstance(part, (str, dict, list)) else 40
        if count >= MOST_ITEMS or size > room:
            kept[CUT] = True
            continue
        room -= size
        kept[clean(name, 200)] = part
    return kept


def _digits(value: int) -> str:
    return str(value) if value.bit_length() < 4096 else ""
