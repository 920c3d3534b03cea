"""Bytes to fields, by content type with sniffing: JSON, urlencoded and multipart forms.

Raises `Unreadable` (not JSON, not an object, too many fields …) and nothing else. Numbers keep their type; repeated
names of a form become a list.
"""

import json
from typing import Any, NoReturn
from urllib.parse import unquote_plus

from gateway.reading.multipart import add_field, read_multipart
from gateway.sources.seam import Unreadable
from schemas import codec

MOST_FIELDS = 500
Fields = dict[str, Any]


def media_type(content_type: str) -> str:
    """The media type without parameters, in lower case."""
    return content_type.partition(";")[0].strip().lower()


def read_object(body: bytes, content_type: str) -> Fields:
    """The body as an object, whichever of the three it is."""
    if not body.strip():
        raise Unreadable("empty_body")
    kind = media_type(content_type)
    looks_json = body.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"[")
    if kind == "multipart/form-data":
        return read_multipart(body, content_type)
    if looks_json:
        return read_json(body)
    if kind == "application/x-www-form-urlencoded" or (b"=" in body and not kind.endswith("json")):
        return read_urlencoded(body)
    raise Unreadable("not_json")


def read_json(body: bytes) -> Fields:
    """A JSON object. Lone surrogates, which some senders escape, are let through; `clean` removes them later."""
    try:
        value = codec.loads(body.removeprefix(b"\xef\xbb\xbf"))
    except ValueError as error:
        if b"\\u" not in body:
            raise Unreadable("not_json") from error
        value = _lenient(body)
    if not isinstance(value, dict):
        raise Unreadable("not_an_object")
    if len(value) > MOST_FIELDS:
        raise Unreadable("too_many_fields")
    return value


def read_urlencoded(body: bytes) -> Fields:
    """A form; bytes that are not UTF-8 become replacement marks."""
    pairs = body.split(b"&", MOST_FIELDS + 1)
    if len(pairs) > MOST_FIELDS:
        raise Unreadable("too_many_fields")
    found: Fields = {}
    for pair in pairs:
        if pair:
            name, _, value = pair.partition(b"=")
            add_field(found, _decoded(name), _decoded(value))
    return found


def _decoded(text: bytes) -> str:
    return unquote_plus(text.decode(errors="replace"), errors="replace").strip()


def _lenient(body: bytes) -> Any:
    """The standard library's reader takes lone surrogates; NaN stays refused, and deep nesting is no crash."""
    try:
        return json.loads(body.removeprefix(b"\xef\xbb\xbf"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise Unreadable("not_json") from error


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)
