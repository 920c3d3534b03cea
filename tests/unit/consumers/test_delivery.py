"""The delivery daemon around the effect: what is never tried, and what every failure means for the order."""

from datetime import timedelta
from typing import Any

import pytest

from connectors.crm.seam import (
    AuthBroken,
    ConfigBroken,
    EffectUnknown,
    PermanentRefusal,
    QuotaSpent,
    RateLimited,
    Retryable,
)
from connectors.secrets.seam import SecretMissing, SecretUnavailable
from connectors.store.seam import FullStore, Scope
from consumers import delivery
from consumers.own_parts import LOOKS
from consumers.runtime.seam import Failure, HandlerError, Park, Permanent, Publication, RetryAfter
from schemas import codec
from schemas.delivery import DeliveryOrder
from tests.unit.consumers.house import NOW, TENANT, StillClock, go_live, intake, record_of, tenants_of, told
from tests.unit.consumers.orders import (
    Client,
    Crm,
    Keys,
    Upserter,
    delivery_of,
    later,
    lead_order,
    mail,
    order,
)


class Desk:
    """The daemon, a remote system and a clock."""

    def __init__(self, store: FullStore, clock: StillClock, client: Any = None, secrets: Keys | None = None) -> None:
        self.store, self.clock, self.crm = store, clock, Crm()
        self._client = client
        self._secrets = secrets

    async def handle(self, document: dict[str, Any], **of: Any) -> tuple[Publication, ...]:
        client = self._client or Client(self.crm)
        handler = delivery_of(self.store, await tenants_of(self.store), client, clock=self.clock, secrets=self._secrets)
        return tuple(await delivery.spec(handler).handler(record_of(DeliveryOrder, document, **of)))

    async def ended(self, document: dict[str, Any], **of: Any) -> dict[str, Any]:
        [found] = told(await self.handle(document, **of), "outcomes")
        return found


@pytest.fixture
async def desk(store: FullStore, clock: StillClock) -> Desk:
    return Desk(store, clock)


async def test_a_delivered_step_is_told_with_remote_ids_and_the_next_order(desk: Desk) -> None:
    published = await desk.handle(lead_order(following=(mail("next"),)))
    [ended], [following] = told(published, "outcomes"), told(published, "deliver.email")
    assert (ended["state"], ended["connector_id"], ended["remote_ids"]) == (
        "delivered",
        "pipedrive",
        {"contact": "contact-1", "deal": "deal-2"},
    )
    assert following["results"]["step-1"]["remote_ids"] == ended["remote_ids"]


async def test_a_connector_in_record_mode_is_told_and_not_called(desk: Desk) -> None:
    ended = await desk.ended(lead_order(step={"connector": "paper", "kind": "hubspot"}))
    assert (ended["state"], ended["connector_id"]) == ("recorded", "paper")
    assert "record mode" in ended["reason"]
    assert desk.crm.calls == []


async def test_a_test_lead_reaches_only_connectors_that_take_test_leads(desk: Desk) -> None:
    ended = await desk.ended(lead_order(test=True))
    assert ended["state"] == "recorded"
    assert "test lead" in ended["reason"]
    assert desk.crm.calls == []
    taken = await desk.ended(lead_order(test=True, step={"connector": "tester", "kind": "hubspot"}))
    assert taken["state"] == "delivered"


@pytest.mark.parametrize("document", [order(mail(expires_at=later(0))), lead_order(step={"expires_at": later(-60)})])
async def test_a_step_whose_time_has_passed_expires_without_a_call(desk: Desk, document: dict[str, Any]) -> None:
    ended = await desk.ended(document)
    assert ended["state"] == "expired"
    assert document["step"]["expires_at"][:16] in ended["reason"]
    assert desk.crm.calls == []
    document["step"]["expires_at"] = later(60)
    assert (await desk.ended(document))["state"] == "delivered"  # looking left no claim behind


