"""Decisions of the example tenants, and what every decision promises."""

import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rules.decide import NoRule, decide
from rules.engine import compile_bundle
from rules.facts import facts_of
from rules.plan import in_turn
from rules.values import field_value, look_up, mail_text, ticket_of
from rules.words import explain
from schemas import bundle, codec
from schemas.bundle import as_json
from schemas.decision import Action, Decision, FieldWrite, Operation, PlannedStep, Scope, Ticket, Write
from schemas.envelope import Phase
from schemas.lead import Mode
from schemas.rulefile import PoolFile, RulesBundle
from schemas.tenant import IntakeBundle
from tests.unit.rules.documents import RECEIVED_AT, TENANTS, acme, analyzed, call, compiled, inbound, propose

SUMMIT = compiled(TENANTS / "summit-roofing")
DENTAL = compiled(TENANTS / "bright-dental")
NORTHWIND = compiled(TENANTS / "northwind-agency")


def fields(step: PlannedStep, object_name: str) -> dict[str, FieldWrite]:
    record = next(record for record in step.records if record.object == object_name)
    return {field.name: field for field in record.fields}


def test_a_call_is_a_lead_before_anybody_has_listened() -> None:
    decision = propose(SUMMIT, call("summit-roofing", "main"), Phase.RECEIVED).decision
    assert (decision.action, decision.rule_id) == (Action.DELIVER, "received-lead")
    (step,) = decision.steps
    assert (step.operation, step.scope, step.connector_id) == (Operation.CREATE_LEAD, Scope.RECORD, "hubspot")
    assert [record.object for record in step.records] == ["contact", "deal"]
    assert step.records[1].associate_with == ("contact",)
    contact = fields(step, "contact")
    assert (contact["firstname"].value, contact["lastname"].value) == ("Zoe", "Marchand")
    assert contact["lifecyclestage"].write is Write.ON_CREATE
    assert "email" not in contact
    assert "description" not in fields(step, "deal")


def test_both_phases_address_the_same_records() -> None:
    received = call("summit-roofing", "main")
    first = propose(SUMMIT, received, Phase.RECEIVED).decision
    later = propose(SUMMIT, analyzed(received, words="Hello there", lead_score=50), Phase.ANALYZED).decision
    assert later.rule_id == "enrich"
    assert [(r.object, r.external_id) for r in first.steps[0].records] == [
        (r.object, r.external_id) for r in later.steps[0].records
    ]
    assert first.steps[0].records[0].external_id == received["envelope"]["contact_id"]
    assert first.steps[0].records[1].external_id == received["envelope"]["request_id"]
    deal = fields(later.steps[0], "deal")
    assert (deal["leadbus_lead_score"].value, deal["leadbus_lead_score"].write) == (50, Write.ALWAYS)
    assert first.decision_id != later.decision_id


def test_an_urgent_leak_is_enriched_and_mailed_to_the_office() -> None:
    document = analyzed(call("summit-roofing", "main"), words="My ceiling is dripping", lead_score=60, urgency="normal")
    decision = propose(SUMMIT, document, Phase.ANALYZED).decision
    assert (decision.rule_id, decision.tags) == ("urgent", ("urgent",))
    mail = decision.steps[1].mail
    assert mail is not None
    assert decision.steps[1].scope is Scope.ONCE
    assert mail.to == ("office@summit-roofing.example.test",)
    assert [label for label, _ in mail.lines] == ["Name", "Phone", "Score", "Recording"]


def test_spam_is_filtered_with_a_reason_and_without_steps() -> None:
    document = analyzed(call("summit-roofing", "main"), words="We offer backlinks", spam_likelihood=0.8, lead_score=90)
    proposal = propose(SUMMIT, document, Phase.ANALYZED)
    assert (proposal.decision.action, proposal.decision.reason) == (Action.FILTER, "spam")
    assert proposal.decision.steps == ()
    assert proposal.draws == ()


@pytest.mark.parametrize(
    ("tenant", "office", "action"),
    [(SUMMIT, "main", Action.FILTER), (DENTAL, "downtown", Action.HOLD), (NORTHWIND, "studio", Action.FILTER)],
)
@pytest.mark.parametrize("phase", [Phase.RECEIVED, Phase.ANALYZED])
def test_a_filled_trap_reaches_no_crm(tenant: Any, office: str, action: Action, phase: Phase) -> None:
    document = inbound(tenant.intake.tenant, office=office, email="bot@example.test", spam={"honeypot": True})
    decision = propose(tenant, analyzed(document, lead_score=90), phase).decision
    assert decision.action is action
    assert decision.reason in ("the form's trap was filled in", "spam")
    assert decision.steps == ()


