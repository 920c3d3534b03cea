"""Keeps the records of one POST: published, and acknowledged by all in-sync replicas, before anybody is told 202.

Fails with connectors.bus.seam's `NotPublished` (send it again) or `RecordTooLarge` (never will be), for the whole POST.
"""

import asyncio
from collections.abc import Sequence
from time import perf_counter

from connectors.bus.seam import Publisher
from gateway.documents import InboundRecord
from gateway.metrics import GatewayMetrics


class Keeper:
    """Puts records where they outlive this process."""

    def __init__(self, publisher: Publisher, metrics: GatewayMetrics) -> None:
        self._publisher = publisher
        self._metrics = metrics

    async def keep(self, records: Sequence[InboundRecord]) -> None:
        """Returns when every record is kept."""
        began = perf_counter()
        if len(records) == 1:
            await self._publish(records[0])
        else:
            await asyncio.gather(*(self._publish(record) for record in records))
        self._metrics.publish_seconds.observe(perf_counter() - began)

    async def _publish(self, record: InboundRecord) -> None:
        await self._publisher.publish(
            record.topic, key=record.request_id.encode(), value=record.value, headers=record.headers
        )
