"""Effects happen once: targets by compare-and-set, orders by claim, lease and take-over."""

import asyncio
from dataclasses import replace

import pytest

from connectors.store.seam import Claim, Conflict, FieldState, FullStore, Invalid, NotFound, Scope, Target

from . import samples

LONG = 60.0
SHORT = 0.05
ORDER = samples.named("order")


async def expire() -> None:
    await asyncio.sleep(SHORT * 3)


# targets -------------------------------------------------------------------------------------------------------------
TARGET = Target(
    connector_id="hubspot",
    object="contact",
    external_id=samples.named("contact"),
    remote_id="501",
    fields={"first name é": FieldState("0001", "received", "h1"), "phone": FieldState("0002", "analyzed", "h2")},
)


async def test_a_target_that_was_never_written_has_version_0(store: FullStore, scope: Scope) -> None:
    assert await store.get_target(scope, "hubspot", "contact", "x") == Target("hubspot", "contact", "x")


async def test_a_target_comes_back_as_it_was_put(store: FullStore, scope: Scope) -> None:
    written = await store.put_target(scope, TARGET)
    assert written == replace(TARGET, version=1)
    assert await store.get_target(scope, "hubspot", "contact", TARGET.external_id) == written
    again = await store.put_target(scope, replace(written, remote_id=None, fields={}))
    assert again.version == 2
    assert await store.get_target(scope, "hubspot", "contact", TARGET.external_id) == again
    assert (await store.get_target(scope, "hubspot", "deal", TARGET.external_id)).version == 0


@pytest.mark.parametrize("stored", [0, 1])
async def test_of_20_racing_writers_of_a_target_one_wins_and_the_others_change_nothing(
    store: FullStore, scope: Scope, stored: int
) -> None:
    before = TARGET if stored == 0 else await store.put_target(scope, TARGET)
    writers = [store.put_target(scope, replace(before, remote_id=str(n))) for n in range(20)]
    results = await asyncio.gather(*writers, return_exceptions=True)
    won = [each for each in results if isinstance(each, Target)]
    assert len(won) == 1
    assert sum(isinstance(each, Conflict) for each in results) == 19
    assert await store.get_target(scope, "hubspot", "contact", TARGET.external_id) == won[0]


async def test_a_version_from_the_future_is_a_conflict(store: FullStore, scope: Scope) -> None:
    with pytest.raises(Conflict):
        await store.put_target(scope, replace(TARGET, version=7))


# orders --------------------------------------------------------------------------------------------------------------
async def test_of_20_racing_claims_one_gets_the_lease(store: FullStore, scope: Scope) -> None:
    claims = await asyncio.gather(*(store.claim_order(scope, ORDER, f"owner {n}", LONG) for n in range(20)))
    assert [claim.mine for claim in claims].count(True) == 1
    assert {claim.state for claim in claims} == {"claimed"}


async def test_claimed_sent_done_and_the_result_is_there_for_who_comes_later(store: FullStore, scope: Scope) -> None:
    result = {"state": "delivered", "remote_ids": {"deal": "9"}, "é": [1, None]}
    claim = await store.claim_order(scope, ORDER, "a", LONG)
    assert claim == Claim(ORDER, "claimed", mine=True, version=claim.version)
    sent = await store.mark_sent(scope, claim, "a")
    assert (sent.state, sent.mine) == ("sent", True)
    done = await store.finish_order(scope, sent, "a", "done", result)
    assert (done.state, done.result) == ("done", result)
    for owner in ("a", "b"):
        later = await store.claim_order(scope, ORDER, owner, LONG)
        assert (later.state, later.mine, later.taken_over, later.result) == ("done", False, False, result)


async def test_a_failed_order_is_never_claimed_again(store: FullStore, scope: Scope) -> None:
    claim = await store.claim_order(scope, ORDER, "a", SHORT)
    await store.finish_order(scope, claim, "a", "failed", {"why": "refused"})
    await expire()
    later = await store.claim_order(scope, ORDER, "b", LONG)
    assert (later.state, later.mine, later.result) == ("failed", False, {"why": "refused"})


async def test_an_owner_claims_again_what_it_holds(store: FullStore, scope: Scope) -> None:
    first = await store.claim_order(scope, ORDER, "a", LONG)
    again = await store.claim_order(scope, ORDER, "a", LONG)
    assert again.mine
    assert again.version > first.version
    with pytest.raises(Conflict):
        await store.mark_sent(scope, first, "a")
    assert (await store.mark_sent(scope, again, "a")).state == "sent"


async def test_an_expired_claim_is_taken_over_and_its_owner_can_send_no_more(store: FullStore, scope: Scope) -> None:
    lost = await store.claim_order(scope, ORDER, "a", SHORT)
    assert not (await store.claim_order(scope, ORDER, "b", LONG)).mine
    await expire()
    taken = await store.claim_order(scope, ORDER, "b", LONG)
    assert (taken.mine, taken.state, taken.taken_over) == (True, "claimed", False)
    with pytest.raises(Conflict):
        await store.mark_sent(scope, lost, "a")
    with pytest.raises(Conflict):
        await store.remember_part(scope, lost, "a", "deal", "1")
    with pytest.raises(Conflict):
        await store.finish_order(scope, lost, "a", "done", None)
    with pytest.raises(Conflict):
        await store.release_order(scope, lost, "a")
    assert (await store.mark_sent(scope, taken, "b")).state == "sent"


