"""The account of a soak, from the topics: what came in, what was decided about it, and how each step ended.

Pure: it is fed with records in the order of each partition and never asks anybody. A *key* is (event, phase, step); an
event without a plan in a phase ends under the empty step.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from ops.demo.watch import Seen
from schemas import headers, topics
from schemas.envelope import Phase

PHASES = (Phase.RECEIVED.value, Phase.ANALYZED.value)
ARRIVAL = "arrival:"
"""Begins the step of the outcome by which a repeated arrival is counted."""


class Key(NamedTuple):
    """What must end exactly once."""

    event_id: str
    phase: str
    step_id: str
    generation: int = 0


class Source(NamedTuple):
    """Where a failed record lay first, for the group that failed it."""

    group: str
    topic: str
    partition: str
    offset: str


@dataclass(slots=True)
class Event:
    """One event; `places` are the inbound records that told of it."""

    tenant: str
    request_id: str
    about: str
    unparsed: bool
    places: set[tuple[str, int, int]] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Step:
    """One planned step, and what it should leave at the vendor's."""

    step_id: str
    kind: str
    order_id: str
    scope: str
    external_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """What was decided about an event in a phase."""

    tenant: str
    action: str
    generation: int
    steps: tuple[Step, ...]
    tickets: tuple[tuple[str, str, int], ...]
    """Pool, order, number."""


@dataclass(slots=True)
class Waiting:
    """A record in the retry topics: `attempt` went in, `returned` came back last."""

    reason: str
    due: datetime | None
    event_id: str
    phase: str | None
    step_id: str | None
    attempt: int = 0
    returned: int = 0


