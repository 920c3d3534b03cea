"""The routing daemon: one decision per event and phase, published as it is stored, however often it is run."""

import asyncio
from collections import Counter
from typing import Any

import pytest

from connectors.bundles.live import LiveBundles
from connectors.store.seam import FullStore, Scope
from consumers import routing
from consumers.routing import Routing
from consumers.rulesets import RuleSets
from consumers.runtime.seam import Failure, Park, Publication
from ops.tenants import publish_folder
from schemas import codec
from schemas.documents import Analysis, AnalysisState, Analyzed, Document, Inbound, grow
from schemas.rulefile import RulesBundle
from tests.unit.consumers.house import (
    NOW,
    TENANT,
    StillClock,
    go_live,
    inbound,
    intake,
    only,
    record_of,
    tenants_of,
    told,
)
from tests.unit.rules.documents import TENANTS

MAPPING = {
    "connector": "hubspot",
    "mappings": {
        "lead": {
            "contact": {"identity": "contact", "fields": {"phone": {"path": "lead.phone"}}},
            "deal": {
                "identity": "request",
                "associate_with": ["contact"],
                "fields": {"owner": {"path": "assigned.team"}, "custom": {"path": "lead.custom", "write": "always"}},
            },
        }
    },
}
CREATE = {"do": "create_lead", "connector": "hubspot", "mapping": "lead"}
MAIL = {
    "do": "mail",
    "connector": "mailbox",
    "to": ["main@acme.example.test"],
    "subject": "A lead",
    "lines": [{"label": "Phone", "path": "lead.phone"}],
}
ASSIGN = {"do": "assign", "pool": "team"}


def rule(*then: dict[str, Any], phase: str = "received", **more: Any) -> dict[str, Any]:
    return {
        "id": f"{phase}-rule",
        "title": "A rule",
        "why": "It is one.",
        "phase": phase,
        "when": True,
        "fallback": True,
        "then": list(then),
    } | more


def rules(*of: dict[str, Any]) -> RulesBundle:
    team = {"pool": "team", "members": [{"id": "ana"}, {"id": "ben"}]}
    return RulesBundle.model_validate(
        {"tenant": TENANT, "rules": list(of), "crm": {"hubspot": MAPPING}, "pools": {"team": team}}
    )


class Desk:
    """The daemon, its store, and the tenant's rules, which may be changed."""

    def __init__(self, store: FullStore, sets: RuleSets, clock: StillClock) -> None:
        self.store, self.sets = store, sets
        self.spec = routing.spec(Routing(sets, store, clock))
        self._sequence = 1

    async def rule(self, *of: dict[str, Any], **changes: Any) -> None:
        self._sequence += 1
        await go_live(self.store, intake(**changes), rules(*of), sequence=self._sequence)
        await self.sets.intake.refresh()
        await self.sets.rules.refresh()

    async def handle(
        self, document: dict[str, Any], kind: type[Document] = Inbound, **of: Any
    ) -> tuple[Publication, ...]:
        return tuple(await self.spec.handler(record_of(kind, document, **of)))


@pytest.fixture
async def desk(store: FullStore, clock: StillClock) -> Desk:
    halves: LiveBundles[RulesBundle] = LiveBundles(store, "rules", lambda live, half: half)
    await halves.refresh()
    return Desk(store, RuleSets(await tenants_of(store), halves), clock)


def analyzed(document: dict[str, Any], score: int = 80) -> dict[str, Any]:
    return grow(document, analysis=Analysis(state=AnalysisState.DONE, lead_score=score))


async def test_a_decision_is_published_with_the_first_order_of_its_plan(desk: Desk) -> None:
    await desk.rule(rule(ASSIGN, CREATE, MAIL))
    published = await desk.handle(inbound())
    [decided], [order] = told(published, "decided"), told(published, "deliver.hubspot")
    assert [p.topic for p in published] == ["decided", "deliver.hubspot"]
    assert decided["decision"]["rule_id"] == "received-rule"
    assert order["step"] == decided["decision"]["steps"][0]
    assert order["following"] == decided["decision"]["steps"][1:]
    assert order["tickets"] == decided["decision"]["tickets"]
    assert (order["phase"], order["generation"], order["results"]) == ("received", 0, {})
    assert {p.key for p in published} == {order["envelope"]["request_id"].encode()}


@pytest.mark.parametrize("kind", [Inbound, Analyzed])
async def test_a_second_run_after_a_changed_rule_publishes_the_stored_decision_byte_for_byte(
    desk: Desk, kind: type[Document]
) -> None:
    phase = "received" if kind is Inbound else "analyzed"
    lead = {"phone": "+13125550142", "message": "Hi", "custom": {"zeta": {"b": 1, "a": [2.0]}, "alpha": "x"}}
    document = inbound(lead=lead) if kind is Inbound else analyzed(inbound(lead=lead))
    await desk.rule(rule(ASSIGN, CREATE, phase=phase))
    first = await desk.handle(document, kind)
    await desk.rule(rule(MAIL, phase=phase, id="another"))
    assert await desk.handle(document, kind) == first
    assert told(first, "decided")[0]["decision"]["rule_id"] == f"{phase}-rule"


