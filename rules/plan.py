"""From the steps of the winning rule to a plan in which every value is resolved.

Promises: pure, and independent of the order of keys in the files, because a bundle that comes back from the store
has its keys in another order than the files. Nothing is left out in silence: what cannot be done becomes a note.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import reduce
from math import gcd
from typing import Any

from rules.facts import event_time
from rules.values import field_value, look_up, mail_text
from schemas import identity
from schemas.decision import (
    ConnectorKind,
    MailWrite,
    Operation,
    PlannedStep,
    RecordWrite,
    Scope,
)
from schemas.envelope import Envelope
from schemas.rulefile import (
    Assign,
    CreateLead,
    Drop,
    Hold,
    Mail,
    ObjectMapping,
    PoolFile,
    Rule,
    RulesBundle,
    Tag,
    UpdateContact,
)
from schemas.tenant import IntakeBundle


@dataclass(frozen=True, slots=True)
class Draw:
    """A ticket to be drawn when the decision is stored: members in a fixed order, repeated by their weight."""

    pool: str
    order_id: str
    members: tuple[str, ...]


@dataclass(slots=True)
class Plan:
    """What the steps of a rule amount to."""

    steps: list[PlannedStep] = field(default_factory=list)
    draws: list[Draw] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    hold: str | None = None
    drop: str | None = None


@dataclass(frozen=True, slots=True)
class Planner:
    """Plans for one event."""

    intake: IntakeBundle
    rules: RulesBundle
    facts: Mapping[str, Any]
    envelope: Envelope
    generation: int

    def plan(self, rule: Rule) -> Plan:
        """The plan of a rule's steps, in their order."""
        plan = Plan()
        pools: dict[str, str] = {}
        for number, step in enumerate(rule.then, start=1):
            step_id = step.id or f"step-{number}"
            if isinstance(step, Tag):
                plan.tags += [tag for tag in step.tags if tag not in plan.tags]
            elif isinstance(step, Hold):
                plan.hold = plan.hold or step.reason
            elif isinstance(step, Drop):
                plan.drop = plan.drop or step.reason
            elif isinstance(step, Assign):
                self._assign(step, step_id, pools, plan)
            else:
                self._effect(step, step_id, rule.id, pools, plan)
        return plan

    def _assign(self, step: Assign, step_id: str, pools: dict[str, str], plan: Plan) -> None:
        name = look_up(step.pool, self.facts, {}) if "." in step.pool else step.pool
        pool = self.rules.pools.get(name) if isinstance(name, str) else None
        if pool is None:
            plan.notes.append(f"step {step_id} left out: no pool {step.pool}")
            return
        pools[step.pool] = pools[pool.pool] = pool.pool
        # Named by the pool and not by the rule: both phases and all revisions of a request keep the member drawn first.
        order = identity.order_id(
            self.envelope.tenant_id, self.envelope.request_id, "assign", pool.pool, self.generation
        )
        if all(draw.order_id != order for draw in plan.draws):
            plan.draws.append(Draw(pool.pool, order, in_turn(pool)))

    def _effect(
        self, step: CreateLead | UpdateContact | Mail, step_id: str, rule_id: str, pools: Mapping[str, str], plan: Plan
    ) -> None:
        connector = self.intake.connector(step.connector)
        if connector is None:
            plan.notes.append(f"step {step_id} left out: no connector {step.connector}")
            return
        records: tuple[RecordWrite, ...] = ()
        mail = None
        if isinstance(step, Mail):
            mail = self._mail(step, pools)
            if not mail.to:
                plan.notes.append(f"step {step_id} left out: no recipient")
                return
        else:
            crm = self.rules.crm.get(step.connector)
            mapping = crm.mappings.get(step.mapping) if crm else None
            if mapping is None:
                plan.notes.append(f"step {step_id} left out: no mapping {step.mapping}")
                return
            records = _telling(self._record(name, mapping[name], pools) for name in _associated_first(mapping))
        expires = step.expires_minutes
        plan.steps.append(
            PlannedStep(
                step_id=step_id,
                operation=_operation(step),
                scope=Scope.ONCE if isinstance(step, Mail) else Scope.RECORD,
                connector_id=connector.id,
                connector_kind=ConnectorKind(connector.kind),
                records=records,
                mail=mail,
                order_id=identity.order_id(
                    self.envelope.tenant_id, self.envelope.request_id, rule_id, step_id, self.generation
                ),
                on_error=step.on_error,
                on_unknown=step.on_unknown,
                give_up_after_hours=step.give_up_after_hours,
                expires_at=event_time(self.envelope) + timedelta(minutes=expires) if expires else None,
            )
        )

    def _record(self, name: str, mapping: ObjectMapping, pools: Mapping[str, str]) -> RecordWrite:
        contact = mapping.identity == "contact"
        fields = []
        for remote, origin in sorted(mapping.fields.items()):
            value = origin.value if origin.path is None else look_up(origin.path, self.facts, pools)
            if (value := field_value(value)) is not None:
                fields.append({"name": remote, "value": value, "write": origin.write})
        # One validation for the record and its fields: a tenth of the time that a model for each of them takes.
        return RecordWrite.model_validate(
            {
                "object": name,
                "external_id": self.envelope.contact_id if contact else self.envelope.request_id,
                "fields": fields,
                "associate_with": mapping.associate_with,
            }
        )

    def _mail(self, step: Mail, pools: Mapping[str, str]) -> MailWrite:
        found = [to if "@" in to else look_up(to, self.facts, {}) for to in step.to]
        recipients = dict.fromkeys(to for to in found if isinstance(to, str) and "@" in to)
        lines = ((line.label, mail_text(look_up(line.path, self.facts, pools))) for line in step.lines)
        reply_to = look_up(step.reply_to, self.facts, {}) if step.reply_to else None
        return MailWrite(
            to=tuple(recipients),
            subject=step.subject,
            lines=tuple((label, text) for label, text in lines if text is not None),
            reply_to=reply_to if isinstance(reply_to, str) else None,
        )


