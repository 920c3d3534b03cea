"""The topic table: every topic's name, partitions, retention and largest record.

`ops topics --create` makes them from here; readiness checks them. Names carry an optional prefix so that several
installations share a cluster.
"""

from dataclasses import dataclass
from typing import Final

from schemas.decision import ConnectorKind

KIB: Final = 1024
MIB: Final = 1024 * 1024
DAY_MS: Final = 86_400_000

LARGEST_BODY: Final = 512 * KIB
"""Bytes of a webhook's body; longer ones are refused with 413."""
LARGEST_RECORD: Final = 900 * KIB
LARGEST_MOVED_RECORD: Final = LARGEST_RECORD + 16 * KIB
"""A record of the largest size with the headers that it gets when moved, retried or released: about 1 KiB of codes,
ids and times, and at most 2 KiB of what went wrong."""
LARGEST_FAILED_RECORD: Final = 2 * MIB


@dataclass(frozen=True, slots=True)
class Topic:
    """One row of the table; `retention_ms` of -1 keeps for ever."""

    name: str
    partitions: int
    retention_ms: int
    max_bytes: int
    compacted: bool = False


INBOUND_THIN: Final = "inbound.thin"
INBOUND_CALLS: Final = "inbound.calls"
INBOUND_MESSAGES: Final = "inbound.messages"
TRANSCRIBED: Final = "transcribed"
ANALYZED: Final = "analyzed"
DECIDED: Final = "decided"
OUTCOMES: Final = "outcomes"
RECEIPTS: Final = "receipts"
DEAD_LETTERS: Final = "dead-letters"
NOTICES: Final = "notices"
AUDIT: Final = "audit"
TENANTS: Final = "tenants"

RETRY_TIERS: Final[dict[str, float]] = {
    "retry.10s": 10.0,
    "retry.1m": 60.0,
    "retry.10m": 600.0,
    "retry.1h": 3600.0,
}
"""Retry topic to its delay in seconds, shortest first; the last one repeats."""

DELIVER: Final[dict[ConnectorKind, str]] = {
    kind: f"deliver.{kind.value}" for kind in ConnectorKind if kind is not ConnectorKind.OTHER
}

INBOUND: Final = (INBOUND_THIN, INBOUND_CALLS, INBOUND_MESSAGES)
STAGES: Final = (TRANSCRIBED, ANALYZED, DECIDED, *DELIVER.values(), OUTCOMES, RECEIPTS)

OVERFLOW_SUFFIX: Final = ".overflow"
OVERFLOWING: Final = frozenset((*INBOUND, *STAGES))
"""Topics with an overflow topic."""


def overflow(topic: str) -> str:
    """The topic that takes what a flooding tenant sends beyond its share, and what was parked and is released."""
    return f"{topic}{OVERFLOW_SUFFIX}"


def has_overflow(topic: str) -> bool:
    """Whether `overflow(topic)` is in the table: true for every topic that carries documents."""
    return topic in OVERFLOWING


def table() -> tuple[Topic, ...]:
    """Every topic of an installation, without prefix."""
    return (
        *(Topic(name, 12, 14 * DAY_MS, LARGEST_RECORD) for name in INBOUND),
        *(Topic(overflow(name), 12, 14 * DAY_MS, LARGEST_MOVED_RECORD) for name in INBOUND),
        *(Topic(name, 12, 7 * DAY_MS, LARGEST_RECORD) for name in STAGES),
        *(Topic(overflow(name), 12, 7 * DAY_MS, LARGEST_MOVED_RECORD) for name in STAGES),
        *(Topic(name, 6, 7 * DAY_MS, LARGEST_FAILED_RECORD) for name in RETRY_TIERS),
        Topic(DEAD_LETTERS, 6, 30 * DAY_MS, LARGEST_FAILED_RECORD),
        Topic(NOTICES, 6, 30 * DAY_MS, LARGEST_FAILED_RECORD),
        Topic(AUDIT, 6, 365 * DAY_MS, LARGEST_FAILED_RECORD),
        Topic(TENANTS, 1, -1, 100 * KIB, compacted=True),
    )
