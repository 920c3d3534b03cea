"""What a daemon and the runtime say to each other.

A daemon is a `DaemonSpec`: its name, its topics, the type of its documents, and one handler. The runtime hands the
handler a `Record` and gets back what to publish. It promises that

- the publications are acknowledged by the broker before the record counts as finished;
- no offset is committed past a record that is not finished, parked, retried or dead-lettered durably;
- a handler that is killed is run again, so a handler's effects must be harmless to repeat.

A handler may also raise one of four errors, named for what becomes of the record:

    HandlerError
     ├─ RetryAfter    published to a retry tier, comes back after about `delay` seconds
     ├─ Park          kept in the store until a person, a repair, a budget or a date releases it
     ├─ Permanent     this record will never work: dead letter
     └─ Poison        this record cannot even be read: dead letter

Anything else a handler raises is a fault of ours: a few retries, then a dead letter that says so.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar

from schemas.documents import Document
from schemas.headers import RecordHeaders

D = TypeVar("D", bound=Document)


class HandlerError(Exception):
    """The root; `reason` is a short code for metrics and headers, `detail` a sentence without personal data."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


class RetryAfter(HandlerError):
    """Try again after about `delay` seconds; gives up (dead letter) `give_up_after` seconds after the first failure."""

    def __init__(
        self, reason: str, detail: str = "", *, delay: float = 10.0, give_up_after: float | None = None
    ) -> None:
        super().__init__(reason, detail)
        self.delay = delay
        self.give_up_after = give_up_after


class Park(HandlerError):
    """Wait for a person, a repaired connector, a budget or `due`.

    Or, with `update`, for a newer version of the daemon: nobody tells when that runs, so the record comes back by
    itself after hours, again and again, until one can read it.
    """

    def __init__(
        self,
        reason: str,
        detail: str = "",
        *,
        connector_id: str | None = None,
        due: datetime | None = None,
        update: bool = False,
    ) -> None:
        super().__init__(reason, detail)
        self.connector_id = connector_id
        self.due = due
        self.update = update


class Permanent(HandlerError):
    """This record will never work."""


class Poison(HandlerError):
    """This record cannot be read."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a record lies; `topic` is without the installation's prefix."""

    topic: str
    partition: int
    offset: int


@dataclass(frozen=True)
class Record(Generic[D]):
    """A record as a handler sees it: `document` is the typed view, `json` the same thing verbatim, to grow from.

    Both are read when they are first looked at: where the value is not what it should be, that raises Poison, which a
    handler lets pass. A handler that never looks is not told.
    """

    place: Place
    key: bytes | None
    value: bytes
    headers: RecordHeaders
    document: D
    json: Mapping[str, Any]
    timestamp: datetime | None = None
    attempt: int = 0
    """How often it came back through the retry topics."""


@dataclass(frozen=True, slots=True)
class Publication:
    """A record to publish; `topic` is without the installation's prefix. `traceparent` is added by the runtime."""

    topic: str
    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a record goes to the dead letters."""

    reason: str
    detail: str
    attempt: int
    first_failed_at: datetime


Handler = Callable[[Record[D]], Awaitable[Sequence[Publication]]]

BatchHandler = Callable[[Sequence[Record[D]]], Awaitable[Sequence[Sequence[Publication] | HandlerError]]]
"""For work that is cheaper together: one answer a record, in the same order. When it raises, every record of the batch
is handed to the daemon's `handler` alone, so one bad record never spoils its neighbours."""


@dataclass(frozen=True, slots=True)
class DaemonSpec(Generic[D]):
    """A daemon."""

    name: str
    """Also its consumer group, after the prefix `leadbus.`."""
    description: str
    topics: Mapping[str, type[D]]
    """Topic (without prefix) to the type of its documents."""
    publishes: Mapping[str, type[Document]]
    """Topics it publishes to, for AsyncAPI and readiness."""
    handler: Handler[D]
    on_dead: Callable[[Record[D], Failure], Sequence[Publication]] = field(default=lambda record, failure: ())
    """The final states (outcomes) to publish together with a dead letter."""
    on_unreadable: Callable[[Place, RecordHeaders, Failure], Sequence[Publication]] = field(
        default=lambda place, headers, failure: ()
    )
    """The same for a record that could not be read: all there is are its place and whatever headers are text."""
    batch_handler: BatchHandler[D] | None = None
    """Handles several records in one slot, where that pays; `handler` stays the way for one."""
    batch_size: int = 1
    """Records handed to `batch_handler` at most; what waits is taken, nothing is waited for."""
    slots: int = 500
    """Records (or batches) worked on at the same time."""
    ordered_by_key: bool = False
    """Whether records of one key are handled one after the other."""
    handler_timeout: float = 120.0
    """Seconds after which a handler is cancelled and the record retried."""
