"""Verifies that a request comes from whom it says, as its source describes it: a keyed digest, or a shared token.

Promise: digests are decoded before they are compared, a digest of the wrong length or spelling is refused, comparison
takes the same time whatever the difference, and every secret is tried whether or not an earlier one fitted. An absent
header and an empty secret are failures, never a pass. The age is looked at only after the digest was right.
Nothing is raised; the verdict says which of the ways it went, and which secret fitted.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal, NamedTuple, Protocol

from gateway.signed_url import parameters_of, spellings
from gateway.sources.seam import Proof, SharedToken, SignatureScheme
from schemas import codec

_PLACE = re.compile(r"\{(body|url|params|pair:[^}]+|header:[^}]+)\}")
_MOST_DIGESTS = 10
"""Digests of one header that are tried."""


class Verdict(StrEnum):
    """What became of a verification; everything but GOOD is answered 401."""

    GOOD = "good"
    MISSING = "signature_missing"
    MALFORMED = "signature_malformed"
    WRONG = "signature_wrong"
    STALE = "signature_stale"


class Checked(NamedTuple):
    """A verdict, and the place of the secret that fitted."""

    verdict: Verdict
    secret: int | None = None


@dataclass(frozen=True, slots=True)
class Signed:
    """What may be signed of a request; header names are lower-case, `url` is ours in public, with the query."""

    body: bytes
    headers: Mapping[str, str]
    url: str = ""


class Verifier(Protocol):
    """A proof made ready: built once, used for every request."""

    @property
    def where(self) -> str:
        """The name of the header or field that proves it, as the vendor spells it."""
        ...

    @property
    def kind(self) -> Literal["header", "field"]:
        """Which of the two it is."""
        ...

    @property
    def optional(self) -> bool:
        """Whether an endpoint without secrets goes by its URL alone."""
        ...

    def verify(self, request: Signed, secrets: Sequence[str], now: float) -> Checked:
        """Check one request; `now` is in seconds since 1970."""
        ...

    def hidden(self, body: bytes) -> bytes:
        """The body without the secret, where it travels inside."""
        ...


def verifier_for(proof: Proof) -> Verifier:
    """The verifier of a source's or an endpoint's own way of proving."""
    return TokenVerifier(proof) if isinstance(proof, SharedToken) else DigestVerifier(proof)


class DigestVerifier:
    """Verifies a keyed digest."""

    def __init__(self, scheme: SignatureScheme) -> None:
        self._scheme = scheme
        self._header = scheme.header.lower()
        self._size = hashlib.new(scheme.algorithm, usedforsecurity=False).digest_size
        self._parts = [part for part in _split(scheme.template) if part[1]]
        self._plain = self._parts == [("body", "body")]
        self._of_url = any(kind in ("url", "params") for kind, _ in self._parts)

    @property
    def where(self) -> str:
        return self._scheme.header

    @property
    def kind(self) -> Literal["header", "field"]:
        return "header"

    @property
    def optional(self) -> bool:
        return self._scheme.optional

    def hidden(self, body: bytes) -> bytes:
        return body

    def verify(self, request: Signed, secrets: Sequence[str], now: float) -> Checked:
        text = request.headers.get(self._header)
        if not text:
            return Checked(Verdict.MISSING)
        pairs = _pairs(text) if self._scheme.digest_pair else {}
        given = self._given(text, pairs)
        messages = self._messages(request, pairs)
        if not given or not messages:
            return Checked(Verdict.MALFORMED)
        right: int | None = None
        for place, secret in enumerate(secrets):
            key = self._key(secret)
            for message in messages:
                digest = hmac.digest(key or b"\x00", message, self._scheme.algorithm)
                fits = False
                for each in given:
                    fits |= hmac.compare_digest(digest, each)
                if fits and key and right is None:
                    right = place
        if right is None:
            return Checked(Verdict.WRONG)
        return Checked(Verdict.GOOD if self._fresh(request.headers, pairs, now) else Verdict.STALE, right)

    def _key(self, secret: str) -> bytes:
        if self._scheme.key == "text":
            return secret.encode()
        try:
            return base64.b64decode(secret.removeprefix(self._scheme.key_prefix), validate=True)
        except (binascii.Error, ValueError):
            return b""

    def _given(self, text: str, pairs: Mapping[str, str]) -> list[bytes]:
        if self._scheme.digest_pair:
            written = [pairs.get(self._scheme.digest_pair, "")]
        elif self._scheme.many:
            written = text.split()[:_MOST_DIGESTS]
        else:
            written = [text.strip()]
        return [digest for each in written if (digest := self._decode(each)) is not None]

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

    def _messages(self, request: Signed, pairs: Mapping[str, str]) -> list[bytes]:
        """The signed text, once for each spelling of the URL that a vendor may have signed; none when a part lacks."""
        if self._plain:
            return [request.body]
        urls = spellings(request.url) if self._of_url else [""]
        made = (self._message(request, pairs, url) for url in urls)
        return [message for message in made if message is not None]

    def _message(self, request: Signed, pairs: Mapping[str, str], url: str) -> bytes | None:
        message = bytearray()
        for kind, name in self._parts:
            value: bytes | None
            if kind == "body":
                value = request.body
            elif kind == "text":
                value = name.encode()
            elif kind == "url":
                value = url.encode()
            elif kind == "params":
                value = parameters_of(request.body, request.headers.get("content-type", ""), url)
            else:
                text = (pairs if kind == "pair" else request.headers).get(name.lower() if kind == "header" else name)
                value = None if text is None else text.encode(errors="surrogateescape")
            if value is None:
                return None
            message += value
        return bytes(message)

    def _fresh(self, headers: Mapping[str, str], pairs: Mapping[str, str], now: float) -> bool:
        scheme = self._scheme
        if scheme.tolerance_seconds is None or scheme.timestamp is None:
            return True
        kind, _, name = scheme.timestamp.partition(":")
        text = (pairs if kind == "pair" else headers).get(name.lower() if kind == "header" else name) or ""
        seconds = _seconds(text, scheme.timestamp_unit)
        return seconds is not None and abs(now - seconds) <= scheme.tolerance_seconds


class TokenVerifier:
    """Verifies a token that is repeated in a header or in a field of the body."""

    def __init__(self, token: SharedToken) -> None:
        self._token = token
        self._kind, _, self._name = token.place.partition(":")

    @property
    def where(self) -> str:
        return self._name

    @property
    def kind(self) -> Literal["header", "field"]:
        return "header" if self._kind == "header" else "field"

    @property
    def optional(self) -> bool:
        return self._token.optional

    def verify(self, request: Signed, secrets: Sequence[str], now: float) -> Checked:
        given = self._read(request)
        if given is None:
            return Checked(Verdict.MISSING)
        right: int | None = None
        for place, secret in enumerate(secrets):
            fits = hmac.compare_digest(_digest(given), _digest(secret))
            if fits and secret and right is None:
                right = place
        return Checked(Verdict.WRONG) if right is None else Checked(Verdict.GOOD, right)

    def hidden(self, body: bytes) -> bytes:
        given = self._read(Signed(body, {})) if self._kind == "body" else None
        if given is None:
            return body
        # As it stands in the text, however its writer escaped it.
        spelled = {codec.dumps(given)[1:-1], given.encode(errors="surrogatepass")}
        for each in sorted(spelled - {b""}, key=len, reverse=True):
            body = body.replace(each, b"hidden")
        return body

    def _read(self, request: Signed) -> str | None:
        if self._kind == "header":
            return request.headers.get(self._name.lower()) or None
        try:
            tree = codec.loads(request.body)
        except (ValueError, RecursionError):
            return None
        value = tree.get(self._name) if isinstance(tree, dict) else None
        return value if isinstance(value, str) and value else None


def _digest(text: str) -> bytes:
    """Of one length, so that not even that is told by the time of a comparison."""
    return hashlib.sha256(text.encode(errors="surrogatepass")).digest()


def _seconds(text: str, unit: str) -> float | None:
    if unit == "iso":
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            return None
        return moment.timestamp() if moment.tzinfo is not None else None
    if not (text.isascii() and text.isdigit() and len(text) <= 16):
        return None
    return int(text) / (1000 if unit == "ms" else 1)


def _pairs(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for item in text.split(","):
        name, _, value = item.strip().partition("=")
        found.setdefault(name, value)
    return found


def _split(template: str) -> list[tuple[str, str]]:
    """The template as (kind, name or text): body, url, params, pair, header or literal text."""
    parts: list[tuple[str, str]] = []
    end = 0
    for match in _PLACE.finditer(template):
        parts.append(("text", template[end : match.start()]))
        kind, _, name = match[1].partition(":")
        parts.append((kind, name or kind))
        end = match.end()
    parts.append(("text", template[end:]))
    return parts
