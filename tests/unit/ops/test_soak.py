"""The soak's own judgement: what it must call lost, doubled, open or stuck, and what it drives the house with."""

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

import pytest
from aiohttp import web

from connectors.store.seam import Parked
from ops.chaos.soak.account import Account, Key
from ops.chaos.soak.ends import Ends, Lag
from ops.chaos.soak.leads import Leads
from ops.chaos.soak.schedule import BREATH_SECONDS, BROKER, BROKER_BREATH_SECONDS, Way, disturbances, misbehaviours
from ops.chaos.soak.sending import Senders
from ops.chaos.soak.verdict import Verdict, judge
from ops.demo.crm_contents import Item
from ops.demo.senders import Webhook, form
from ops.demo.watch import Seen
from ops.sandbox.faults import Fault
from schemas import codec
from schemas.decision import Ticket

PARTS = ("gateway", "routing", "delivery", "delivery-2", "retry", BROKER)
DAEMONS = ("routing", "delivery", "delivery-2", "retry")
TENANT = "summit-roofing"
EVENT, REQUEST, FIRST, SECOND = (str(UUID(int=number)) for number in (1, 2, 3, 4))
"""Ids: of the event, its request, and the orders of its two steps."""
WEBHOOK = form(TENANT, {"name": "Ann"}, "a form")
ENVELOPE = {
    "tenant_id": TENANT,
    "event_id": EVENT,
    "request_id": REQUEST,
    "source": "form",
    "event_kind": "form_submission",
}


class Story:
    """One event whose phase `analyzed` is planned in two steps; `received` ends filtered. Tests leave things out."""

    def __init__(self) -> None:
        self.account = Account()
        self.final = {Key(EVENT, "received", ""): "filtered"}
        self.told: dict[Key, tuple[str, ...]] = {}
        self.parked: list[tuple[str, Parked]] = []
        self.contents: list[Item] = []
        self.remote_ids: set[str] = set()
        self.tickets: list[Ticket] = [Ticket(pool="desk", order_id=FIRST, number=0, member="ann")]
        self.lags: list[Lag] = []
        self.requests = 1
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def arrives(self, offset: int = 0) -> "Story":
        raw = {"sha256": codec.sha256(WEBHOOK.body)}
        return self.sees("inbound.messages", {"envelope": ENVELOPE, "raw": raw}, offset=offset)

    def decides(self) -> "Story":
        steps = [
            _step("step-1", "hubspot", FIRST, "record", [{"external_id": REQUEST, "fields": [{"name": "title"}]}]),
            _step("step-2", "email", SECOND, "once", []),
        ]
        decision = {
            "tenant_id": TENANT,
            "event_id": EVENT,
            "phase": "analyzed",
            "action": "deliver",
            "rule_title": "All",
            "steps": steps,
            "tickets": [{"pool": "desk", "order_id": FIRST, "number": 0}],
        }
        return self.sees("decided", {"envelope": ENVELOPE, "decision": decision})

    def delivers(self, step: str, remote_id: str) -> "Story":
        self.ends(step)
        self.told[Key(EVENT, "analyzed", step)] = (remote_id,)
        self.remote_ids.add(remote_id)
        kind, ours = ("deals", REQUEST) if step == "step-1" else ("mails", SECOND)
        vendor = "hubspot" if step == "step-1" else "sendgrid"
        self.contents.append(Item(vendor, TENANT, kind, ours, {}))
        return self

    def ends(self, step: str, state: str = "delivered") -> "Story":
        outcome = {"envelope": ENVELOPE, "phase": "analyzed", "step_id": step, "state": state}
        self.final[Key(EVENT, "analyzed", step)] = state
        return self.sees("outcomes", outcome)

    def sees(
        self, topic: str, document: dict[str, Any], headers: dict[str, str] | None = None, *, offset: int = 0
    ) -> "Story":
        raw = {name: value.encode() for name, value in (headers or {}).items()}
        self.account.add(Seen(topic, 0, offset, 0, raw, document))
        return self

    def judged(self) -> Verdict:
        ends = Ends(
            final=self.final,
            told=self.told,
            parked=self.parked,
            tickets={(TENANT, "desk"): self.tickets},
            requests=self.requests,
            contents=self.contents,
            remote_ids=self.remote_ids,
            lags=self.lags,
        )
        return judge(self.account, ends, [WEBHOOK], [], self.now)


def _step(step_id: str, kind: str, order_id: str, scope: str, records: list[dict[str, Any]]) -> dict[str, Any]:
    return {"step_id": step_id, "connector_kind": kind, "order_id": order_id, "scope": scope, "records": records}


