"""What becomes of a record while a part of our own is away: the store, object storage, or the tenants' bundles.

The one place that says so for all document daemons. None of it is a fault of the record, so it never ends in the dead
letters after three quick tries: it waits in the retry topics. A tenant or connector that no bundle names may have been
published a moment ago, so a daemon looks again twice before the record is parked for a person.
"""

from collections.abc import Sequence
from typing import Any

from connectors.recordings.seam import ObjectsUnavailable
from connectors.store.seam import Conflict, Unavailable
from consumers.runtime.seam import D, Handler, HandlerError, Park, Publication, Record, RetryAfter

LOOKS = 2
"""Rounds through the retry topics before something that no bundle names is a matter for a person."""
DELAY = 10.0


def patient(handler: Handler[D]) -> Handler[D]:
    """The handler, with RetryAfter for a store or object storage that does not answer and for a lost race."""

    async def handle(record: Record[D]) -> Sequence[Publication]:
        try:
            return await handler(record)
        except Unavailable as error:
            raise RetryAfter("store_unavailable", "the store does not answer", delay=DELAY) from error
        except Conflict as error:
            raise RetryAfter("store_conflict", "somebody else changed the row first", delay=DELAY) from error
        except ObjectsUnavailable as error:
            raise RetryAfter("objects_unavailable", "object storage does not answer", delay=DELAY) from error

    return handle


def unnamed(
    reason: str, detail: str, *, loaded: bool, record: Record[Any], connector_id: str | None = None
) -> HandlerError:
    """What to raise when no bundle names what the record is about; `loaded` says whether all bundles were seen."""
    if not loaded:
        return RetryAfter("bundles_not_loaded", "the tenants' bundles were not read yet", delay=DELAY)
    if record.attempt < LOOKS:
        return RetryAfter(reason, detail, delay=DELAY)
    return Park(reason, detail, connector_id=connector_id)
