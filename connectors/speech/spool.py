"""Keeps a recording while it is sent: a MiB in memory, the rest in an unnamed file on disk.

A recording must be whole before it is sent, because the method depends on its length and a failed call is sent again.
The file has no name and vanishes with the process. Disk work happens in a thread.
"""

import asyncio
import os
import tempfile
from types import TracebackType
from typing import IO, Self

MEMORY_BYTES = 1024 * 1024


class Spool:
    """Append, then read any part; one task at a time appends, any number reads. Use as a context manager."""

    def __init__(self, memory_bytes: int = MEMORY_BYTES) -> None:
        self._memory_bytes = memory_bytes
        self._memory = bytearray()
        self._file: IO[bytes] | None = None
        self._lock = asyncio.Lock()
        self.size = 0

    async def append(self, chunk: bytes) -> None:
        """Keep the next bytes."""
        self.size += len(chunk)
        self._memory += chunk
        if len(self._memory) > self._memory_bytes:
            async with self._lock:
                await asyncio.to_thread(self._spill)

    async def read(self, offset: int, length: int) -> bytes:
        """The bytes of that part, as many as there are."""
        if self._file is None:
            return bytes(self._memory[offset : offset + length])
        async with self._lock:
            return await asyncio.to_thread(self._read, offset, length)

    def _spill(self) -> IO[bytes]:
        if self._file is None:
            self._file = tempfile.TemporaryFile()  # noqa: SIM115  closed by __exit__
        self._file.seek(0, os.SEEK_END)
        self._file.write(self._memory)
        self._memory.clear()
        return self._file

    def _read(self, offset: int, length: int) -> bytes:
        file = self._spill()
        file.seek(offset)
        return file.read(length)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()
        self._memory = bytearray()