@pytest.mark.parametrize("client", [Client, Upserter])
@pytest.mark.parametrize("document", [order(mail(expires_at=later(60))), lead_order(step={"expires_at": later(60)})])
async def test_what_was_done_in_time_is_delivered_though_it_is_told_too_late(
    desk: Desk, document: dict[str, Any], client: type[Client]
) -> None:
    desk._client = client(desk.crm)
    await desk.handle(document)
    calls = list(desk.crm.calls)
    desk.clock.time += timedelta(hours=1)
    assert (await desk.ended(document))["state"] == "delivered"
    assert desk.crm.calls == calls


async def test_a_creation_whose_answer_was_lost_in_time_is_looked_up_though_it_is_late(desk: Desk) -> None:
    document = lead_order(step={"expires_at": later(60)})
    desk.crm.lost_answers = 1
    with pytest.raises(RetryAfter):
        await desk.handle(document)
    desk.clock.time += timedelta(hours=1)
    assert (await desk.ended(document))["state"] == "delivered"
    assert len(desk.crm.named("contact")) == 1


async def test_a_connector_that_nobody_names_is_looked_for_again_before_a_person_is_asked(desk: Desk) -> None:
    document = lead_order(step={"connector": "fresh"})
    with pytest.raises(RetryAfter, match="unknown_connector"):
        await desk.handle(document)
    with pytest.raises(Park) as caught:
        await desk.handle(document, attempt=LOOKS)
    assert (caught.value.reason, caught.value.connector_id) == ("unknown_connector", "fresh")


async def test_a_tenant_that_nobody_names_is_looked_for_again_before_a_person_is_asked(
    bare_store: FullStore, clock: StillClock
) -> None:
    desk = Desk(bare_store, clock)
    with pytest.raises(RetryAfter, match="unknown_tenant"):
        await desk.handle(lead_order())
    with pytest.raises(Park, match="unknown_tenant"):
        await desk.handle(lead_order(), attempt=LOOKS)


@pytest.mark.parametrize("change", [{"scope": "twice"}, {"operation": "delete_contact"}])
async def test_a_kind_of_step_from_the_future_waits_for_a_newer_daemon(desk: Desk, change: dict[str, str]) -> None:
    document = lead_order()
    document["step"].update(change)
    with pytest.raises(Park, match="newer_step"):
        await desk.handle(document)
    assert desk.crm.calls == []


HOUR = 3600.0
UNTIL = NOW + timedelta(hours=3)


@pytest.mark.parametrize(
    ("error", "becomes", "expected"),
    [
        (PermanentRefusal("bad e-mail"), Permanent, {"reason": "crm_refused"}),
        (Retryable("reset"), RetryAfter, {"reason": "crm_unavailable", "delay": 10.0, "give_up_after": 2 * HOUR}),
        (EffectUnknown("silence"), RetryAfter, {"reason": "crm_unavailable", "delay": 10.0}),
        (
            RateLimited("slow down", delay=42.0, scope="pipedrive"),
            RetryAfter,
            {"reason": "crm_rate_limited", "delay": 42.0, "give_up_after": 2 * HOUR},
        ),
        (
            QuotaSpent("until tomorrow", until=UNTIL),
            Park,
            {"reason": "crm_quota", "due": UNTIL, "connector_id": "pipedrive"},
        ),
        (AuthBroken("401"), Park, {"reason": "crm_auth_broken", "connector_id": "pipedrive", "due": None}),
        (ConfigBroken("no field x"), Park, {"reason": "crm_config_broken", "connector_id": "pipedrive"}),
    ],
)
async def test_every_failure_of_a_connector_becomes_what_the_runtime_can_act_on(
    desk: Desk, error: Exception, becomes: type[HandlerError], expected: dict[str, Any]
) -> None:
    desk.crm.errors = [error] * 3
    with pytest.raises(becomes) as caught:
        await desk.handle(lead_order(step={"give_up_after_hours": 2.0}))
    assert {name: getattr(caught.value, name) for name in expected} == expected
    assert caught.value.detail.startswith("pipedrive: ")