async def test_an_expired_lease_does_not_pass_to_sent_even_if_nobody_took_it(store: FullStore, scope: Scope) -> None:
    claim = await store.claim_order(scope, ORDER, "a", SHORT)
    await expire()
    with pytest.raises(Conflict):
        await store.mark_sent(scope, claim, "a")


async def test_an_expired_sent_order_is_taken_over_in_doubt_until_the_new_owner_sends(
    store: FullStore, scope: Scope
) -> None:
    claim = await store.claim_order(scope, ORDER, "a", SHORT)
    await store.mark_sent(scope, claim, "a")
    await expire()
    taken = await store.claim_order(scope, ORDER, "b", SHORT)
    assert (taken.mine, taken.state, taken.taken_over) == (True, "sent", True)
    again = await store.claim_order(scope, ORDER, "b", SHORT)
    assert (again.mine, again.state, again.taken_over) == (True, "sent", True)
    await expire()
    third = await store.claim_order(scope, ORDER, "c", LONG)
    assert (third.state, third.taken_over) == ("sent", True)
    resent = await store.mark_sent(scope, third, "c")
    assert (resent.state, resent.taken_over) == ("sent", False)


async def test_what_the_vendor_answered_is_kept_although_the_lease_ran_out_meanwhile(
    store: FullStore, scope: Scope
) -> None:
    claim = await store.claim_order(scope, ORDER, "a", SHORT)
    await store.mark_sent(scope, claim, "a")
    await expire()
    assert (await store.remember_part(scope, claim, "a", "deal", "9")).parts == {"deal": "9"}
    assert (await store.finish_order(scope, claim, "a", "done", {"ok": True})).state == "done"


async def test_parts_are_remembered_across_release_and_take_over(store: FullStore, scope: Scope) -> None:
    claim = await store.claim_order(scope, ORDER, "a", SHORT)
    claim = await store.remember_part(scope, claim, "a", "contact", "1")
    claim = await store.remember_part(scope, claim, "a", "dé al", "2")
    assert claim.parts == {"contact": "1", "dé al": "2"}
    await expire()
    taken = await store.claim_order(scope, ORDER, "b", LONG)
    assert taken.parts == claim.parts
    await store.release_order(scope, taken, "b")
    assert (await store.claim_order(scope, ORDER, "c", LONG)).parts == claim.parts


async def test_a_released_order_is_free_at_once_and_was_never_sent(store: FullStore, scope: Scope) -> None:
    claim = await store.claim_order(scope, ORDER, "a", LONG)
    await store.mark_sent(scope, claim, "a")
    await store.release_order(scope, claim, "a")
    taken = await store.claim_order(scope, ORDER, "b", LONG)
    assert (taken.mine, taken.state, taken.taken_over) == (True, "claimed", False)


async def test_every_step_may_be_repeated_by_who_does_not_know_whether_it_took_effect(
    store: FullStore, scope: Scope
) -> None:
    claim = await store.claim_order(scope, ORDER, "a", LONG)
    sent = await store.mark_sent(scope, claim, "a")
    assert await store.mark_sent(scope, claim, "a") == sent
    part = await store.remember_part(scope, claim, "a", "deal", "1")
    assert await store.remember_part(scope, claim, "a", "deal", "1") == part
    await store.release_order(scope, claim, "a")
    await store.release_order(scope, claim, "a")
    claim = await store.claim_order(scope, ORDER, "a", LONG)
    done = await store.finish_order(scope, claim, "a", "done", {"n": 1})
    assert await store.finish_order(scope, claim, "a", "done", {"n": 1}) == done
    with pytest.raises(Conflict):
        await store.finish_order(scope, claim, "a", "failed", {"n": 1})
    with pytest.raises(Conflict):
        await store.finish_order(scope, claim, "a", "done", {"n": 2})


async def test_steps_of_an_order_that_is_not_there_are_not_found(store: FullStore, scope: Scope) -> None:
    nobody = Claim(samples.named("nobody"), "claimed", mine=True, version=1)
    with pytest.raises(NotFound):
        await store.mark_sent(scope, nobody, "a")
    with pytest.raises(NotFound):
        await store.finish_order(scope, nobody, "a", "done", None)


@pytest.mark.parametrize("seconds", [0, -1, 1e9])
async def test_a_lease_without_an_end_or_a_beginning_is_invalid(store: FullStore, scope: Scope, seconds: float) -> None:
    with pytest.raises(Invalid, match="lease_seconds"):
        await store.claim_order(scope, ORDER, "a", seconds)