def _whole() -> Story:
    return Story().arrives().decides().delivers("step-1", "9001").delivers("step-2", "m-1")


def _retry(attempt: int) -> dict[str, str]:
    return {
        "retry_for": "leadbus.delivery",
        "failure_topic": "deliver.hubspot",
        "failure_partition": "0",
        "failure_offset": "7",
        "failure_attempt": str(attempt),
        "failure_reason": "crm_unavailable",
        "retry_due_at": "2026-01-01T00:00:00+00:00",
        "event_id": EVENT,
    }


ORDER = {"phase": "analyzed", "step": {"step_id": "step-1"}}


def test_an_event_whose_every_step_ended_once_is_fine() -> None:
    verdict = _whole().judged()
    assert (verdict.lost, verdict.duplicates, verdict.stuck, verdict.wrong) == ([], [], [], [])
    assert (verdict.accepted, verdict.found, verdict.tickets) == (1, 1, 1)
    assert verdict.final_states == {"filtered": 1, "delivered": 2}


def test_a_webhook_that_was_answered_202_and_is_in_no_topic_is_lost() -> None:
    story = _whole()
    story.account.bodies.clear()
    assert story.judged().lost == ["answered 202 and in no topic: a form"]
    assert story.judged().found == 0


def test_a_step_without_an_end_and_without_a_reason_is_stuck() -> None:
    [stuck] = Story().arrives().decides().delivers("step-1", "9001").judged().stuck
    assert "step step-2" in stuck


def test_an_event_that_nobody_decided_on_is_stuck_in_both_phases() -> None:
    story = Story().arrives()
    story.final, story.tickets = {}, []
    assert len(story.judged().stuck) == 2


def test_a_parked_step_is_open_and_so_is_the_one_behind_it() -> None:
    story = Story().arrives().decides()
    record = codec.dumps(ORDER)
    story.parked.append(
        (TENANT, Parked("p", "delivery", "crm_auth_broken", "", EVENT, REQUEST, "deliver.hubspot", record))
    )
    verdict = story.judged()
    assert verdict.open == {"parked: crm_auth_broken": 1, "behind a step that is open": 1}
    assert verdict.stuck == []


def test_a_step_in_a_retry_topic_is_open_until_it_has_come_back() -> None:
    story = Story().arrives().decides().sees("retry.10s", ORDER, _retry(1))
    assert story.judged().open["retrying: crm_unavailable"] == 1
    story.sees("deliver.hubspot", ORDER, _retry(1))
    assert story.judged().open == {}
    assert len(story.judged().stuck) == 2
    story.sees("retry.1m", ORDER, _retry(2))
    assert story.judged().open["retrying: crm_unavailable"] == 1


def test_a_step_whose_return_was_seen_before_its_wait_is_not_waited_for() -> None:
    story = Story().arrives().decides().sees("deliver.hubspot", ORDER, _retry(1))
    story.sees("retry.10s", ORDER, _retry(1))
    assert not list(story.account.retrying())


def test_a_step_in_a_retry_topic_that_should_have_come_back_long_ago_is_stuck() -> None:
    story = Story().arrives().decides().sees("retry.10s", ORDER, _retry(1))
    story.now += timedelta(minutes=5)
    assert len(story.judged().stuck) == 2


def test_a_final_state_that_was_told_and_is_not_in_the_store_is_lost() -> None:
    story = _whole()
    del story.final[Key(EVENT, "analyzed", "step-2")]
    assert any("not in the store" in text for text in story.judged().lost)


def test_a_delivery_of_which_the_vendor_has_nothing_is_lost() -> None:
    story = _whole()
    story.remote_ids.discard("9001")
    assert any("not there: hubspot 9001" in text for text in story.judged().lost)


def test_a_mail_that_was_sent_twice_is_a_duplicate() -> None:
    story = _whole()
    story.contents.append(story.contents[-1])
    assert story.judged().duplicates == [f"sendgrid/{TENANT}/mails/{SECOND} stands 2 times"]


def test_two_notes_of_one_inquiry_are_a_duplicate() -> None:
    story = _whole()
    story.contents += [Item("pipedrive", TENANT, "notes", "", {"lead_id": "l-1"})] * 2
    assert story.judged().duplicates == [f"pipedrive/{TENANT}: lead l-1 has 2 notes"]


def test_a_record_that_no_decision_asked_for_is_found() -> None:
    story = _whole()
    story.contents.append(Item("hubspot", TENANT, "deals", "somebody-else", {}))
    assert story.judged().wrong == [f"hubspot/{TENANT}/deals/somebody-else was never asked for"]


