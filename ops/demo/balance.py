"""The accounting of a run: every event that was accepted must end, in each phase it enters, with a reason.

Pure: it is fed with records as they are read from the topics and with what is parked, and says what is still open. An
event's phase has ended when an outcome says so (`last`), or when it is parked (an open state, but accounted for).
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from schemas.envelope import Phase
from schemas.topics import ANALYZED, DEAD_LETTERS, DECIDED, INBOUND_CALLS, INBOUND_MESSAGES, OUTCOMES, TRANSCRIBED

PHASES = (Phase.RECEIVED.value, Phase.ANALYZED.value)


@dataclass(slots=True)
class Event:
    """One event."""

    tenant: str
    request_id: str
    received_at: datetime
    about: str


@dataclass(slots=True)
class Ending:
    """How the phases of an event ended; it may be read before the event itself."""

    phases: dict[str, str] = field(default_factory=dict)
    at: datetime | None = None


@dataclass(slots=True)
class Balance:
    """What came in and what became of it."""

    events: dict[str, Event] = field(default_factory=dict)
    endings: dict[str, Ending] = field(default_factory=dict)
    arrivals: int = 0
    states: Counter[str] = field(default_factory=Counter)
    stages: Counter[str] = field(default_factory=Counter)
    dead_letters: int = 0
    cost_usd: float = 0.0
    decisions: list[str] = field(default_factory=list)
    _outcomes: set[str] = field(default_factory=set)
    _paid: set[str] = field(default_factory=set)
    _decided: set[str] = field(default_factory=set)

    def add(self, topic: str, headers: Mapping[str, bytes | None], document: Mapping[str, Any]) -> None:
        """One record of any topic; `topic` without prefix."""
        if topic.startswith("retry."):
            self.stages["retry"] += 1
        if headers.get("retry_for"):
            return  # the same record on its way back
        stage = "deliver" if topic.startswith("deliver.") else topic.removesuffix(".overflow")
        self.stages[stage] += 1
        match stage:
            case t if t in (INBOUND_CALLS, INBOUND_MESSAGES):
                self._arrived(document)
            case t if t == TRANSCRIBED:
                self._paid_for("transcript", document, document["transcript"].get("cost_usd"))
            case t if t == ANALYZED:
                self._paid_for("analysis", document, document["analysis"].get("usage", {}).get("cost_usd"))
            case t if t == DECIDED:
                self._decided_on(document)
            case t if t == OUTCOMES:
                self._ended(document)
            case t if t == DEAD_LETTERS:
                self.dead_letters += 1

    def parked(self, event_id: str, topic: str, phase: str | None) -> None:
        """A parked record: an unparsed event is parked for both phases."""
        ending = self.endings.setdefault(event_id, Ending())
        if phase is not None:
            ending.phases.setdefault(phase, "parked")
        elif topic.startswith("inbound."):
            for each in PHASES:
                ending.phases.setdefault(each, "parked")
        else:
            ending.phases.setdefault(Phase.ANALYZED.value, "parked")

    def open(self) -> list[str]:
        """Events of which some phase has not ended."""
        nothing = Ending()
        return [
            event_id
            for event_id in self.events
            if any(phase not in self.endings.get(event_id, nothing).phases for phase in PHASES)
        ]

    @property
    def requests(self) -> int:
        """Distinct leads."""
        return len({event.request_id for event in self.events.values()})

    def end_to_end_ms(self) -> list[float]:
        """From the webhook to the last final state, per event that ended."""
        ends = {event_id: ending.at for event_id, ending in self.endings.items() if ending.at is not None}
        return [
            (ends[event_id] - event.received_at).total_seconds() * 1000.0
            for event_id, event in self.events.items()
            if event_id in ends
        ]

    def _arrived(self, document: Mapping[str, Any]) -> None:
        envelope = document["envelope"]
        self.arrivals += 1
        self.events.setdefault(
            envelope["event_id"],
            Event(
                tenant=envelope["tenant_id"],
                request_id=envelope["request_id"],
                received_at=datetime.fromisoformat(envelope["received_at"]),
                about=f"{envelope['source']} {envelope['event_kind']}",
            ),
        )

    def _paid_for(self, kind: str, document: Mapping[str, Any], cost: float | None) -> None:
        paid = f"{kind}/{document['envelope']['event_id']}"
        if cost and paid not in self._paid:
            self._paid.add(paid)
            self.cost_usd += cost

    def _decided_on(self, document: Mapping[str, Any]) -> None:
        decision = document["decision"]
        if decision["decision_id"] in self._decided:
            return
        self._decided.add(decision["decision_id"])
        steps = ", ".join(step["connector_id"] for step in decision["steps"]) or decision["action"]
        self.decisions.append(
            f"{decision['tenant_id']}: {decision['rule_title']} ({decision['phase']}) → {steps}. {decision['why']}"
        )

    def _ended(self, document: Mapping[str, Any]) -> None:
        if document["outcome_id"] in self._outcomes:
            return
        self._outcomes.add(document["outcome_id"])
        self.states[document["state"]] += 1
        if document["state"] == "duplicate":
            return
        ending = self.endings.setdefault(document["envelope"]["event_id"], Ending())
        at = datetime.fromisoformat(document["at"])
        ending.at = max(ending.at, at) if ending.at else at
        if document.get("last", True):
            ending.phases[document["phase"]] = document["state"]


def lost(balance: Balance, accepted: Iterable[str]) -> list[str]:
    """Requests that were answered 202 and are in no topic, or whose event never ended."""
    seen = {event.request_id for event in balance.events.values()}
    never = [request_id for request_id in accepted if request_id not in seen]
    return [*never, *balance.open()]
