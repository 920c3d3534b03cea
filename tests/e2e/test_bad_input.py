"""What goes wrong at one lead stays there: refusing CRMs, odd models, hostile bodies, documents of the future."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from connectors.bus.producer import KafkaPublisher
from connectors.store.opening import open_store
from connectors.store.seam import FullStore, Scope
from ops.demo.day import AGENCY, ROOFING
from ops.demo.posting import Answer, post_all
from ops.demo.senders import Webhook, form
from ops.demo.watch import Watcher
from ops.stack.house import House
from schemas import codec, identity
from schemas.headers import document_headers
from tests.e2e.conftest import embedded_plan
from tests.unit.ops.leadbus import process

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

Documents = list[tuple[str, dict[str, Any]]]


class Onlooker:
    """Collects every record of every topic."""

    def __init__(self, house: House) -> None:
        self.seen: Documents = []
        self._watcher = Watcher(house.bootstrap, self._add)
        self._watcher.start()

    def _add(self, topic: str, headers: Mapping[str, bytes | None], document: Mapping[str, Any]) -> None:
        if not headers.get("retry_for"):
            self.seen.append((topic, dict(document)))

    def about(self, request_id: str, topic: str) -> list[dict[str, Any]]:
        return [
            document
            for where, document in self.seen
            if where == topic and document.get("envelope", {}).get("request_id") == request_id
        ]

    async def until(self, found: Callable[[], bool], seconds: float = 45.0) -> None:
        async with asyncio.timeout(seconds):
            while not found():  # noqa: ASYNC110 - what is waited for happens in other processes
                await asyncio.sleep(0.05)

    def stop(self) -> None:
        self._watcher.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    folder: Path = tmp_path_factory.mktemp("house-bad-input")
    async with House(embedded_plan(folder)) as running:
        await running.start()
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def onlooker(house: House) -> AsyncIterator[Onlooker]:
    watching = Onlooker(house)
    yield watching
    watching.stop()


async def post(house: House, *webhooks: Webhook) -> list[Answer]:
    return await post_all(house.gateway_url, webhooks, connections=1)


async def order(house: House, fault: Mapping[str, Any]) -> None:
    async with aiohttp.ClientSession() as session:
        answer = await session.post(f"{house.sandbox['control']}/faults", json=fault)
        answer.raise_for_status()


def states(onlooker: Onlooker, request_id: str, *phases: str) -> list[str]:
    """How its steps ended, in some phases or all: either phase may come first, and then writes the other's fields."""
    found = onlooker.about(request_id, "outcomes")
    return [o["state"] for o in found if o["state"] != "duplicate" and (not phases or o["phase"] in phases)]


async def test_a_refusing_crm_sends_one_lead_to_the_dead_letters_with_its_own_words(
    house: House, onlooker: Onlooker
) -> None:
    path = "/crm/v3/objects/contacts/batch/upsert"
    await order(house, {"vendor": "hubspot", "path_prefix": path, "kind": "status", "status": 400, "times": 1})
    [refused] = await post(house, form(ROOFING, {"name": "Refused Lead", "email": "refused@example.test"}, ""))
    [request_id] = refused.request_ids
    await onlooker.until(lambda: "dead" in states(onlooker, request_id))
    [taken] = await post(house, form(ROOFING, {"name": "Taken Lead", "email": "taken@example.test"}, ""))
    [other] = taken.request_ids
    await onlooker.until(lambda: "delivered" in states(onlooker, other))
    dead = next(o for o in onlooker.about(request_id, "outcomes") if o["state"] == "dead")
    assert dead["connector_id"] == "hubspot"
    assert dead["reason"].startswith("hubspot: ")
    assert len(onlooker.about(request_id, "dead-letters")) == 1


async def test_a_lead_that_the_model_answers_badly_twice_goes_on_unscored(house: House, onlooker: Onlooker) -> None:
    text = "Please call me. sandbox:malformed-answer"
    [answer] = await post(house, form(AGENCY, {"name": "Odd One", "email": "odd@example.test", "message": text}, ""))
    [request_id] = answer.request_ids
    await onlooker.until(lambda: bool(onlooker.about(request_id, "analyzed")))
    [analyzed] = onlooker.about(request_id, "analyzed")
    assert (analyzed["analysis"]["state"], analyzed["analysis"]["lead_score"]) == ("unscored", None)
    assert analyzed["analysis"]["reason"] == "answer_outside_schema"
    await onlooker.until(lambda: bool(states(onlooker, request_id, "analyzed")))
    assert set(states(onlooker, request_id)) <= {"delivered", "superseded"}


async def test_one_bad_answer_is_repaired_by_asking_again(house: House, onlooker: Onlooker) -> None:
    text = "I want a website, budget 9,000. sandbox:malformed-answer-once"
    [answer] = await post(house, form(AGENCY, {"name": "Once", "email": "once@example.test", "message": text}, ""))
    [request_id] = answer.request_ids
    await onlooker.until(lambda: bool(onlooker.about(request_id, "analyzed")))
    [analyzed] = onlooker.about(request_id, "analyzed")
    assert analyzed["analysis"]["state"] == "done"
    assert analyzed["analysis"]["repaired"] is True
    assert analyzed["analysis"]["lead_score"] is not None