def test_a_gap_in_the_tickets_is_found() -> None:
    story = _whole()
    story.tickets.append(Ticket(pool="desk", order_id=str(UUID(int=9)), number=2, member="ben"))
    assert any("missing [1]" in text for text in story.judged().wrong)


def test_a_second_arrival_must_be_counted_as_a_duplicate() -> None:
    story = _whole().arrives(offset=5)
    assert story.judged().wrong == ["form form_submission arrived 2 times, 0 counted as duplicates"]
    story.final[Key(EVENT, "received", "arrival:inbound.messages/0/5")] = "duplicate"
    assert story.judged().wrong == []


def test_a_request_that_the_recorder_did_not_keep_is_lost() -> None:
    story = _whole()
    story.requests = 0
    assert story.judged().lost == ["the store has 0 requests, the topics told of 1"]


def test_dead_letters_are_found() -> None:
    why = {"failure_group": "leadbus.routing", "failure_reason": "handler_failed"}
    [wrong] = _whole().sees("dead-letters", {}, why).judged().wrong
    assert wrong.startswith("dead letter: leadbus.routing: handler_failed")


def test_a_step_that_ended_dead_and_delivered_is_found_but_an_overtaken_one_is_not() -> None:
    story = _whole()
    story.ends("step-1", "superseded").ends("step-2", "dead")
    [wrong] = story.judged().wrong
    assert wrong.startswith("ended in more than one way, dead and delivered")
    assert story.judged().told_differently == 2


def test_records_that_a_group_has_not_committed_are_stuck() -> None:
    story = _whole()
    story.lags = [Lag("leadbus.routing", "analyzed", 1, 3)]
    assert story.judged().stuck == ["leadbus.routing has 3 records of analyzed/1 open"]


def test_one_seed_gives_one_schedule_and_its_first_round_kills_every_part() -> None:
    planned = disturbances(Random(5), 300.0, PARTS, DAEMONS)
    assert planned == disturbances(Random(5), 300.0, PARTS, DAEMONS) != disturbances(Random(6), 300.0, PARTS, DAEMONS)
    killed = {part for each in planned if each.way is Way.KILL for part in each.parts}
    assert killed == set(PARTS)
    assert {each.way for each in planned} == set(Way)


@pytest.mark.parametrize("seed", range(20))
def test_no_part_is_disturbed_while_it_is_away_and_the_broker_has_time_to_recover(seed: int) -> None:
    free_at = dict.fromkeys(PARTS, 0.0)
    for each in disturbances(Random(seed), 600.0, PARTS, DAEMONS):
        for part in each.parts:
            assert each.at >= free_at[part] - 0.1
            free_at[part] = each.at + each.away + (BROKER_BREATH_SECONDS if part == BROKER else BREATH_SECONDS)


def test_every_misbehaviour_is_one_that_the_sandbox_takes() -> None:
    planned = misbehaviours(Random(1), 3600.0)
    assert len(planned) > 200
    for each in planned:
        Fault.model_validate(each.fault)


def test_leads_come_in_every_kind_and_no_two_bodies_are_the_same_but_repetitions() -> None:
    leads = Leads(Random(1), "http://127.0.0.1:1", "t")
    webhooks = [webhook for _ in range(300) for _, webhook in leads.next().posts]
    assert {webhook.source for webhook in webhooks} == {"callrail", "form", "calendly", "tawk"}
    assert {webhook.expect for webhook in webhooks} == {202, 401, 404}
    first = [(webhook.path, webhook.body) for webhook in webhooks if not webhook.duplicate]
    assert len(first) == len(set(first)) < len(webhooks)


async def test_a_sender_posts_the_same_bytes_again_until_they_are_taken() -> None:
    bodies: list[bytes] = []

    async def take(request: web.Request) -> web.Response:
        bodies.append(await request.read())
        if len(bodies) == 2 and request.transport is not None:
            request.transport.abort()
        return web.Response(status=503 if len(bodies) == 1 else 202)

    app = web.Application()
    app.router.add_post("/{path:.*}", take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    senders = Senders(f"http://{host}:{port}", first_pause=0.01)
    taken: list[Webhook] = senders.posted.accepted
    try:
        senders.post(WEBHOOK)
        await senders.idle()
        assert taken == [WEBHOOK]
        assert bodies == [WEBHOOK.body] * 3
        assert senders.posted.again == {"503": 1, "unknown": 1}
    finally:
        await senders.close()
        await runner.cleanup()
