"""How a step ends against the ledger: delivered, told again, superseded, looked up, or waiting for somebody."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from connectors.crm.seam import EffectUnknown, PermanentRefusal, RateLimited, Retryable
from connectors.store.seam import Conflict, FullStore, Scope
from consumers.creations import creation_id
from consumers.effects import TOLD_AGAIN
from consumers.runtime.seam import Park, RetryAfter
from schemas import identity
from schemas.decision import RecordWrite
from schemas.delivery import FinalState
from schemas.headers import Release
from tests.unit.consumers.house import RECEIVED_AT, TENANT, StillClock
from tests.unit.consumers.orders import (
    CONTACT,
    DEAL,
    Client,
    Crm,
    Upserter,
    effector_of,
    lead_order,
    mail,
    model,
    order,
    step,
)

both = pytest.mark.parametrize("client", [Client, Upserter])


@pytest.fixture
def crm() -> Crm:
    return Crm()


@both
async def test_a_lead_is_created_with_its_person_and_noted(store: FullStore, crm: Crm, client: type[Client]) -> None:
    done = await effector_of(store).write_records(model(lead_order()), client(crm))
    assert (done.state, done.reason) == (FinalState.DELIVERED, "pipedrive: created contact, deal")
    assert done.remote_ids == {CONTACT: "contact-1", DEAL: "deal-2"}
    assert (crm.named(CONTACT), crm.named(DEAL)) == ([{"phone": "+13125550142"}], [{"title": "Roof"}])


@both
async def test_the_same_step_again_is_told_again_without_a_call(
    store: FullStore, crm: Crm, client: type[Client]
) -> None:
    first = await effector_of(store).write_records(model(lead_order()), client(crm))
    calls = list(crm.calls)
    again = await effector_of(store, "two").write_records(model(lead_order()), client(crm))
    assert (again.state, again.reason, again.remote_ids) == (FinalState.DELIVERED, TOLD_AGAIN, first.remote_ids)
    assert crm.calls == calls


@both
async def test_a_later_phase_writes_to_the_same_record(store: FullStore, crm: Crm, client: type[Client]) -> None:
    await effector_of(store).write_records(model(lead_order()), client(crm))
    done = await effector_of(store).write_records(model(lead_order({"score": 82}, phase="analyzed")), client(crm))
    assert done.reason == "pipedrive: updated 2 fields"
    assert crm.named(DEAL) == [{"title": "Roof", "score": 82}]
    assert len(crm.named(CONTACT)) == 1


@both
async def test_an_order_that_newer_ones_have_overtaken_is_superseded_without_a_call(
    store: FullStore, crm: Crm, client: type[Client]
) -> None:
    at = RECEIVED_AT + timedelta(seconds=1)
    newer = lead_order({"title": "newer"}, rank=1, event="2", received_at=at)
    await effector_of(store).write_records(model(newer), client(crm))
    calls = list(crm.calls)
    done = await effector_of(store).write_records(model(lead_order({"title": "older"})), client(crm))
    assert (done.state, done.reason) == (FinalState.SUPERSEDED, "a newer revision has written every field")
    assert crm.calls == calls
    assert crm.named(DEAL) == [{"title": "newer"}]


@both
async def test_what_the_write_modes_hold_back_is_superseded(store: FullStore, crm: Crm, client: type[Client]) -> None:
    await effector_of(store).write_records(model(lead_order()), client(crm))
    for row in crm.records.values():
        row["fields"].update({"phone": "by hand", "title": "by hand"})
    careful = lead_order({"title": "ours"}, person={"phone": "ours"}, write="if_empty", phase="analyzed")
    done = await effector_of(store).write_records(model(careful), client(crm))
    assert done.state is FinalState.SUPERSEDED
    assert "own values stand" in done.reason
    assert [fields["title"] for fields in crm.named(DEAL)] == ["by hand"]


@both
async def test_a_step_of_which_a_part_is_held_back_is_delivered_also_the_second_time(
    store: FullStore, crm: Crm, client: type[Client]
) -> None:
    await effector_of(store).write_records(model(lead_order()), client(crm))
    crm.records["deal-2"]["fields"]["title"] = "by hand"
    partly = lead_order({"title": "ours", "score": 82}, person={"phone": "ours"}, write="if_empty", phase="analyzed")
    first = await effector_of(store).write_records(model(partly), client(crm))
    again = await effector_of(store).write_records(model(partly), client(crm))
    assert (first.state, again.state, again.reason) == (FinalState.DELIVERED, FinalState.DELIVERED, TOLD_AGAIN)
    assert crm.named(DEAL) == [{"title": "by hand", "score": 82}]


async def test_a_step_without_values_says_so(store: FullStore, crm: Crm) -> None:
    done = await effector_of(store).write_records(model(order(step())), Client(crm))
    assert (done.state, done.reason) == (FinalState.SUPERSEDED, "the step has no value to write")


async def test_values_drawn_from_a_pool_are_written_and_lines_without_one_left_out(store: FullStore, crm: Crm) -> None:
    ticket = {"pool": "team", "order_id": lead_order()["step"]["order_id"], "number": 0, "member": "ana"}
    drawn = lead_order({"owner": {"$ticket": "team"}, "other": {"$ticket": "nobody"}}, tickets=[ticket])
    await effector_of(store).write_records(model(drawn), Client(crm))
    assert crm.named(DEAL) == [{"owner": "ana"}]
    lines = [["Coordinator", '{"$ticket":"team"}'], ["Other", '{"$ticket":"nobody"}']]
    sent: list[Any] = []

    class Postbox(Client):
        async def create_lead(self, work: Any, effects: Any) -> Any:
            sent.append(work.mail.lines)
            return await super().create_lead(work, effects)

    await effector_of(store).send_once(model(order(mail(lines=lines), tickets=[ticket])), Postbox(crm))
    assert sent == [(("Coordinator", "ana"),)]


async def test_a_mail_is_sent_once_and_told_again(store: FullStore, crm: Crm) -> None:
    first = await effector_of(store).send_once(model(order(mail())), Client(crm))
    again = await effector_of(store, "two").send_once(model(order(mail(), event="2", rank=1)), Client(crm))
    assert first == again
    assert first.state is FinalState.DELIVERED
    assert crm.calls == ["send"]


async def test_while_another_worker_holds_the_claim_nobody_else_calls(store: FullStore, crm: Crm) -> None:
    wanted = model(order(mail()))
    await store.claim_order(Scope(TENANT), wanted.step.order_id, "another", 30.0)
    with pytest.raises(RetryAfter, match="in_progress"):
        await effector_of(store).send_once(wanted, Client(crm))
    assert crm.calls == []


@pytest.mark.parametrize("held", [CONTACT, DEAL])
async def test_while_another_worker_creates_a_record_nobody_else_does(store: FullStore, crm: Crm, held: str) -> None:
    wanted = model(lead_order())
    [named] = [r for r in wanted.step.records if r.object == held]
    await store.claim_order(Scope(TENANT), creation_id(Scope(TENANT), "pipedrive", named), "another", 30.0)
    with pytest.raises(RetryAfter, match="in_progress"):
        await effector_of(store).write_records(wanted, Client(crm))
    assert crm.calls == []
    others = [r for r in wanted.step.records if r.object != held]
    for other in others:  # what had been claimed was given back
        claim = await store.claim_order(Scope(TENANT), creation_id(Scope(TENANT), "pipedrive", other), "third", 1.0)
        assert claim.mine


async def test_an_expired_sent_mail_is_looked_up_before_anything_else(store: FullStore, crm: Crm) -> None:
    crm.mails.append(mail()["order_id"])
    await sent_by_a_dead_worker(store, mail()["order_id"])
    done = await effector_of(store).send_once(model(order(mail())), Client(crm))
    assert done.state is FinalState.DELIVERED
    assert crm.calls == ["reconcile"]
    assert len(crm.mails) == 1


async def test_an_expired_sent_mail_that_certainly_did_not_go_is_sent(store: FullStore, crm: Crm) -> None:
    await sent_by_a_dead_worker(store, mail()["order_id"])
    await effector_of(store).send_once(model(order(mail())), Client(crm))
    assert crm.calls == ["reconcile", "send"]


async def test_an_effect_that_cannot_be_known_waits_for_a_person(store: FullStore, crm: Crm) -> None:
    crm.knows_mails = False
    await sent_by_a_dead_worker(store, mail()["order_id"])
    with pytest.raises(Park) as caught:
        await effector_of(store).send_once(model(order(mail(on_unknown="park"))), Client(crm))
    assert (caught.value.reason, caught.value.connector_id) == ("effect_unknown", "mailbox")
    assert crm.calls == ["reconcile"]


async def test_an_effect_that_cannot_be_known_is_repeated_where_the_step_says_so(store: FullStore, crm: Crm) -> None:
    crm.knows_mails = False
    await sent_by_a_dead_worker(store, mail()["order_id"])
    done = await effector_of(store).send_once(model(order(mail(on_unknown="retry"))), Client(crm))
    assert done.state is FinalState.DELIVERED
    assert crm.calls == ["reconcile", "send"]


async def test_a_lost_answer_is_looked_up_by_the_next_attempt(store: FullStore, crm: Crm) -> None:
    crm.lost_answers = 1
    with pytest.raises(EffectUnknown):
        await effector_of(store).send_once(model(order(mail())), Client(crm))
    done = await effector_of(store).send_once(model(order(mail())), Client(crm))
    assert done.state is FinalState.DELIVERED
    assert crm.calls == ["send", "reconcile"]


@both
async def test_a_lost_answer_to_a_creation_creates_no_second_record(
    store: FullStore, crm: Crm, client: type[Client]
) -> None:
    for lost in (CONTACT, DEAL):
        crm.lost_answers = 1
        with pytest.raises(EffectUnknown):
            await effector_of(store).write_records(model(lead_order()), client(crm))
        assert len(crm.named(lost)) == 1
    done = await effector_of(store).write_records(model(lead_order()), client(crm))
    assert done.state is FinalState.DELIVERED
    assert (len(crm.named(CONTACT)), len(crm.named(DEAL))) == (1, 1)


async def test_a_refused_mail_is_refused_for_ever(store: FullStore, crm: Crm) -> None:
    crm.errors = [PermanentRefusal("no such mailbox")]
    with pytest.raises(PermanentRefusal, match="no such mailbox"):
        await effector_of(store).send_once(model(order(mail())), Client(crm))
    with pytest.raises(PermanentRefusal, match="no such mailbox"):
        await effector_of(store, "two").send_once(model(order(mail())), Client(crm))
    assert crm.calls == ["send"]


async def test_a_refused_record_may_be_said_right_by_a_later_revision(store: FullStore, crm: Crm) -> None:
    crm.errors = [PermanentRefusal("bad phone")]
    with pytest.raises(PermanentRefusal):
        await effector_of(store).write_records(model(lead_order()), Client(crm))
    at = RECEIVED_AT + timedelta(seconds=1)
    better = lead_order(rank=1, event="2", received_at=at)
    done = await effector_of(store, "two").write_records(model(better), Client(crm))
    assert done.state is FinalState.DELIVERED


@pytest.mark.parametrize("document", [lead_order(), order(mail())])
async def test_a_rate_limit_gives_the_claim_back(store: FullStore, crm: Crm, document: dict[str, Any]) -> None:
    crm.errors = [RateLimited("slow down", delay=3.0, scope="s")]
    effector = effector_of(store)
    run = effector.send_once if document["step"]["scope"] == "once" else effector.write_records
    with pytest.raises(RateLimited):
        await run(model(document), Client(crm))
    other = effector_of(store, "two")
    run = other.send_once if document["step"]["scope"] == "once" else other.write_records
    assert (await run(model(document), Client(crm))).state is FinalState.DELIVERED
    assert "reconcile" not in crm.calls


async def test_a_rate_limit_in_the_middle_keeps_what_was_created(store: FullStore, crm: Crm) -> None:
    class Limited(Client):
        async def _write(self, wanted: Any, remote_id: Any, effects: Any) -> Any:
            if wanted.object == DEAL and not crm.errors and len(crm.records) == 1 and "limited" not in crm.calls:
                crm.calls.append("limited")
                raise RateLimited("slow down", delay=3.0, scope="s")
            return await super()._write(wanted, remote_id, effects)

    with pytest.raises(RateLimited):
        await effector_of(store).write_records(model(lead_order()), Limited(crm))
    await effector_of(store, "two").write_records(model(lead_order()), Limited(crm))
    assert crm.calls == ["create contact", "limited", "create deal"]


async def test_a_passing_fault_is_tried_again_at_once_a_few_times(store: FullStore, crm: Crm) -> None:
    clock = StillClock()
    crm.errors = [Retryable("reset"), Retryable("reset")]
    done = await effector_of(store, clock=clock).send_once(model(order(mail())), Client(crm))
    assert done.state is FinalState.DELIVERED
    assert crm.calls == ["send", "send", "send"]
    assert len(clock.slept) == 2


@both
async def test_two_requests_of_one_contact_at_once_make_one_person(
    store: FullStore, crm: Crm, client: type[Client]
) -> None:
    effector = effector_of(store)
    await asyncio.gather(
        *(
            effector.write_records(model(lead_order(thing=str(number), event=str(number))), client(crm))
            for number in range(6)
        )
    )
    assert (len(crm.named(CONTACT)), len(crm.named(DEAL))) == (1, 6)


@both
async def test_two_requests_of_one_contact_in_two_processes_make_one_person(
    store: FullStore, crm: Crm, client: type[Client]
) -> None:
    waiting = [(str(number), effector_of(store, f"process-{number}")) for number in range(4)]
    while waiting:
        orders = [model(lead_order(thing=name, event=name)) for name, _ in waiting]
        runs = (e.write_records(o, client(crm)) for (_, e), o in zip(waiting, orders, strict=True))
        ended = await asyncio.gather(*runs, return_exceptions=True)
        assert all(isinstance(end, RetryAfter) for end in ended if isinstance(end, BaseException))
        waiting = [each for each, end in zip(waiting, ended, strict=True) if isinstance(end, BaseException)]
    assert (len(crm.named(CONTACT)), len(crm.named(DEAL))) == (1, 4)


async def test_a_person_whose_creator_died_is_found_by_the_next_request(store: FullStore, crm: Crm) -> None:
    """The person stands in the ledger's claim of the first request, and in no target row yet."""
    first = model(lead_order())
    [person] = [r for r in first.step.records if r.object == CONTACT]
    crm.records["contact-1"] = {"object": CONTACT, "id": "hidden from look-ups", "fields": {}}
    claim = await store.claim_order(Scope(TENANT), creation_id(Scope(TENANT), "pipedrive", person), "dead", 30.0)
    await store.finish_order(Scope(TENANT), claim, "dead", "done", {"remote_id": "contact-1"})
    await effector_of(store).write_records(model(lead_order(thing="2", event="2")), Client(crm))
    assert len(crm.named(CONTACT)) == 1