async def test_a_crm_that_is_away_for_a_moment_gets_the_lead_once(house: House, onlooker: Onlooker) -> None:
    await order(
        house, {"vendor": "hubspot", "path_prefix": "/crm/v3/objects/deals", "kind": "reset_after_effect", "times": 1}
    )
    [answer] = await post(house, form(ROOFING, {"name": "Patient Lead", "email": "patient@example.test"}, ""))
    [request_id] = answer.request_ids
    await onlooker.until(lambda: "delivered" in states(onlooker, request_id))
    async with aiohttp.ClientSession() as session, session.get(f"{house.sandbox['control']}/state/hubspot") as state:
        deals = (await state.json())["accounts"][ROOFING]["deals"]
    assert sum(deal["properties"].get("leadbus_request_id") == request_id for deal in deals) == 1


async def test_a_held_lead_that_a_person_approves_goes_on_in_both_phases(house: House, onlooker: Onlooker) -> None:
    lead = {"name": "Rival", "email": "boss@rival-agency.example.test", "message": "A website, please."}
    [answer] = await post(house, form(AGENCY, lead, ""))
    [request_id] = answer.request_ids
    store = open_store(house.store_url)
    try:
        async with asyncio.timeout(45):
            while len(await held(store, request_id)) < 2:  # noqa: ASYNC110  it happens in another process
                await asyncio.sleep(0.1)
        env = {"LEADBUS_STORE_URL": house.store_url, "LEADBUS_KAFKA_BOOTSTRAP": house.bootstrap}
        chosen = ("--tenant", AGENCY, "--reason", "held_by_rule", "--answer", "approve", "--yes", "--json")
        said = await asyncio.to_thread(process, "ops", "parked", "release", *chosen, **env)
        assert said.returncode == 0, said.stderr
        assert json.loads(said.stdout)["released"] == 2
        await onlooker.until(lambda: states(onlooker, request_id) == ["recorded", "recorded"])
        assert await held(store, request_id) == []
    finally:
        await store.close()
    assert all("approved by a person" in o["reason"] for o in onlooker.about(request_id, "outcomes"))


async def held(store: FullStore, request_id: str) -> list[str]:
    return [row.park_id for row in await store.list_parked(Scope(AGENCY)) if row.request_id == request_id]


async def test_a_body_over_the_cap_is_refused_and_the_next_one_is_taken(house: House) -> None:
    big = form(ROOFING, {"name": "Big", "message": "x" * 600_000}, "")
    small = form(ROOFING, {"name": "Small", "email": "small@example.test"}, "")
    answers = await post(house, big, small)
    assert sorted(answer.status for answer in answers) == [202, 413]


async def test_a_document_with_sections_of_the_future_passes_every_daemon_unharmed(
    house: House, onlooker: Onlooker
) -> None:
    received = datetime.now(UTC).isoformat()
    request_id = identity.request_id(ROOFING, "form", "from the future")
    event_id = identity.event_id(ROOFING, "form", "from the future")
    contact_id = identity.contact_id(ROOFING, phone_e164=None, email="future@example.test", request=request_id)
    future = {"kept": True, "nested": {"deep": [1, 2, 3]}}
    document = {
        "envelope": {
            "tenant_id": ROOFING,
            "office_id": "main",
            "endpoint_id": "form",
            "source": "form",
            "event_kind": "form_submission",
            "mode": "form",
            "event_id": event_id,
            "request_id": request_id,
            "contact_id": contact_id,
            "revision": {"rank": 0, "received_at": received, "event_id": event_id, "branch": future},
            "received_at": received,
            "planet": future,
        },
        "lead": {"name": "Future", "email": "future@example.test", "message": "A quote, please.", "mood": future},
        "raw": {"content_type": "text/plain", "sha256": "0" * 64, "size": 0},
        "weather": future,
    }
    publisher = KafkaPublisher(house.bootstrap, topics=("inbound.messages",))
    await publisher.start()
    try:
        headers = document_headers(
            tenant=ROOFING, request_id=request_id, event_id=event_id, schema="inbound", version="1.9"
        )
        await publisher.publish(
            "inbound.messages", key=request_id.encode(), value=codec.dumps(document), headers=headers
        )
    finally:
        await publisher.close()
    await onlooker.until(lambda: all(states(onlooker, request_id, phase) for phase in ("received", "analyzed")))
    for topic in ("analyzed", "decided", "deliver.hubspot", "outcomes"):
        assert onlooker.about(request_id, topic), topic
        for published in onlooker.about(request_id, topic):
            assert published["envelope"] == document["envelope"], topic
            if topic in ("analyzed", "decided"):
                assert published["weather"] == future
                assert published["lead"]["mood"] == future
    store = open_store(house.store_url)
    try:
        async with asyncio.timeout(15):
            while (await store.get_request(Scope(ROOFING), request_id)).lead_score is None:  # noqa: ASYNC110
                await asyncio.sleep(0.1)
    finally:
        await store.close()
