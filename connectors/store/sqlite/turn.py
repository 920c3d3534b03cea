"""Whose turn it is to write: a lock between processes that the kernel hands on without polling.

The lock lies on PATH-turn and guards nothing by itself; SQLite's own lock still does. Where the platform has no
`flock`, there are no turns and SQLite decides alone, less fairly.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

if os.name == "posix":
    import fcntl


class Turn:
    """Used by one thread. OSError when the lock's file cannot be made."""

    def __init__(self, path: Path) -> None:
        self._path = path.with_name(f"{path.name}-turn")
        self._descriptor: int | None = None

    @contextlib.contextmanager
    def taken(self) -> Iterator[None]:
        """Waits for the turn, and gives it on at the end."""
        if os.name != "posix":
            yield
            return
        if self._descriptor is None:
            self._descriptor = os.open(self._path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        """Let the lock's file go."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
