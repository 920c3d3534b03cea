"""The seam to Kafka for a process that only publishes (the gateway, tools). Daemons publish through FastStream.

Promise: `publish` returns only after all in-sync replicas have the record. Errors: `NotPublished` (the broker refused
or did not answer in time; the record may still arrive), `RecordTooLarge` (it can never be published).
"""

from collections.abc import Sequence
from typing import Protocol


class BusError(Exception):
    """The root."""


class NotPublished(BusError):
    """No acknowledgement in time."""


class RecordTooLarge(BusError):
    """The record is larger than the topic takes."""


class Publisher(Protocol):
    """Publishes records and waits for their acknowledgement."""

    async def publish(self, topic: str, *, key: bytes, value: bytes, headers: Sequence[tuple[str, bytes]]) -> None:
        """Publish one record; `topic` without prefix."""
        ...

    async def ready(self) -> bool:
        """Whether the cluster answers and the topics are there."""
        ...

    async def close(self) -> None:
        """Flush and stop."""
        ...
