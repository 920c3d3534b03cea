"""The seam to secrets: a tenant's file says `secret://NAME`, operator settings say where that is.

Errors: `SecretMissing` (no mapping, or nothing there; the text names tenant and NAME, never a value),
`SecretUnavailable` (the manager does not answer now).
"""

from typing import Protocol


class SecretError(Exception):
    """The root."""


class SecretMissing(SecretError):
    """There is no such secret."""


class SecretUnavailable(SecretError):
    """The secret exists but cannot be read now."""


class Secrets(Protocol):
    """Resolves references; caches, so that it may be called on a hot path."""

    async def get(self, tenant_id: str, ref: str) -> str:
        """The secret's text for `secret://NAME`."""
        ...

    async def close(self) -> None:
        """Let go of clients."""
        ...
