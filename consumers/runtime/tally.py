"""Counting what happens for every record, told once a turn of the event loop.

A counter of the metrics costs as much as half the engine's work on a record that has nothing to wait for, and the
dead-letter limits more; in bulk they cost nothing.
"""

import asyncio
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class Tally(Generic[K]):
    """Counts by key. Promise: whoever runs after the counting task's turn finds it told."""

    def __init__(self, tell: Callable[[K, int], None]) -> None:
        self._tell = tell
        self._counts: dict[K, int] = {}

    def count(self, key: K) -> None:
        """One more."""
        counts = self._counts
        if not counts:
            asyncio.get_running_loop().call_soon(self._tell_all)
        counts[key] = counts.get(key, 0) + 1

    def _tell_all(self) -> None:
        counts, self._counts = self._counts, {}
        for key, count in counts.items():
            self._tell(key, count)
