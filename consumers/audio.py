"""A recording on its way from the vendor to the recognizer: on disk, hashed, never whole in memory.

The hash must be known before money is spent (a transcript for the same audio is reused), so the recording is spooled to
a temporary file first and read again from there.
"""

import asyncio
import contextlib
import hashlib
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import IO

IN_MEMORY = 1 << 20
CHUNK = 64 * 1024


@dataclass(frozen=True, slots=True)
class SpooledAudio:
    """A recording in a temporary file; it is gone when the context ends."""

    file: IO[bytes]
    sha256: str
    size: int

    async def chunks(self) -> AsyncIterator[bytes]:
        """The bytes from the beginning, in pieces of 64 KiB."""
        await asyncio.to_thread(self.file.seek, 0)
        while chunk := await asyncio.to_thread(self.file.read, CHUNK):
            yield chunk


@contextlib.asynccontextmanager
async def spooled(chunks: AsyncIterator[bytes]) -> AsyncIterator[SpooledAudio]:
    """Spool what comes; at most 1 MiB of it stays in memory."""
    digest, size = hashlib.sha256(), 0
    with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY) as file:
        async for chunk in chunks:
            digest.update(chunk)
            size += len(chunk)
            if size > IN_MEMORY:
                await asyncio.to_thread(file.write, chunk)
            else:
                file.write(chunk)
        yield SpooledAudio(file=file, sha256=digest.hexdigest(), size=size)
