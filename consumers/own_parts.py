"""What becomes of a record while a part of our own is away: the store, object storage, or the tenants' bundles.

The one place that says so for all document daemons. None of it is a fault of the record, so it never ends in the dead
letters after three quick tries: it waits in the retry topics. A tenant or connector that no bundle names may have been
published a moment ago, so a daemon looks again twice before the record is parked for a person.
"""

from collections.abc import Sequence
from typing import Any

from connectors.recordings.seam import ObjectsUnavailable
from connectors.store.seam import Conflict, StoreError, Unavailable
from consumers.runtime.seam import (
    BatchHandler,
    D,
    Handler,
    HandlerError,
    Park,
    Permanent,
    Publication,
    Record,
    RetryAfter,
)

LOOKS = 2
"""Rounds through the retry topics before something that no bundle names is a matter for a person."""
DELAY = 10.0


AWAY = (Unavailable, Conflict, ObjectsUnavailable)


def patient(handler: Handler[D]) -> Handler[D]:
    """The handler, with RetryAfter for a store or object storage that does not answer and for a lost race."""

    async def handle(record: Record[D]) -> Sequence[Publication]:
        try:
            return await handler(record)
        except AWAY as error:
            raise waiting(error) from error

    return handle


def patient_batch(handler: BatchHandler[D]) -> BatchHandler[D]:
    """The same for many: what is away is away for all of them."""

    async def handle(records: Sequence[Record[D]]) -> Sequence[Sequence[Publication] | HandlerError]:
        try:
            return await handler(records)
        except AWAY as error:
            return [waiting(error) for _ in records]

    return handle


def one(handler: BatchHandler[D]) -> Handler[D]:
    """The way for one record of a daemon that takes batches: a batch of one."""

    async def handle(record: Record[D]) -> Sequence[Publication]:
        [answer] = await handler([record])
        if isinstance(answer, HandlerError):
            raise answer
        return answer

    return handle


def waiting(error: Exception) -> RetryAfter:
    """What to answer while a part of our own is away; for the errors `AWAY`."""
    if isinstance(error, Conflict):
        return RetryAfter("store_conflict", "somebody else changed the row first", delay=DELAY)
    if isinstance(error, ObjectsUnavailable):
        return RetryAfter("objects_unavailable", "object storage does not answer", delay=DELAY)
    return RetryAfter("store_unavailable", "the store does not answer", delay=DELAY)


def refused(error: StoreError) -> HandlerError:
    """What to answer for a record whose row the store refused among others."""
    if isinstance(error, Conflict):
        return waiting(error)
    return Permanent("refused_by_store", f"{type(error).__name__}: {error}")


def unnamed(
    reason: str, detail: str, *, loaded: bool, record: Record[Any], connector_id: str | None = None
) -> HandlerError:
    """What to raise when no bundle names what the record is about; `loaded` says whether all bundles were seen."""
    if not loaded:
        return RetryAfter("bundles_not_loaded", "the tenants' bundles were not read yet", delay=DELAY)
    if record.attempt < LOOKS:
        return RetryAfter(reason, detail, delay=DELAY)
    return Park(reason, detail, connector_id=connector_id)
