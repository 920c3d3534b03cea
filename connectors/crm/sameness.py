"""Whether two values are the same to a person, though a vendor has written one of them in its own way.

Vendors reformat: "+13125550143" comes back as "+1 312-555-0143", 87 as "87", a time as milliseconds, a list as text
with semicolons, an address with small letters. Such a change must not look like an edit by a person, and writing the
same value again is no write.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from connectors.crm.html_text import html_as_text
from schemas import codec

_EXACT = 2**53
"""Below it a float holds every whole number, and JSON every integer."""
_NUMBER = re.compile(r"-?(0|[1-9]\d{0,30})(\.\d{1,30})?")
_PHONE = re.compile(r"\(?\+?[\d\s().\-/]{7,24}")
_TIME = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?")


def is_empty(value: Any) -> bool:
    """Null, blank text, and collections without members; nothing of that kind is ever written."""
    if isinstance(value, str):
        return not value.strip()
    return value is None or (isinstance(value, list | tuple | Mapping) and not value)


def same(one: Any, other: Any) -> bool:
    """Whether a person would call the two values equal."""
    return not _forms(one).isdisjoint(_forms(other))


def is_ours(present: Any, written_hash: str | None) -> bool:
    """Whether the present value is, perhaps reformatted, the one whose `codec.digest` is `written_hash`."""
    if written_hash is None:
        return False
    return any(codec.digest(candidate) == written_hash for candidate in _origins(present))


def _forms(value: Any) -> frozenset[str]:
    """Normal forms of a value, each with a letter for what it is read as."""
    if isinstance(value, bool):
        return frozenset({f"w:{str(value).lower()}"})
    if isinstance(value, int | float):
        value = _plain(value)
    if isinstance(value, list | tuple):
        return frozenset({"w:" + ";".join(sorted(_text(str(part)) for part in value))})
    if isinstance(value, Mapping):
        return frozenset({"w:" + codec.canonical(dict(value)).decode()})
    if value is None:
        return frozenset({"w:"})
    text = _text(str(value))
    forms = {f"w:{text}"}
    if ";" in text:
        forms.add("w:" + ";".join(sorted(part.strip() for part in text.split(";"))))
    if _NUMBER.fullmatch(text):
        forms.add(f"n:{Decimal(text).normalize():f}")
    if _PHONE.fullmatch(text) and len(digits := re.sub(r"\D", "", text)) >= 7:
        forms.add(f"p:{digits}")
    if (at := _time(text)) is not None:
        forms.add(f"t:{round(at.timestamp() * 1000)}")
    elif text.isdigit() and len(text) == 13:
        forms.add(f"t:{int(text)}")
    return frozenset(forms)


def _origins(present: Any) -> Iterator[Any]:
    """Values that a vendor may have made the present one of."""
    if not isinstance(present, int) or abs(present) < _EXACT:
        yield present
    if isinstance(present, bool):
        yield str(present).lower()
    elif isinstance(present, int | float) and abs(present) < _EXACT:
        yield _plain(present)
        yield float(present)
        if float(present).is_integer():
            yield int(present)
    elif isinstance(present, str):
        yield from _origins_of_text(present)


def _origins_of_text(present: str) -> Iterator[Any]:
    text = present.strip()
    yield text
    yield text.lower()
    unix = text.replace("\r\n", "\n")
    yield unix
    yield unix.replace("\n", "\r\n")
    if text in ("true", "false"):
        yield text == "true"
    if _NUMBER.fullmatch(text):
        number = float(text)
        yield number
        if number.is_integer() and abs(number) < _EXACT:
            yield int(number)
    if _PHONE.fullmatch(text):
        digits = re.sub(r"\D", "", text)
        yield f"+{digits}"
        yield digits
    if ";" in text:
        yield [part.strip() for part in text.split(";")]
    if "&" in text or "<" in text:
        yield html_as_text(text)
    if (at := _time(text)) is not None:
        yield from _ways_to_write(at)
    elif text.isdigit() and len(text) == 13:
        yield from _ways_to_write(datetime.fromtimestamp(int(text) / 1000, UTC))


def _ways_to_write(at: datetime) -> Iterator[Any]:
    utc = at.astimezone(UTC)
    for precision in ("seconds", "milliseconds", "microseconds", "auto"):
        iso = utc.isoformat(timespec=precision)
        yield iso
        yield iso.replace("+00:00", "Z")
    yield round(utc.timestamp() * 1000)
    yield utc.date().isoformat()


def _plain(number: int | float) -> str:
    if isinstance(number, float) and number.is_integer() and abs(number) < 1e16:
        return str(int(number))
    return str(number)


def _text(text: str) -> str:
    clean = text.strip().replace("\r\n", "\n")
    return clean.lower() if "@" in clean and " " not in clean else clean


def _time(text: str) -> datetime | None:
    if _TIME.fullmatch(text) is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)