async def test_each_phase_is_decided_by_its_own_rules(desk: Desk) -> None:
    await desk.rule(rule(CREATE), rule(CREATE, MAIL, phase="analyzed"))
    received = await desk.handle(inbound())
    later = await desk.handle(analyzed(inbound()), Analyzed)
    assert told(received, "decided")[0]["decision"]["phase"] == "received"
    assert told(later, "decided")[0]["decision"]["phase"] == "analyzed"
    assert len(await desk.store.list_decisions(Scope(TENANT), inbound()["envelope"]["request_id"])) == 2


async def test_a_dropped_lead_ends_filtered_with_rule_and_reason(desk: Desk) -> None:
    await desk.rule(rule({"do": "drop", "reason": "a robot"}, id="trap"))
    published = await desk.handle(inbound())
    [ended] = told(published, "outcomes")
    assert [p.topic for p in published] == ["decided", "outcomes"]
    assert (ended["state"], ended["rule_id"], ended["step_id"], ended["last"]) == ("filtered", "trap", "", True)
    assert "a robot" in ended["reason"]
    assert "trap" in ended["reason"]


async def test_a_held_lead_is_parked_and_its_decision_told(desk: Desk) -> None:
    await desk.rule(rule({"do": "hold", "reason": "look first"}))
    document = inbound()
    failed = (("failure_reason", b"store_unavailable"), ("retry_for", b"leadbus.routing"))
    published = await desk.handle(document, headers=failed, attempt=1)
    assert [p.topic for p in published] == ["decided"]
    [parked] = await desk.store.list_parked(Scope(TENANT))
    assert (parked.stage, parked.reason, parked.topic) == ("routing", "held_by_rule", "inbound.messages")
    assert "look first" in parked.detail
    assert codec.loads(parked.record) == document
    assert {name for name, _ in parked.headers} >= {"tenant", "request_id", "schema"}
    assert not {name for name, _ in parked.headers} & {"retry_for", "failure_reason"}
    assert ("failure_topic", b"inbound.messages") in parked.headers  # where it first lay


async def test_a_lead_that_is_held_twice_is_parked_once(desk: Desk) -> None:
    await desk.rule(rule({"do": "hold", "reason": "look first"}))
    assert await desk.handle(inbound()) == await desk.handle(inbound())
    assert len(await desk.store.list_parked(Scope(TENANT))) == 1


def released(answer: bytes, park_id: bytes = b"park-1") -> tuple[tuple[str, bytes], ...]:
    return (("retry_for", b"leadbus.routing"), ("released", answer), ("park_id", park_id))


async def test_an_approved_lead_starts_the_steps_that_waited_with_it(desk: Desk) -> None:
    await desk.rule(rule(CREATE, {"do": "hold", "reason": "look first"}, MAIL))
    document = inbound()
    [held] = await desk.handle(document)
    published = await desk.handle(document, headers=released(b"approve"))
    assert [p.topic for p in published] == ["decided", "deliver.hubspot"]
    assert published[0] == held
    [order] = told(published, "deliver.hubspot")
    assert [step["connector_id"] for step in (order["step"], *order["following"])] == ["hubspot", "mailbox"]
    assert len(await desk.store.list_parked(Scope(TENANT))) == 1


async def test_an_approved_lead_without_steps_ends_recorded(desk: Desk) -> None:
    await desk.rule(rule({"do": "hold", "reason": "look first"}))
    [ended] = told(await desk.handle(inbound(), headers=released(b"approve")), "outcomes")
    assert (ended["state"], ended["rule_id"], ended["last"]) == ("recorded", "received-rule", True)
    assert "approved by a person" in ended["reason"]


async def test_a_held_lead_that_is_only_tried_again_waits_anew_under_another_id(desk: Desk) -> None:
    await desk.rule(rule({"do": "hold", "reason": "look first"}))
    document = inbound()
    await desk.handle(document)
    [first] = await desk.store.list_parked(Scope(TENANT))
    for _ in range(2):  # published twice: one row all the same
        await desk.handle(document, headers=released(b"again", first.park_id.encode()))
    await desk.store.mark_released(Scope(TENANT), first.park_id)
    [second] = await desk.store.list_parked(Scope(TENANT))
    assert second.park_id != first.park_id
    assert second.headers == first.headers


async def test_an_approval_that_is_not_for_this_daemon_changes_nothing(desk: Desk) -> None:
    await desk.rule(rule(CREATE, {"do": "hold", "reason": "look first"}))
    assert [p.topic for p in await desk.handle(inbound(), headers=(("released", b"approve"),))] == ["decided"]


