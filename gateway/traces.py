"""W3C trace context: continue the caller's trace, or start one. Nothing else of OpenTelemetry is needed to pass it on.

Randomness is handed in. A header that does not follow the recommendation is ignored, never refused.
"""

import re
from collections.abc import Callable

_VALID = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})")


class Traces:
    """Makes the `traceparent` of what the gateway publishes."""

    def __init__(self, random_bytes: Callable[[int], bytes]) -> None:
        self._random = random_bytes

    def next(self, incoming: str | None) -> str:
        """A child of the incoming trace where there is one, else the root of a new one, sampled."""
        span = self._random(24).hex()
        match = _VALID.fullmatch(incoming) if incoming else None
        if match is not None:
            return f"00-{match[1]}-{span[:16]}-{match[2]}"
        return f"00-{span[:32]}-{span[32:]}-01"
