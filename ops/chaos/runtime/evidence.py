"""What a run's topics and commits tell: which records are there, which went elsewhere, which are committed."""

import urllib.request
from collections.abc import Sequence
from typing import Any

from consumers.runtime.offsets import decode
from ops.chaos.runtime.figures import Sent
from ops.chaos.runtime.installation import Installation
from schemas.headers import EVENT_ID, FAILURE_OFFSET, FAILURE_PARTITION, FAILURE_REASON, RecordHeaders
from schemas.topics import DEAD_LETTERS, INBOUND_MESSAGES, RETRY_TIERS


def found_on(topics: Installation, sent: Sequence[Sent]) -> list[Sent]:
    """What of `sent` lies on the topic where the broker said it does."""
    places = {(message.partition(), message.offset()) for message in topics.read(INBOUND_MESSAGES)}
    return [one for one in sent if (one.partition, one.offset) in places]


def dead_letters(topics: Installation) -> list[tuple[int, str]]:
    """Number and reason of every dead letter."""
    return [(_number_at(topics, message), _reason(message)) for message in topics.read(DEAD_LETTERS)]


def returning(topics: Installation) -> set[int]:
    """The numbers of the records that wait in a retry topic."""
    return {_number_at(topics, message) for tier in RETRY_TIERS for message in topics.read(tier)}


def covered_by_commit(topics: Installation) -> set[int]:
    """The numbers of the records that the group's commits tell to be finished."""
    commits = topics.commits()
    beyond = {partition: decode(offset, metadata) for partition, (offset, metadata) in commits.items()}
    return {
        one.number
        for one in topics.sent
        if one.partition in commits and (one.offset < commits[one.partition][0] or one.offset in beyond[one.partition])
    }


def metric(port: int, name: str) -> float:
    """The present value of a worker's metric without labels, by its full name; 0 when it has none."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        for line in answer.read().decode().splitlines():
            if line.startswith(f"{name} "):
                return float(line.split()[1])
    return 0.0


def _number_at(topics: Installation, message: Any) -> int:
    headers = RecordHeaders.read(message.headers())
    place = (int(headers.values[FAILURE_PARTITION]), int(headers.values[FAILURE_OFFSET]))
    numbers = [one.number for one in topics.sent if (one.partition, one.offset) == place]
    events = [one.number for one in topics.sent if one.event_id == headers.get(EVENT_ID)]
    return (numbers or events or [-1])[0]


def _reason(message: Any) -> str:
    return RecordHeaders.read(message.headers()).get(FAILURE_REASON) or ""
