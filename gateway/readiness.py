"""Whether the gateway should be sent traffic: the tenant map is loaded and the broker has every topic.

The broker is asked at most once a second, however often a balancer asks; while one question is under way the others
get the last answer. Never raises.
"""

import asyncio
from collections.abc import Callable

from connectors.bus.seam import Publisher
from gateway.tenants import EndpointMap

FRESH_SECONDS = 1.0


class Readiness:
    """Answers `/readyz`."""

    def __init__(self, endpoints: EndpointMap, publisher: Publisher, monotonic: Callable[[], float]) -> None:
        self._endpoints = endpoints
        self._publisher = publisher
        self._monotonic = monotonic
        self._asked_at = float("-inf")
        self._answer = False
        self._asking = asyncio.Lock()

    async def __call__(self) -> bool:
        """True when webhooks can be taken in and published."""
        if not self._endpoints.loaded:
            return False
        if self._monotonic() - self._asked_at > FRESH_SECONDS and not self._asking.locked():
            async with self._asking:
                self._answer = await self._publisher.ready()
                self._asked_at = self._monotonic()
        return self._answer