@dataclass(slots=True)
class Account:
    """Everything that the topics told."""

    bodies: set[tuple[str, str]] = field(default_factory=set)
    """Tenant and sha256 of each body that is in `inbound.*`."""
    events: dict[str, Event] = field(default_factory=dict)
    plans: dict[tuple[str, str], Plan] = field(default_factory=dict)
    outcomes: dict[Key, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    waiting: dict[Source, Waiting] = field(default_factory=dict)
    dead_letters: list[str] = field(default_factory=list)
    replanned: list[str] = field(default_factory=list)
    """Decisions that were published a second time and differ."""
    stages: Counter[str] = field(default_factory=Counter)
    last: str = ""
    """What was decided last, for people."""

    def add(self, seen: Seen) -> None:
        """One record."""
        topic = seen.topic.removesuffix(topics.OVERFLOW_SUFFIX)
        if topic in topics.RETRY_TIERS:
            self.stages["retry"] += 1
            self._held(seen)
            return
        if topic != topics.DEAD_LETTERS and seen.headers.get(headers.RETRY_FOR):
            self._returned(seen)
            return
        self.stages["deliver" if topic.startswith("deliver.") else topic] += 1
        match topic:
            case topics.INBOUND_CALLS | topics.INBOUND_MESSAGES:
                self._arrived(seen)
            case topics.DECIDED:
                self._decided(seen.document)
            case topics.OUTCOMES:
                self._ended(seen.document)
            case topics.DEAD_LETTERS:
                self.dead_letters.append(_letter(seen))

    def keys(self, event_id: str, phase: str) -> Iterator[tuple[Key, Step | None]]:
        """What must end for an event in a phase, in the order of its chain."""
        plan = self.plans.get((event_id, phase))
        if plan is None or not plan.steps:
            yield Key(event_id, phase, "", plan.generation if plan else 0), None
            return
        for step in plan.steps:
            yield Key(event_id, phase, step.step_id, plan.generation), step

    def retrying(self) -> Iterator[Waiting]:
        """Records that are in a retry topic and did not come back yet."""
        return (waiting for waiting in self.waiting.values() if waiting.attempt > waiting.returned)

    def _arrived(self, seen: Seen) -> None:
        envelope, raw = seen.document["envelope"], seen.document["raw"]
        self.bodies.add((envelope["tenant_id"], raw["sha256"]))
        event = self.events.setdefault(
            envelope["event_id"],
            Event(
                tenant=envelope["tenant_id"],
                request_id=envelope["request_id"],
                about=f"{envelope['source']} {envelope['event_kind']}",
                unparsed=seen.document.get("unparsed") is not None,
            ),
        )
        if not seen.topic.endswith(topics.OVERFLOW_SUFFIX):
            event.places.add((seen.topic, seen.partition, seen.offset))

    def _decided(self, document: Mapping[str, Any]) -> None:
        decision = document["decision"]
        plan = Plan(
            tenant=decision["tenant_id"],
            action=decision["action"],
            generation=decision.get("generation", 0),
            steps=tuple(_step(step) for step in decision["steps"]),
            tickets=tuple((t["pool"], t["order_id"], t["number"]) for t in decision["tickets"]),
        )
        known = self.plans.setdefault((decision["event_id"], decision["phase"]), plan)
        if known != plan:
            self.replanned.append(f"event {decision['event_id']}, phase {decision['phase']}")
        self.last = f"{decision['tenant_id']}: {decision['rule_title']} ({decision['phase']})"

    def _ended(self, document: Mapping[str, Any]) -> None:
        key = Key(
            document["envelope"]["event_id"], document["phase"], document["step_id"], document.get("generation", 0)
        )
        self.outcomes[key][document["state"]] += 1

    def _held(self, seen: Seen) -> None:
        source, attempt = _source(seen)
        waiting = self._waiting(source, seen)
        waiting.attempt = max(waiting.attempt, attempt)
        waiting.reason = _text(seen, headers.FAILURE_REASON)
        waiting.due = datetime.fromisoformat(_text(seen, headers.RETRY_DUE_AT))

    def _waiting(self, source: Source, seen: Seen) -> Waiting:
        phase, step_id = _about(source, seen.document)
        new = Waiting(reason="", due=None, event_id=_text(seen, headers.EVENT_ID), phase=phase, step_id=step_id)
        return self.waiting.setdefault(source, new)

    def _returned(self, seen: Seen) -> None:
        source, attempt = _source(seen)
        waiting = self._waiting(source, seen)  # topics are read side by side: the return may be seen first
        waiting.returned = max(waiting.returned, attempt)


def _step(step: Mapping[str, Any]) -> Step:
    return Step(
        step_id=step["step_id"],
        kind=step["connector_kind"],
        order_id=step["order_id"],
        scope=step["scope"],
        external_ids=tuple(record["external_id"] for record in step["records"] if record["fields"]),
    )


def _source(seen: Seen) -> tuple[Source, int]:
    names = (headers.RETRY_FOR, headers.FAILURE_TOPIC, headers.FAILURE_PARTITION, headers.FAILURE_OFFSET)
    attempt = _text(seen, headers.FAILURE_ATTEMPT)
    return Source(*(_text(seen, name) for name in names)), int(attempt) if attempt.isdecimal() else 0


def _about(source: Source, document: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """Phase and step that a failed record holds up; None where it holds up the record keeping only."""
    if source.group.endswith("recorder"):
        return None, None
    if source.topic.startswith("deliver."):
        return document["phase"], document["step"]["step_id"]
    received = source.group.endswith("routing") and source.topic.startswith("inbound.")
    return (Phase.RECEIVED if received else Phase.ANALYZED).value, None


def _letter(seen: Seen) -> str:
    names = (headers.FAILURE_GROUP, headers.FAILURE_REASON, headers.FAILURE_DETAIL, headers.EVENT_ID)
    group, reason, detail, event_id = (_text(seen, name) for name in names)
    return f"{group}: {reason} ({detail}), event {event_id}"


def _text(seen: Seen, name: str) -> str:
    return (seen.headers.get(name) or b"").decode(errors="replace")
