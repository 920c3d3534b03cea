"""Tenant tokens: who may read what. Kept as SHA-256 with an expiry, a role and, if wanted, offices.

Operator settings name a JSON file of `[{"sha256", "tenant", "role", "offices", "expires"}]`. The text of a token stands
nowhere. Only `admin` sees personal data unmasked.
"""

import hashlib
import hmac
import json
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime, TypeAdapter

from schemas.base import FileModel, Sha256, Slug


class Token(FileModel):
    """One token, without its text."""

    sha256: Sha256
    tenant: Slug
    role: Literal["viewer", "admin"] = "viewer"
    offices: tuple[Slug, ...] = ()
    """Empty for all."""
    expires: AwareDatetime


class Tokens:
    """Finds the token of a request in constant time per known token."""

    def __init__(self, tokens: Iterable[Token]) -> None:
        self._tokens = tuple(tokens)

    @classmethod
    def read(cls, path: Path | None) -> "Tokens":
        """From the file; none without one. Raises ValueError naming file and fault."""
        if path is None:
            return cls(())
        try:
            return cls(TypeAdapter(tuple[Token, ...]).validate_python(json.loads(path.read_text(encoding="utf-8"))))
        except (OSError, ValueError) as error:
            raise ValueError(f"{path}: the tokens cannot be read: {error}") from error

    def find(self, text: str, now: datetime) -> Token | None:
        """The living token of that text."""
        digest = hashlib.sha256(text.encode()).hexdigest()
        found: Token | None = None
        for token in self._tokens:
            if hmac.compare_digest(token.sha256, digest) and token.expires > now:
                found = token
        return found