def _telling(records: Iterable[RecordWrite]) -> tuple[RecordWrite, ...]:
    """Records that have something to say; a note without words is no note, and nothing is tied to it."""
    kept = [record for record in records if record.fields]
    names = {record.object for record in kept}
    return tuple(
        record
        if names.issuperset(record.associate_with)
        else record.model_copy(update={"associate_with": tuple(n for n in record.associate_with if n in names)})
        for record in kept
    )


def in_turn(pool: PoolFile) -> tuple[str, ...]:
    """A pool's members, each as often as its weight says and spread evenly: weights 2 and 1 give a, b, a."""
    weights = {member.id: member.weight for member in pool.members}
    divisor = reduce(gcd, weights.values())
    weights = {name: weight // divisor for name, weight in weights.items()}
    total = sum(weights.values())
    credit = dict.fromkeys(weights, 0)
    turns = []
    for _ in range(total):
        for name, weight in weights.items():
            credit[name] += weight
        # The first of equals wins: the order of the file decides.
        chosen = max(credit, key=lambda name: credit[name])
        credit[chosen] -= total
        turns.append(chosen)
    return tuple(turns)


def _operation(step: CreateLead | UpdateContact | Mail) -> Operation:
    if isinstance(step, Mail):
        return Operation.SEND
    return Operation.CREATE_LEAD if isinstance(step, CreateLead) else Operation.UPDATE_CONTACT


def _associated_first(mapping: Mapping[str, ObjectMapping]) -> list[str]:
    """Names of the objects, each after those it is tied to; persons first and then by name where nothing else says."""
    left = sorted(mapping, key=lambda name: (mapping[name].identity != "contact", name))
    ordered: list[str] = []
    while left:
        ready = [name for name in left if all(tied not in left for tied in mapping[name].associate_with)]
        # A circle of associations is a finding; written in order of name it does no harm.
        chosen = (ready or left)[0]
        left.remove(chosen)
        ordered.append(chosen)
    return ordered
