"""The verdict on a soak: what was lost, what happened twice, what is open and why, and what is stuck.

Pure. A key that has no final state in the store is *open* when something says why (it is parked, it waits in a retry
topic, or the step before it does), else it is *stuck*. Everything that should not be is a finding, in words.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ops.chaos.soak.account import ARRIVAL, PHASES, Account, Key, Step
from ops.chaos.soak.ends import Ends
from ops.demo.crm_contents import doubled
from ops.demo.senders import Webhook
from schemas import codec
from schemas.topics import RETRY_TIERS

SHOWN = 20
OVERDUE = timedelta(seconds=90)
"""After its time a retry must have come back: what has not is no reason any more. A tier is read in order, and the
jitter of ten minutes is one."""
BEHIND = "behind a step that is open"
KINDS = frozenset({"hubspot", "salesforce", "pipedrive", "email"})
"""Connector kinds whose systems are in the sandbox."""


@dataclass(slots=True)
class Verdict:
    """What was found; lists hold one sentence each."""

    accepted: int = 0
    found: int = 0
    lost: list[str] = field(default_factory=list)
    duplicates: list[str] = field(default_factory=list)
    open: Counter[str] = field(default_factory=Counter)
    final_states: Counter[str] = field(default_factory=Counter)
    stuck: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    """Anything else that should not be."""
    tickets: int = 0
    told_differently: int = 0
    """Keys of which the topic tells two final states; the store keeps the first."""


def judge(
    account: Account, ends: Ends, accepted: Sequence[Webhook], refused: Sequence[Webhook], now: datetime
) -> Verdict:
    """`accepted` were answered 202, `refused` were refused for good."""
    verdict = Verdict(accepted=len(accepted), final_states=Counter(ends.final.values()))
    _came_in(verdict, account, accepted, refused)
    reasons = _Reasons(account, ends, now)
    for event_id in account.events:
        for phase in PHASES:
            _phase_ended(verdict, account, ends, reasons, event_id, phase)
        _arrivals_counted(verdict, account, ends, event_id)
    requests = len({event.request_id for event in account.events.values()})
    if ends.requests != requests:
        verdict.lost.append(f"the store has {ends.requests} requests, the topics told of {requests}")
    verdict.wrong += _unplanned(account, ends)
    verdict.lost += _not_there(account, ends)
    verdict.duplicates += [*doubled(ends.contents), *_doubled_notes(ends)]
    _tickets(verdict, account, ends)
    _contradictions(verdict, account)
    verdict.wrong += [f"dead letter: {letter}" for letter in account.dead_letters]
    verdict.wrong += [f"decided twice, differently: {what}" for what in account.replanned]
    held_up = any(True for _ in account.retrying())
    verdict.stuck += [str(lag) for lag in ends.lags if not (held_up and lag.topic in RETRY_TIERS)]
    return verdict


class _Reasons:
    """Why a key may be open."""

    def __init__(self, account: Account, ends: Ends, now: datetime) -> None:
        self._found: dict[tuple[str, str, str | None], str] = {}
        self.recorder: set[str] = set()
        for waiting in account.retrying():
            if waiting.due is not None and waiting.due + OVERDUE < now:
                continue
            if waiting.phase is None:
                self.recorder.add(waiting.event_id)
            else:
                self._add(waiting.event_id, waiting.phase, waiting.step_id, f"retrying: {waiting.reason}")
        for _, row in ends.parked:
            why, topic = f"parked: {row.reason}", row.topic.removesuffix(".overflow")
            if row.stage == "recorder":
                self.recorder.add(row.event_id)
            elif topic.startswith("deliver."):
                order = codec.loads(row.record)
                self._add(row.event_id, order["phase"], order["step"]["step_id"], why)
            elif row.reason == "unparsed":
                for phase in PHASES:
                    self._add(row.event_id, phase, None, why)
            else:
                received = row.stage == "routing" and topic.startswith("inbound.")
                self._add(row.event_id, PHASES[0] if received else PHASES[1], None, why)

    def of(self, key: Key) -> str | None:
        """The reason, or None."""
        of_phase = self._found.get((key.event_id, key.phase, None))
        return self._found.get((key.event_id, key.phase, key.step_id)) or of_phase

    def _add(self, event_id: str, phase: str, step_id: str | None, why: str) -> None:
        self._found[event_id, phase, step_id] = why


def _came_in(verdict: Verdict, account: Account, accepted: Iterable[Webhook], refused: Iterable[Webhook]) -> None:
    for webhook in accepted:
        if (webhook.tenant, codec.sha256(webhook.body)) in account.bodies:
            verdict.found += 1
        else:
            verdict.lost.append(f"answered 202 and in no topic: {webhook.about}")
    for webhook in refused:
        if (webhook.tenant, codec.sha256(webhook.body)) in account.bodies:
            verdict.wrong.append(f"refused and in a topic all the same: {webhook.about}")


def _phase_ended(verdict: Verdict, account: Account, ends: Ends, reasons: _Reasons, event_id: str, phase: str) -> None:
    behind = False
    whole = Key(event_id, phase, "")
    for key, _ in account.keys(event_id, phase):
        # A phase may end as a whole though a plan was made: what failed in routing after it was published.
        if key in ends.final or whole in ends.final:
            continue
        if key in account.outcomes:
            if event_id in reasons.recorder:
                verdict.open["final state told, the recorder is retrying"] += 1
            else:
                verdict.lost.append(f"final state told and not in the store: {_named(account, key)}")
        elif (why := reasons.of(key)) is not None:
            verdict.open[why] += 1
            behind = True
        elif behind:
            verdict.open[BEHIND] += 1
        else:
            verdict.stuck.append(_named(account, key))


def _arrivals_counted(verdict: Verdict, account: Account, ends: Ends, event_id: str) -> None:
    """Each arrival but the first is counted as a duplicate, once."""
    event = account.events[event_id]
    places = {f"{ARRIVAL}{topic}/{partition}/{offset}" for topic, partition, offset in event.places}
    counted = {place for place in places if Key(event_id, PHASES[0], place) in ends.final}
    if len(counted) != len(places) - 1:
        verdict.wrong.append(f"{event.about} arrived {len(places)} times, {len(counted)} counted as duplicates")


def _unplanned(account: Account, ends: Ends) -> Iterator[str]:
    """Final states of steps that no decision named, and records at the vendors that no decision asked for."""
    for key in ends.final:
        if key.step_id.startswith(ARRIVAL) or key.step_id == "":
            continue
        if all(key != planned for planned, _ in account.keys(key.event_id, key.phase)):
            yield f"a final state that nothing planned: {key}"
    asked = {external_id for _, step in _steps(account) for external_id in (*step.external_ids, step.order_id)}
    for item in ends.contents:
        if item.ours and item.ours not in asked:
            yield f"{item.vendor}/{item.account}/{item.kind}/{item.ours} was never asked for"


def _not_there(account: Account, ends: Ends) -> Iterator[str]:
    """Steps told as delivered of which the vendor has nothing. By the vendor's id: a person whom the vendor knew
    already under another of our ids is adopted, not made again."""
    for key, step in _steps(account):
        if ends.final.get(key) != "delivered" or step.kind not in KINDS:
            continue
        told = ends.told[key]
        if not told:
            yield f"told as delivered and nothing is named: {_named(account, key)}"
        for remote_id in told:
            if remote_id not in ends.remote_ids:
                yield f"told as delivered and not there: {step.kind} {remote_id}, {_named(account, key)}"


def _doubled_notes(ends: Ends) -> Iterator[str]:
    """Notes carry no identity of ours: an inquiry has one."""
    notes: Counter[tuple[str, str]] = Counter()
    for item in ends.contents:
        if item.vendor == "pipedrive" and item.kind == "notes":
            notes[item.account, str(item.content.get("lead_id"))] += 1
    for (account, lead), count in notes.items():
        if count > 1:
            yield f"pipedrive/{account}: lead {lead} has {count} notes"


def _tickets(verdict: Verdict, account: Account, ends: Ends) -> None:
    told: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
    for plan in account.plans.values():
        for pool, order_id, number in plan.tickets:
            told[plan.tenant, pool][order_id] = number
    for (tenant, pool), tickets in ends.tickets.items():
        verdict.tickets += len(tickets)
        numbers = sorted(ticket.number for ticket in tickets)
        if numbers != list(range(len(numbers))):
            verdict.wrong.append(f"{tenant}: the tickets of pool {pool} have gaps or repeat: {_gaps(numbers)}")
        drawn = {ticket.order_id: ticket.number for ticket in tickets}
        if len(drawn) != len(tickets):
            verdict.duplicates.append(f"{tenant}: an order drew twice from pool {pool}")
        if drawn != told[tenant, pool]:
            verdict.wrong.append(f"{tenant}: tickets drawn from pool {pool} are not those that decisions carry")


def _gaps(numbers: Sequence[int]) -> str:
    missing = sorted(set(range(len(numbers))) - set(numbers))
    return f"{len(numbers)} drawn, missing {missing[:SHOWN]}"


def _steps(account: Account) -> Iterator[tuple[Key, Step]]:
    for event_id, phase in account.plans:
        for key, step in account.keys(event_id, phase):
            if step is not None:
                yield key, step


def _contradictions(verdict: Verdict, account: Account) -> None:
    """A step that is run again after a crash may find itself overtaken by a newer revision: delivered, then superseded.
    Anything else told twice and differently is wrong."""
    for key, states in account.outcomes.items():
        if len(states) > 1:
            verdict.told_differently += 1
            if states.keys() != {"delivered", "superseded"}:
                ways = " and ".join(sorted(states))
                verdict.wrong.append(f"ended in more than one way, {ways}: {_named(account, key)}")


def _named(account: Account, key: Key) -> str:
    event = account.events.get(key.event_id)
    about = f"{event.tenant} {event.about}" if event else "unknown event"
    return f"{about}, phase {key.phase}, step {key.step_id or '(none)'}, event {key.event_id}"
