"""Record headers: their names, and reading and writing them.

Headers are what intake can see without parsing a body, so everything that decides whether a record is read at all is
here. A header that is not text, or not there, reads as None: bad headers are data, not crashes.
"""

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

TENANT: Final = "tenant"
REQUEST_ID: Final = "request_id"
EVENT_ID: Final = "event_id"
SCHEMA: Final = "schema"
TRACEPARENT: Final = "traceparent"
TEST: Final = "test"
RETRY_FOR: Final = "retry_for"
REPLAY_ID: Final = "replay_id"
CONTENT_TYPE: Final = "content-type"

FAILURE_REASON: Final = "failure_reason"
FAILURE_DETAIL: Final = "failure_detail"
FAILURE_GROUP: Final = "failure_group"
FAILURE_TOPIC: Final = "failure_topic"
FAILURE_PARTITION: Final = "failure_partition"
FAILURE_OFFSET: Final = "failure_offset"
FAILURE_ATTEMPT: Final = "failure_attempt"
FAILURE_FIRST_AT: Final = "failure_first_at"
FAILURE_TRACE: Final = "failure_trace"
"""The `traceparent` of the attempt that failed, where that was traced."""
RETRY_DUE_AT: Final = "retry_due_at"

RELEASED: Final = "released"
"""Set on a parked record that is published again: how it was released (`schemas.headers.Release`)."""
PARK_ID: Final = "park_id"
"""Which parked row a released record was."""
PARKED_TIMES: Final = "parked_times"
"""How often a released record has been parked so far."""
PARKED_FIRST_AT: Final = "parked_first_at"
"""And since when, in ISO 8601."""


class Release(StrEnum):
    """The answer with which a parked record is released.

    Trusted only with a `PARK_ID` and a `RETRY_FOR` of the reader's group; none of them is ever set by the gateway.
    """

    AGAIN = "again"
    """Just try again."""
    SENT = "sent"
    """A person has looked: the effect that was in doubt has happened."""
    NOT_SENT = "not_sent"
    """A person has looked: it has not."""
    APPROVE = "approve"
    """A person lets the lead go that a rule holds."""
    DISCARD = "discard"
    """It ends here. Never written to a record: what is discarded is not published again."""


RawHeaders = Sequence[tuple[str, bytes | None]]


@dataclass(frozen=True, slots=True)
class RecordHeaders:
    """The headers of a record, as text; `raw` keeps them untouched for retries and dead letters."""

    values: dict[str, str]
    raw: tuple[tuple[str, bytes | None], ...] = ()

    @classmethod
    def read(cls, headers: Iterable[tuple[str, bytes | None]] | None) -> "RecordHeaders":
        """Read what is UTF-8 text; the last of several equal names wins."""
        raw = tuple(headers or ())
        try:
            return cls({name: value.decode() for name, value in raw}, raw)  # type: ignore[union-attr]
        except (AttributeError, UnicodeDecodeError):
            # Seldom: one of them is missing, or no text.
            return cls(dict(_texts(raw)), raw)

    def get(self, name: str) -> str | None:
        """The header's text, or None."""
        return self.values.get(name)

    @property
    def schema_major(self) -> int | None:
        """Major version of the document, or None where the header is missing or unreadable."""
        _, _, version = (self.get(SCHEMA) or "").partition("/")
        major = version.split(".", 1)[0]
        return int(major) if major.isdigit() else None


def _texts(raw: RawHeaders) -> Iterator[tuple[str, str]]:
    for name, value in raw:
        if isinstance(value, bytes):
            with contextlib.suppress(UnicodeDecodeError):
                yield name, value.decode()


def document_headers(
    *,
    tenant: str,
    request_id: str,
    event_id: str,
    schema: str,
    version: str,
    test: bool = False,
    traceparent: str | None = None,
    replay_id: str | None = None,
) -> list[tuple[str, bytes]]:
    """The headers that every document carries; `schema` is written as `name/version`."""
    pairs = {
        TENANT: tenant,
        REQUEST_ID: request_id,
        EVENT_ID: event_id,
        SCHEMA: f"{schema}/{version}",
        CONTENT_TYPE: "application/json",
        TEST: "1" if test else None,
        TRACEPARENT: traceparent,
        REPLAY_ID: replay_id,
    }
    return [(name, value.encode()) for name, value in pairs.items() if value is not None]


def audit_headers(*, tenant: str, schema: str, version: str) -> list[tuple[str, bytes]]:
    """The headers of what is told on the topic `audit`: it is about no single event."""
    pairs = {TENANT: tenant, SCHEMA: f"{schema}/{version}", CONTENT_TYPE: "application/json"}
    return [(name, value.encode()) for name, value in pairs.items()]
