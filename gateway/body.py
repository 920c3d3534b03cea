"""Reads a request's body with a cap in bytes and a deadline in seconds, both enforced while it arrives.

A body of a declared length is read at once, because the server holds it to that length; one without is counted chunk
by chunk. Errors: `BodyTooLarge`, `BodyTooSlow`, `BodyBroken` (the sender went away, or sent less than declared).
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Protocol

from granian._granian import RSGIProtocolClosed


class BodyError(Exception):
    """The root."""


class BodyTooLarge(BodyError):
    """More bytes than the cap."""


class BodyTooSlow(BodyError):
    """Not there within the deadline."""


class BodyBroken(BodyError):
    """It ended before it was complete."""


class Incoming(Protocol):
    """The reading half of Granian's RSGI protocol object."""

    async def __call__(self) -> bytes: ...

    def __aiter__(self) -> AsyncIterator[bytes]: ...


async def read_body(incoming: Incoming, headers: Mapping[str, str], *, cap: int, seconds: float) -> bytes:
    """The whole body; header names are lower-case."""
    declared = headers.get("content-length")
    length = int(declared) if declared and declared.isdecimal() and len(declared) < 16 else None
    if length is not None and length > cap:
        raise BodyTooLarge
    try:
        async with asyncio.timeout(seconds):
            if length is None:
                return await _counted(incoming, cap)
            body = await incoming()
    except TimeoutError:
        raise BodyTooSlow from None
    except RSGIProtocolClosed:
        raise BodyBroken from None
    if len(body) != length:
        raise BodyBroken
    return body


async def _counted(incoming: Incoming, cap: int) -> bytes:
    body = bytearray()
    async for chunk in incoming:
        body += chunk
        if len(body) > cap:
            raise BodyTooLarge
    return bytes(body)