def test_a_booking_carries_its_appointment() -> None:
    details = {"booking_id": "EV1", "title": "Roof inspection", "starts_at": "2026-03-05T16:00:00Z"}
    document = inbound("summit-roofing", mode=Mode.CALENDAR, kind="invitee.created", source="calendly", booking=details)
    decision = propose(SUMMIT, document, Phase.RECEIVED).decision
    assert (decision.rule_id, decision.tags) == ("received-booking", ("booking",))
    assert fields(decision.steps[0], "deal")["closedate"].value == "2026-03-05T16:00:00Z"


def test_an_unscored_lead_goes_on() -> None:
    decision = propose(SUMMIT, analyzed(call("summit-roofing", "main")), Phase.ANALYZED).decision
    assert decision.rule_id == "enrich"
    assert "leadbus_lead_score" not in fields(decision.steps[0], "deal")


def test_a_patient_gets_a_coordinator_of_the_office_and_keeps_it() -> None:
    received = call("bright-dental", "lakeside")
    first = propose(DENTAL, received, Phase.RECEIVED)
    later = propose(DENTAL, analyzed(received, words="My tooth", urgency="high"), Phase.ANALYZED)
    (draw,) = first.draws
    assert draw.pool == "lakeside"
    assert draw.members == ("carla@bright-dental.example.test", "dev@bright-dental.example.test")
    assert later.draws == first.draws
    assert fields(first.decision.steps[0], "lead")["Assigned_To__c"].value == {"$ticket": "lakeside"}
    mail = later.decision.steps[1].mail
    assert mail is not None
    assert mail.to == ("lakeside@bright-dental.example.test",)
    assert ("Coordinator", '{"$ticket":"lakeside"}') in mail.lines


def test_a_mail_of_the_dentist_tells_nothing_of_the_call() -> None:
    said = "I have a swollen jaw"
    document = analyzed(call("bright-dental", "downtown"), words=said, summary="Swollen jaw.", lead_score=90)
    decision = propose(DENTAL, document, Phase.ANALYZED).decision
    mail = decision.steps[1].mail
    assert mail is not None
    assert "wollen" not in json.dumps(mail.model_dump())
    assert fields(decision.steps[0], "task")["Description"].value == "Swollen jaw."


def test_a_spanish_speaking_caller_gets_a_coordinator_who_speaks_it() -> None:
    document = analyzed(call("bright-dental", "downtown"), words="Hola", language="es-US", lead_score=90)
    proposal = propose(DENTAL, document, Phase.ANALYZED)
    assert proposal.decision.rule_id == "spanish"
    assert [draw.pool for draw in proposal.draws] == ["spanish-speakers"]


def test_an_inquiry_without_office_is_delivered_and_the_gap_is_noted() -> None:
    proposal = propose(DENTAL, call("bright-dental", None), Phase.RECEIVED)
    assert proposal.draws == ()
    assert proposal.decision.notes == ("step step-1 left out: no pool office.pool",)
    assert "Assigned_To__c" not in fields(proposal.decision.steps[0], "lead")


def test_a_competitor_is_held_for_a_person() -> None:
    document = inbound("northwind-agency", office="studio", email="ann@rival-agency.example.test")
    decision = propose(NORTHWIND, document, Phase.RECEIVED).decision
    assert (decision.action, decision.reason) == (Action.HOLD, "a competitor's address")


def test_a_good_lead_of_the_agency_goes_to_pipedrive_and_by_mail() -> None:
    document = inbound("northwind-agency", office="studio", email="zoe@example.test", custom={"budget": "5000"})
    decision = propose(NORTHWIND, analyzed(document, lead_score=70, summary="Wants a site."), Phase.ANALYZED).decision
    assert [step.connector_kind.value for step in decision.steps] == ["pipedrive", "email"]
    assert [record.object for record in decision.steps[0].records] == ["contact", "lead", "note"]
    mail = decision.steps[1].mail
    assert mail is not None
    assert mail.reply_to == "zoe@example.test"
    assert ("Budget", "5000") in mail.lines


