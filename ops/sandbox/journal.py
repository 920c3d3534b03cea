"""What a sandbox server was asked: calls counted per path, and the last refusals with their reason.

Only method, path pattern, status and the reason in words are kept: never a header, so no credential.
"""

from __future__ import annotations

from collections import Counter, deque
from typing import Any

REFUSALS_KEPT = 500


class Journal:
    """Counts calls and remembers refusals of one vendor."""

    def __init__(self) -> None:
        self._calls: Counter[str] = Counter()
        self._rejected: deque[dict[str, Any]] = deque(maxlen=REFUSALS_KEPT)

    def called(self, call: str) -> None:
        """Count one call, named `METHOD /path/{pattern}` or by its gRPC method."""
        self._calls[call] += 1

    def refused(self, call: str, status: int | str, reason: str) -> None:
        self._rejected.append({"call": call, "status": status, "reason": reason})

    def reset(self) -> None:
        self._calls.clear()
        self._rejected.clear()

    def snapshot(self) -> dict[str, Any]:
        """`{"calls": {call: count}, "rejected": [{call, status, reason}]}`, at most 500 refusals."""
        return {"calls": dict(sorted(self._calls.items())), "rejected": list(self._rejected)}