@pytest.mark.parametrize(
    ("error", "becomes", "reason"),
    [
        (SecretMissing("acme has no HUBSPOT_TOKEN"), Park, "secret_missing"),
        (SecretUnavailable("the manager is away"), RetryAfter, "secret_unavailable"),
    ],
)
async def test_a_secret_that_cannot_be_read_is_no_fault_of_the_lead(
    store: FullStore, clock: StillClock, error: Exception, becomes: type[HandlerError], reason: str
) -> None:
    desk = Desk(store, clock, secrets=Keys(error))
    with pytest.raises(becomes) as caught:
        await desk.handle(lead_order(step={"connector": "hubspot", "kind": "hubspot"}))
    assert caught.value.reason == reason


async def test_settings_that_cannot_work_wait_for_the_tenant(store: FullStore, clock: StillClock) -> None:
    desk = Desk(store, clock, client=ConfigBroken("settings.pipeline: missing", code="settings"))
    with pytest.raises(Park) as caught:
        await desk.handle(lead_order())
    assert (caught.value.reason, caught.value.connector_id) == ("crm_config_broken", "pipedrive")


async def test_no_reason_holds_the_secret(store: FullStore, clock: StillClock) -> None:
    for error in (PermanentRefusal("bad"), AuthBroken("401"), ConfigBroken("x"), Retryable("reset")):
        desk = Desk(store, clock)
        desk.crm.errors = [error] * 3
        with pytest.raises(HandlerError) as caught:
            await desk.handle(lead_order(step={"connector": "hubspot", "kind": "hubspot"}))
        assert "s3cr3t" not in str(caught.value)
        assert "+13125550142" not in str(caught.value)


async def test_a_permanent_refusal_ends_the_step_dead_and_the_chain_goes_on(desk: Desk) -> None:
    document = lead_order(following=(mail("next"),))
    handler = delivery_of(desk.store, await tenants_of(desk.store), Client(desk.crm))
    failure = Failure("crm_refused", "pipedrive: bad e-mail", 0, NOW)
    published = delivery.spec(handler).on_dead(record_of(DeliveryOrder, document), failure)
    [ended], [following] = told(published, "outcomes"), told(published, "deliver.email")
    assert (ended["state"], ended["reason"], ended["last"]) == ("dead", "pipedrive: bad e-mail", False)
    assert following["results"]["step-1"]["state"] == "dead"


async def test_a_refused_mail_is_permanent_the_next_time_too_without_a_call(desk: Desk) -> None:
    desk.crm.errors = [PermanentRefusal("no such mailbox")]
    for _ in range(2):
        with pytest.raises(Permanent, match="no such mailbox"):
            await desk.handle(order(mail()))
    assert desk.crm.calls == ["send"]


async def test_a_rate_limited_order_comes_back_and_is_delivered(desk: Desk) -> None:
    desk.crm.errors = [RateLimited("slow down", delay=1.0, scope="s")]
    with pytest.raises(RetryAfter):
        await desk.handle(order(mail()))
    assert (await desk.ended(order(mail()), attempt=1))["state"] == "delivered"
    assert desk.crm.calls == ["send", "send"]


async def test_a_daemon_may_serve_some_kinds_only(store: FullStore) -> None:
    handler = delivery_of(store, await tenants_of(store), Client(Crm()))
    some = delivery.spec(handler, ("email", "hubspot"))
    assert set(some.topics) == {"deliver.email", "deliver.hubspot"}
    assert some.name == "delivery-email-hubspot"
    assert "deliver.pipedrive" in some.publishes
    assert len(delivery.spec(handler).topics) == 6


async def test_two_tenants_ledgers_do_not_meet(store: FullStore, clock: StillClock) -> None:
    await go_live(store, intake("lakeside"))
    desk = Desk(store, clock)
    document = order(mail())
    await desk.handle(document)
    other = codec.loads(codec.dumps(document).replace(b'"tenant_id":"acme"', b'"tenant_id":"lakeside"'))
    await desk.handle(other)
    assert desk.crm.calls == ["send", "send"]
    claim = await store.claim_order(Scope(TENANT), document["step"]["order_id"], "third", 1.0)
    assert claim.state == "done"
