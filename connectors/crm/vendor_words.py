"""What a vendor said, made fit for a log or a dead letter: bounded, without credentials or personal data.

Vendors quote the values they refuse. E-mail addresses, telephone numbers and token-like strings are replaced wherever
they stand; values of fields that hold personal text by their name are replaced where the vendor quotes them whole.
"""

import re
from collections.abc import Iterable

from connectors.crm.seam import Record

LIMIT = 500
"""Characters."""

_SPACES = re.compile(r"\s+")
_BEARER = re.compile(r"\b(bearer|basic|api[-_ ]?key|token)[\s:=]+[^\s,;\"'<>]{6,}", re.IGNORECASE)
_EMAIL = re.compile(r"[^\s@\"'<>,;:()\[\]{}]+@[^\s@\"'<>,;:()\[\]{}]+")
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
_OPAQUE = re.compile(r"(?<![\w!~+=-])(?=[\w!~+=-]*\d)(?=[\w!~+=-]*[A-Za-z])[\w!~+=-]{20,}")
_PHONE = re.compile(r"(?<![\w-])\+?\(?\d(?:[\s().\-/]{0,2}\d){6,14}(?![\w-])")
_PERSONAL = re.compile(
    r"name|phone|mobile|mail|street|address|city|zip|postal|message|body|content|descri|note|summary|transcript",
    re.IGNORECASE,
)


def fit(words: str, hidden: Iterable[str] = ()) -> str:
    """The words, at most 500 characters on one line; each of `hidden` is replaced too."""
    for value in sorted(hidden, key=len, reverse=True):
        words = words.replace(value, "[value]")
    words = _SPACES.sub(" ", words).strip()
    words = _BEARER.sub(r"\1 [hidden]", words)
    words = _EMAIL.sub("[e-mail]", words)
    words = _OPAQUE.sub(lambda found: found[0] if _UUID.fullmatch(found[0]) else "[hidden]", words)
    words = _PHONE.sub("[number]", words)
    return words if len(words) <= LIMIT else words[: LIMIT - 1] + "…"


def personal(records: Iterable[Record], secret: str = "") -> tuple[str, ...]:
    """Values of the records that must not be repeated, and the credential."""
    texts = {
        field.value.strip()
        for record in records
        for field in record.fields
        if isinstance(field.value, str) and _PERSONAL.search(field.name)
    }
    return tuple(text for text in (*texts, secret) if len(text) >= 3)