def test_a_note_without_words_is_left_out() -> None:
    document = analyzed(inbound("northwind-agency", office="studio", email="zoe@example.test"))
    decision = propose(NORTHWIND, document, Phase.ANALYZED).decision
    assert [record.object for record in decision.steps[0].records] == ["contact", "lead"]


RULES = """
rules:
  - id: all
    title: All
    why: For all.
    fallback: true
    when: true
    then:
      - {do: assign, pool: team}
      - {do: create_lead, connector: hubspot, mapping: lead, expires_minutes: 90}
      - id: tell
        do: mail
        connector: mailbox
        to: [main@acme.example.test, office.mailbox]
        subject: A lead
        lines: [{label: Said, path: content.text}, {label: Who, path: assigned.team}]
"""


def test_steps_expire_by_the_time_of_the_event(tmp_path: Path) -> None:
    (step, _) = propose(acme(tmp_path, RULES), analyzed(inbound(email="z@example.test")), Phase.ANALYZED).decision.steps
    assert step.expires_at is not None
    assert (step.expires_at - RECEIVED_AT).total_seconds() == 90 * 60


def test_orders_keep_their_identity_over_revisions_but_not_over_generations(tmp_path: Path) -> None:
    tenant = acme(tmp_path, RULES)
    one = propose(tenant, analyzed(inbound(event="1")), Phase.ANALYZED)
    two = propose(tenant, analyzed(inbound(event="2")), Phase.ANALYZED)
    corrected = propose(tenant, analyzed(inbound(event="1")), Phase.ANALYZED, generation=1)
    assert one.decision.steps[-1].order_id == two.decision.steps[-1].order_id
    assert one.draws == two.draws
    assert one.decision.decision_id != two.decision.decision_id
    assert one.decision.steps[-1].order_id != corrected.decision.steps[-1].order_id
    assert one.draws != corrected.draws


def test_a_lead_cannot_pose_as_a_ticket(tmp_path: Path) -> None:
    document = analyzed(inbound(message='{"$ticket":"team"}'))
    mail = propose(acme(tmp_path, RULES), document, Phase.ANALYZED).decision.steps[-1].mail
    assert mail is not None
    assert mail.lines == (("Said", ' {"$ticket":"team"}'), ("Who", '{"$ticket":"team"}'))
    assert [ticket_of(text) for _, text in mail.lines] == [None, "team"]
    assert ticket_of({"$ticket": "team"}) == "team"


@pytest.mark.parametrize("posed", ['{"$ticket":"team"}', {"$ticket": "team"}, ['{"$ticket":"team"}'], '{"$ticket":'])
def test_no_value_of_a_lead_is_taken_for_a_ticket(posed: Any) -> None:
    value = field_value(look_up("lead.extra.x", {"lead": {"extra": {"x": posed}}}, {}))
    assert [ticket_of(one) for one in (value if isinstance(value, list) else [value])] == [None]
    assert ticket_of(mail_text(look_up("lead.extra.x", {"lead": {"extra": {"x": posed}}}, {}))) is None


def test_recipients_stand_once(tmp_path: Path) -> None:
    mail = propose(acme(tmp_path, RULES), analyzed(inbound()), Phase.ANALYZED).decision.steps[-1].mail
    assert mail is not None
    assert mail.to == ("main@acme.example.test",)


def test_members_take_turns_by_weight_and_evenly() -> None:
    members = [{"id": "a", "weight": 4}, {"id": "b", "weight": 2}, {"id": "c", "weight": 2}]
    assert in_turn(PoolFile.model_validate({"pool": "p", "members": members})) == ("a", "b", "c", "a")


def test_the_clauses_of_the_winning_rule_are_in_words() -> None:
    document = analyzed(inbound("northwind-agency", office="studio", email="zoe@example.test"), lead_score=70)
    decision = propose(NORTHWIND, document, Phase.ANALYZED).decision
    assert [(clause.text, clause.met) for clause in decision.clauses] == [
        ("lead score is at least 60", True),
        ("email disposable: no", True),
    ]
    assert decision.why == "The business wants a project, so the new business team is told by mail."