async def test_an_unparsed_event_is_parked_for_a_person(desk: Desk) -> None:
    await desk.rule(rule(CREATE))
    with pytest.raises(Park) as caught:
        await desk.handle(inbound(unparsed="the body is not JSON"))
    assert (caught.value.reason, caught.value.detail) == ("unparsed", "the body is not JSON")


async def test_a_tenant_without_rules_of_a_phase_ends_it_filtered(desk: Desk) -> None:
    await desk.rule(rule(CREATE))
    [published] = await desk.handle(analyzed(inbound()), Analyzed)
    ended = codec.loads(published.value)
    assert (ended["state"], ended["phase"], ended["step_id"]) == ("filtered", "analyzed", "")
    assert ended["reason"] == "the tenant has no rules of phase analyzed"


async def test_a_rule_that_delivers_nothing_ends_the_phase_recorded(desk: Desk) -> None:
    await desk.rule(rule({"do": "tag", "tags": ["seen"]}))
    [ended] = told(await desk.handle(inbound()), "outcomes")
    assert (ended["state"], ended["rule_id"]) == ("recorded", "received-rule")


async def test_a_bundle_in_which_no_rule_matches_waits_for_a_person(desk: Desk) -> None:
    await desk.rule(rule(CREATE, when=False, fallback=False))
    with pytest.raises(Park, match="no_rule"):
        await desk.handle(inbound())


async def test_members_are_drawn_once_per_request_and_in_turn(desk: Desk) -> None:
    await desk.rule(rule(ASSIGN, CREATE), rule(ASSIGN, CREATE, phase="analyzed"))
    for thing in ("1", "2", "3"):
        for _ in range(2):
            await desk.handle(inbound(thing=thing, event=thing))
            await desk.handle(analyzed(inbound(thing=thing, event=thing)), Analyzed)
        await desk.handle(inbound(thing=thing, event=f"{thing}-later", rank=1))
    drawn = await desk.store.list_tickets(Scope(TENANT), "team")
    assert [(t.number, t.member) for t in drawn] == [(0, "ana"), (1, "ben"), (2, "ana")]


async def test_racing_workers_draw_one_ticket_and_tell_the_same(desk: Desk) -> None:
    await desk.rule(rule(ASSIGN, CREATE))
    told_by_each = await asyncio.gather(*(desk.handle(inbound()) for _ in range(8)))
    assert len(set(told_by_each)) == 1
    assert len(await desk.store.list_tickets(Scope(TENANT), "team")) == 1


async def test_new_rules_never_meet_connectors_of_before(desk: Desk) -> None:
    await desk.rule(rule(CREATE))
    before = desk.sets.get(TENANT)
    connectors = [{"id": "fresh", "kind": "email"}]
    await go_live(desk.store, intake(connectors=connectors), rules(rule({**MAIL, "connector": "fresh"})), sequence=9)
    await desk.sets.rules.refresh()
    assert desk.sets.get(TENANT) is before
    await desk.sets.intake.refresh()
    [order] = told(await desk.handle(inbound()), "deliver.email")
    assert order["step"]["connector_id"] == "fresh"


async def test_rules_that_do_not_compile_leave_the_last_good_ones(desk: Desk) -> None:
    await desk.rule(rule(CREATE))
    await desk.handle(inbound(thing="0", event="0"))
    await desk.rule(rule(CREATE, when={"no_such_operator": [1]}, fallback=False))
    [decided] = told(await desk.handle(inbound()), "decided")
    assert decided["decision"]["action"] == "deliver"


@pytest.mark.parametrize(("kind", "phase"), [(Inbound, "received"), (Analyzed, "analyzed")])
async def test_a_dead_letter_ends_the_phase_that_was_to_be_decided(
    desk: Desk, kind: type[Document], phase: str
) -> None:
    document = inbound() if kind is Inbound else analyzed(inbound())
    ended = only(desk.spec.on_dead(record_of(kind, document), Failure("handler_failed", "", 0, NOW)))
    assert (ended["state"], ended["phase"], ended["reason"]) == ("dead", phase, "routing: handler_failed")


@pytest.mark.parametrize("tenant", sorted(path.name for path in TENANTS.iterdir()))
async def test_every_example_tenant_decides_both_phases(bare_store: FullStore, clock: StillClock, tenant: str) -> None:
    await publish_folder(bare_store, TENANTS / tenant)
    halves: LiveBundles[RulesBundle] = LiveBundles(bare_store, "rules", lambda live, half: half)
    await halves.refresh()
    sets = RuleSets(await tenants_of(bare_store), halves)
    office = sets.intake.all()[tenant].offices[0].id
    desk = Desk(bare_store, sets, clock)
    document = inbound(tenant=tenant, office_id=office)
    topics = Counter(p.topic for p in await desk.handle(document))
    topics += Counter(p.topic for p in await desk.handle(analyzed(document), Analyzed))
    assert topics["decided"] == 2
    assert sum(count for topic, count in topics.items() if topic.startswith("deliver.")) == 2