def test_a_creation_is_named_by_its_record_and_by_nothing_else() -> None:
    one = RecordWrite(object=DEAL, external_id=identity.derive("x"))
    assert creation_id(Scope("a"), "crm", one) == creation_id(Scope("a"), "crm", one.model_copy(update={"fields": ()}))
    assert creation_id(Scope("a"), "crm", one) != creation_id(Scope("b"), "crm", one)
    assert creation_id(Scope("a"), "crm", one) != creation_id(Scope("a"), "other", one)
    assert creation_id(Scope("a"), "crm", one) != creation_id(Scope("a"), "crm", one.model_copy(update={"object": "x"}))


async def sent_by_a_dead_worker(store: FullStore, order_id: str) -> None:
    """A claim in state `sent` whose lease has run out: by the store's clock, which nobody can move."""
    lease = 0.05
    while True:
        claim = await store.claim_order(Scope(TENANT), order_id, "dead", lease)
        try:
            await store.mark_sent(Scope(TENANT), claim, "dead")
        except Conflict:  # a slow machine: it ran out too early
            lease *= 2
            continue
        await asyncio.sleep(lease * 1.1)
        return


SENT, NOT_SENT, AGAIN = ((answer, "park-1") for answer in (Release.SENT, Release.NOT_SENT, Release.AGAIN))