def test_a_decision_is_explained_in_words_without_the_leads_data() -> None:
    document = analyzed(call("bright-dental", "downtown"), words="Ouch", urgency="high")
    decision = propose(DENTAL, document, Phase.ANALYZED).decision
    ticket = Ticket(pool="downtown", order_id=decision.steps[0].order_id, number=7, member="ana")
    text = explain(decision.model_copy(update={"tickets": (ticket,)}))
    assert "Rule: Pain, or a patient who is ready to book (urgent)" in text
    assert "met: lead score is at least 75 or urgency is high" in text
    assert "Step 2: mail “Please call this patient back first” through mailbox" in text
    assert "Assigned: ana (pool downtown, number 7)" in text
    assert "Marchand" not in text
    assert "5550142" not in text


def test_a_decision_names_its_versions_and_the_events_time() -> None:
    document = call("summit-roofing", "main")
    decision = propose(SUMMIT, document, Phase.RECEIVED).decision
    assert decision.rules_version == bundle.content_hash(SUMMIT.rules)
    assert decision.intake_version == bundle.content_hash(SUMMIT.intake)
    assert decision.engine == "datalogic-py 5.9.0 / leadbus operators 1"
    assert decision.decided_at == RECEIVED_AT
    assert decision.office_id == "main"
    assert Decision.model_validate_json(decision.model_dump_json()) == decision


def test_a_broken_rule_is_noted_in_the_decision(tmp_path: Path) -> None:
    broken = RULES.replace(
        "rules:\n",
        "rules:\n  - {id: bad, title: Bad, why: Bad, when: {'>': [{var: lead.name}, 5]}, on_error: skip,"
        " then: [{do: tag, tags: [x]}]}\n",
    )
    document = analyzed(inbound(name="Zoe"))
    decision = propose(acme(tmp_path / "a", broken), document, Phase.ANALYZED).decision
    assert (decision.rule_id, decision.notes) == ("all", ("rule bad could not be evaluated (Thrown in >)",))
    held = propose(acme(tmp_path / "b", broken.replace("on_error: skip", "on_error: hold")), document, Phase.ANALYZED)
    assert (held.decision.action, held.decision.rule_id) == (Action.HOLD, "bad")
    assert held.decision.steps == ()


def test_rules_without_fallback_that_were_never_checked_fail_by_name() -> None:
    only = RulesBundle(tenant="summit-roofing", rules=tuple(r for r in SUMMIT.rules.rules if r.id == "spam"))
    unchecked = compile_bundle(SUMMIT.intake, only)
    with pytest.raises(NoRule, match="summit-roofing"):
        propose(unchecked, analyzed(call("summit-roofing", "main")), Phase.ANALYZED)


def shuffled(value: Any, order: random.Random) -> Any:
    if isinstance(value, dict):
        items = list(value.items())
        order.shuffle(items)
        return {key: shuffled(inner, order) for key, inner in items}
    return [shuffled(inner, order) for inner in value] if isinstance(value, list) else value


@given(seed=st.integers(0, 2**32), tenant=st.sampled_from([SUMMIT, DENTAL, NORTHWIND]), score=st.integers(0, 100))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_the_same_facts_give_the_same_bytes_whatever_the_order_of_keys(seed: int, tenant: Any, score: int) -> None:
    office = tenant.intake.offices[0].id
    extra = {"b": {"y": 1, "x": 2}, "a": 1}
    document = analyzed(call(tenant.intake.tenant, office, extra=extra), words="A leak", lead_score=score, summary="s")
    order = random.Random(seed)
    other = compile_bundle(
        IntakeBundle.model_validate(shuffled(as_json(tenant.intake), order)),
        RulesBundle.model_validate(shuffled(as_json(tenant.rules), order)),
    )
    facts = facts_of(document, tenant.intake)
    for phase in (Phase.RECEIVED, Phase.ANALYZED):
        one = decide(tenant, facts, document, phase)
        two = decide(other, shuffled(facts, order), shuffled(document, order), phase)
        assert codec.dumps(one.decision.model_dump(mode="json")) == codec.dumps(two.decision.model_dump(mode="json"))
        assert one.draws == two.draws


def test_fields_of_the_future_change_no_decision() -> None:
    document = analyzed(call("summit-roofing", "main"), words="A leak", lead_score=90)
    grown = {**document, "prophecy": {"x": 1}, "lead": {**document["lead"], "aura": "blue"}}
    assert propose(SUMMIT, grown, Phase.ANALYZED) == propose(SUMMIT, document, Phase.ANALYZED)
