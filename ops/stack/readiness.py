"""How a started process shows that it is ready: an HTTP answer of 200, or a ready line on its standard output."""

import asyncio
import urllib.parse
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ops.stack.child import find_ready_line

PROBE_SECONDS = 2.0


class Readiness(Protocol):
    """One probe. `check` is called again and again until it returns something other than None."""

    @property
    def seconds(self) -> float:
        """How long the process may take from its start."""
        ...

    async def check(self, log: Path, log_start: int) -> dict[str, Any] | None:
        """What the process told about itself (may be empty) once it is ready; None before. Never raises."""
        ...


@dataclass(frozen=True, slots=True)
class ReadyLine:
    """Ready when the log of this run holds a ready line (see `ops.stack.child`); its fields are the answer."""

    seconds: float = 30.0

    async def check(self, log: Path, log_start: int) -> dict[str, Any] | None:
        return find_ready_line(log, log_start)


@dataclass(frozen=True, slots=True)
class HttpReady:
    """Ready when GET `url` (plain http on loopback, usually .../readyz) answers 200."""

    url: str
    seconds: float = 30.0

    async def check(self, log: Path, log_start: int) -> dict[str, Any] | None:
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                return {} if await _status(self.url) == 200 else None
        except (OSError, ValueError, EOFError):
            return None


async def _status(url: str) -> int:
    # By hand, because every supervisor would otherwise pay for importing an HTTP client.
    parts = urllib.parse.urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port or 80)
    try:
        path = parts.path or "/"
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n\r\n".encode())
        await writer.drain()
        words = (await reader.readline()).split()
        return int(words[1]) if len(words) > 1 else 0
    finally:
        writer.close()