async def test_what_a_person_saw_sent_is_done_without_a_call(store: FullStore, crm: Crm) -> None:
    crm.knows_mails = False
    await sent_by_a_dead_worker(store, mail()["order_id"])
    done = await effector_of(store).send_once(model(order(mail())), Client(crm), SENT)
    assert (done.state, crm.calls) == (FinalState.DELIVERED, [])
    assert (await effector_of(store, "two").send_once(model(order(mail())), Client(crm))).state is FinalState.DELIVERED
    assert crm.calls == []


async def test_what_a_person_saw_not_sent_is_sent_once_however_often_the_answer_comes(
    store: FullStore, crm: Crm
) -> None:
    crm.knows_mails = False
    await sent_by_a_dead_worker(store, mail()["order_id"])
    for owner in ("one", "two"):
        done = await effector_of(store, owner).send_once(model(order(mail())), Client(crm), NOT_SENT)
        assert done.state is FinalState.DELIVERED
    assert crm.calls == ["send"]


async def test_an_answer_is_used_up_by_what_comes_into_doubt_after_it(store: FullStore, crm: Crm) -> None:
    crm.knows_mails = False
    await sent_by_a_dead_worker(store, mail()["order_id"])
    crm.lost_answers = 1
    with pytest.raises(EffectUnknown):
        await effector_of(store).send_once(model(order(mail())), Client(crm), NOT_SENT)
    with pytest.raises(Park, match="effect_unknown"):
        await effector_of(store).send_once(model(order(mail())), Client(crm), NOT_SENT)
    assert crm.calls == ["send", "reconcile"]
    done = await effector_of(store).send_once(model(order(mail())), Client(crm), (Release.NOT_SENT, "park-2"))
    assert (done.state, crm.calls) == (FinalState.DELIVERED, ["send", "reconcile", "send"])


async def test_just_trying_again_looks_the_effect_up_again(store: FullStore, crm: Crm) -> None:
    crm.knows_mails = False
    await sent_by_a_dead_worker(store, mail()["order_id"])
    with pytest.raises(Park, match="effect_unknown"):
        await effector_of(store).send_once(model(order(mail())), Client(crm), AGAIN)
    assert crm.calls == ["reconcile"]


async def test_an_answered_claim_that_is_given_back_is_free_for_others(store: FullStore, crm: Crm) -> None:
    crm.knows_mails = False
    await sent_by_a_dead_worker(store, mail()["order_id"])
    crm.errors = [RateLimited("slow down", delay=3.0, scope="s")]
    with pytest.raises(RateLimited):
        await effector_of(store).send_once(model(order(mail())), Client(crm), NOT_SENT)
    assert (await effector_of(store, "two").send_once(model(order(mail())), Client(crm))).state is FinalState.DELIVERED
    assert "reconcile" not in crm.calls
