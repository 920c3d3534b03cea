"""The seams to bytes that do not fit a record: call recordings to fetch, objects to keep under their hash.

Errors: `RecordingGone` (it is not there and will not be), `RecordingRefused` (our credential or the host is not
allowed), `RecordingUnavailable` (passing fault), `TooLarge`; `ObjectMissing`, `ObjectsUnavailable` (passing fault).
"""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from schemas.tenant import IntakeBundle


class RecordingError(Exception):
    """The root."""


class RecordingGone(RecordingError):
    """The vendor has no such recording (404, 410)."""


class RecordingRefused(RecordingError):
    """The host is not on the tenant's list, or the credential was refused."""


class RecordingUnavailable(RecordingError):
    """A passing fault; `delay` in seconds when the vendor named one."""

    def __init__(self, message: str, *, delay: float | None = None) -> None:
        super().__init__(message)
        self.delay = delay


class TooLarge(RecordingError):
    """More bytes than a recording may have."""


@dataclass(frozen=True, slots=True)
class Recording:
    """An open recording: read `chunks` once, inside the context."""

    content_type: str | None
    size: int | None
    chunks: AsyncIterator[bytes]


class Recordings(Protocol):
    """Fetches recordings with the tenant's credential, from the tenant's hosts alone."""

    def open(self, tenant: IntakeBundle, url: str, *, secret: str | None) -> AbstractAsyncContextManager[Recording]:
        """Stream a recording; `secret` is the secret reference of the office or tenant. The credential goes to the
        tenant's hosts only, never past a redirect or to the file's own URL."""
        ...

    async def close(self) -> None:
        """Close the session."""
        ...


class ObjectMissing(Exception):
    """No object under that hash."""


class ObjectsUnavailable(Exception):
    """The storage does not answer now; the same call may succeed later."""


class Objects(Protocol):
    """Content-addressed storage: putting the same bytes twice is one object."""

    async def put(self, tenant_id: str, data: bytes) -> str:
        """Keep the bytes; their SHA-256. Raises `ObjectsUnavailable`."""
        ...

    async def get(self, tenant_id: str, ref: str) -> bytes:
        """The bytes; raises `ObjectMissing`, `ObjectsUnavailable`."""
        ...
