"""Verifies signatures as a source describes them.

Promise: digests are decoded before they are compared, a digest of the wrong length or spelling is refused, comparison
takes the same time whatever the difference, and every secret is tried whether or not an earlier one fitted. An absent
header and an empty secret are failures, never a pass. The age is looked at only after the digest was right.
Nothing is raised; the verdict says which of the ways it went.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from enum import StrEnum

from gateway.sources.seam import SignatureScheme

_PLACE = re.compile(r"\{(body|pair:[^}]+|header:[^}]+)\}")


class Verdict(StrEnum):
    """What became of a verification; everything but GOOD is answered 401."""

    GOOD = "good"
    MISSING = "signature_missing"
    MALFORMED = "signature_malformed"
    WRONG = "signature_wrong"
    STALE = "signature_stale"


class Verifier:
    """A scheme made ready: built once per source, used for every request."""

    def __init__(self, scheme: SignatureScheme) -> None:
        self._scheme = scheme
        self._header = scheme.header.lower()
        self._size = hashlib.new(scheme.algorithm, usedforsecurity=False).digest_size
        self._parts = [part for part in _split(scheme.template) if part[1]]

    @property
    def header(self) -> str:
        """The header's name, as the vendor spells it."""
        return self._scheme.header

    def verify(self, body: bytes, headers: Mapping[str, str], secrets: Sequence[str], now: float) -> Verdict:
        """Check one request; header names are lower-case, `now` is in seconds since 1970."""
        text = headers.get(self._header)
        if not text:
            return Verdict.MISSING
        pairs = _pairs(text) if self._scheme.digest_pair else {}
        written = pairs.get(self._scheme.digest_pair, "") if self._scheme.digest_pair else text.strip()
        given = self._decode(written)
        message = self._message(body, headers, pairs)
        if given is None or message is None:
            return Verdict.MALFORMED
        right = False
        for secret in secrets:
            digest = hmac.digest(secret.encode(), message, self._scheme.algorithm)
            right |= hmac.compare_digest(digest, given) and bool(secret)
        if not right:
            return Verdict.WRONG
        return Verdict.GOOD if self._fresh(headers, pairs, now) else Verdict.STALE

    def _decode(self, text: str) -> bytes | None:
        """The digest's bytes; None unless it is spelled exactly as its own encoding (base64 leaves spare bits)."""
        if not text.startswith(self._scheme.prefix):
            return None
        text = text[len(self._scheme.prefix) :]
        try:
            if self._scheme.encoding == "hex":
                digest = binascii.unhexlify(text)
            else:
                digest = binascii.a2b_base64(text, strict_mode=True)
                if base64.b64encode(digest).decode() != text:
                    return None
        except (binascii.Error, ValueError):
            return None
        return digest if len(digest) == self._size else None

    def _message(self, body: bytes, headers: Mapping[str, str], pairs: Mapping[str, str]) -> bytes | None:
        if self._parts == [("body", "body")]:
            return body
        message = bytearray()
        for kind, name in self._parts:
            if kind == "body":
                message += body
            elif kind == "text":
                message += name.encode()
            else:
                value = (pairs if kind == "pair" else headers).get(name.lower() if kind == "header" else name)
                if value is None:
                    return None
                message += value.encode(errors="surrogateescape")
        return bytes(message)

    def _fresh(self, headers: Mapping[str, str], pairs: Mapping[str, str], now: float) -> bool:
        scheme = self._scheme
        if scheme.tolerance_seconds is None or scheme.timestamp is None:
            return True
        kind, _, name = scheme.timestamp.partition(":")
        text = (pairs if kind == "pair" else headers).get(name.lower() if kind == "header" else name) or ""
        if not (text.isascii() and text.isdigit() and len(text) <= 16):
            return False
        seconds = int(text) / (1000 if scheme.timestamp_unit == "ms" else 1)
        return abs(now - seconds) <= scheme.tolerance_seconds


def _pairs(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for item in text.split(","):
        name, _, value = item.strip().partition("=")
        found.setdefault(name, value)
    return found


def _split(template: str) -> list[tuple[str, str]]:
    """The template as (kind, name or text): body, pair, header or literal text."""
    parts: list[tuple[str, str]] = []
    end = 0
    for match in _PLACE.finditer(template):
        parts.append(("text", template[end : match.start()]))
        kind, _, name = match[1].partition(":")
        parts.append((kind, name or kind))
        end = match.end()
    parts.append(("text", template[end:]))
    return parts
