"""The HubSpot portal, through hubspot-api-client."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from hubspot import HubSpot
from hubspot.crm.contacts.exceptions import ApiException
from urllib3.exceptions import HTTPError

from tests.unit.sandbox.conftest import Running

KEY = "leadbus_contact_id"


@pytest.fixture
def portal(running: Running) -> HubSpot:
    return HubSpot(access_token="sandbox-hubspot-summit", host=running.at.hubspot, retry=False)


async def call(work: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Run a call of the synchronous client beside the loop that serves it."""
    return await asyncio.to_thread(work, *args, **kwargs)


def row(key: str, by: str = KEY, **properties: Any) -> dict[str, Any]:
    return {"id": key, "idProperty": by, "properties": properties, "objectWriteTraceId": f"trace-{key}"}


async def upsert(portal: HubSpot, *rows: dict[str, Any]) -> Any:
    return await call(portal.crm.contacts.batch_api.upsert, {"inputs": list(rows)}, _request_timeout=5)


async def refused(work: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """The client's exception for a call that must be refused."""
    with pytest.raises(Exception, match=r"\(\d{3}\)") as raised:
        await call(work, *args, **kwargs)
    return raised.value


async def test_an_upsert_creates_once_and_then_updates(portal: HubSpot) -> None:
    first = await upsert(portal, row("c-1", email="karen@example.com", firstname="Karen"))
    again = await upsert(portal, row("c-1", lastname="Whitfield"))
    assert first.results[0].new is True
    assert again.results[0].new is False
    assert first.results[0].id == again.results[0].id
    assert first.results[0].object_write_trace_id == "trace-c-1"
    found = await call(
        portal.crm.contacts.basic_api.get_by_id, "c-1", id_property=KEY, properties=["email", "lastname", KEY]
    )
    assert found.properties["email"] == "karen@example.com"
    assert found.properties["lastname"] == "Whitfield"


async def test_an_email_of_another_contact_is_a_conflict_that_names_it(portal: HubSpot) -> None:
    owner = (await upsert(portal, row("c-1", email="Karen@example.com"))).results[0].id
    conflict = await refused(portal.crm.contacts.batch_api.upsert, {"inputs": [row("c-2", email="karen@example.com")]})
    assert conflict.status == 409
    assert f"Existing ID: {owner}" in conflict.body


async def test_a_mixed_batch_answers_207_with_the_row_that_failed(portal: HubSpot) -> None:
    answer = await upsert(portal, row("c-1", firstname="Ann"), row("c-2", no_such_property="x"))
    assert [result.properties["firstname"] for result in answer.results] == ["Ann"]
    assert answer.num_errors == 1
    assert answer.errors[0].context["ids"] == ["c-2"]


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (row("c-1", no_such_property="x"), "PROPERTY_DOESNT_EXIST"),
        (row("c-1", by="no_such_key"), "PROPERTY_DOESNT_EXIST"),
        (row("c-1", by="firstname"), "not a unique property"),
        (row("c-1", lead_score=80), "must be strings"),
        (row("c-1", lead_score="high"), "not a valid number"),
        (row("c-1", email="nobody"), "INVALID_EMAIL"),
        (row("c-1", lifecyclestage="dreaming"), "INVALID_OPTION"),
    ],
)
async def test_bad_rows_are_refused_with_400(portal: HubSpot, bad: dict[str, Any], words: str) -> None:
    answer = await refused(portal.crm.contacts.batch_api.upsert, {"inputs": [bad]})
    assert answer.status == 400
    assert words in answer.body


async def test_the_same_key_twice_in_a_batch_is_refused(portal: HubSpot) -> None:
    answer = await refused(portal.crm.contacts.batch_api.upsert, {"inputs": [row("c-1"), row("c-1")]})
    assert answer.status == 400


async def test_deal_and_note_are_upserted_and_associated(running: Running, portal: HubSpot) -> None:
    contact = (await upsert(portal, row("c-1", email="a@example.com"))).results[0].id
    deal_row = row("r-1", by="leadbus_request_id", dealname="Roof", dealstage="qualifiedtobuy", amount="18000")
    deal = (await call(portal.crm.deals.batch_api.upsert, {"inputs": [deal_row]})).results[0].id
    note_row = row("r-1", by="leadbus_request_id", hs_note_body="Called.", hs_timestamp="2026-03-02T09:14:22Z")
    note = (await call(portal.crm.objects.notes.batch_api.upsert, {"inputs": [note_row]})).results[0].id
    associate = portal.crm.associations.v4.basic_api.create_default
    for _ in range(2):
        await call(associate, "deals", deal, "contacts", contact)
        await call(associate, "notes", note, "contacts", contact)
    linked = await call(portal.crm.associations.v4.basic_api.get_page, "contacts", contact, "deals")
    assert [str(link.to_object_id) for link in linked.results] == [deal]
    assert linked.results[0].association_types[0].type_id == 4
    kept = (await running.state("hubspot"))["accounts"]["summit"]
    assert len(kept["deals"]) == len(kept["notes"]) == 1
    assert len(kept["associations"]) == 4


async def test_a_note_is_created_with_its_associations(portal: HubSpot) -> None:
    contact = (await upsert(portal, row("c-1"))).results[0].id
    to_contact = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 202}]
    note = {
        "properties": {"hs_note_body": "Hello", "hs_timestamp": "1772442862000"},
        "associations": [{"to": {"id": contact}, "types": to_contact}],
    }
    made = await call(portal.crm.objects.notes.basic_api.create, note)
    linked = await call(portal.crm.associations.v4.basic_api.get_page, "notes", made.id, "contacts")
    assert [str(link.to_object_id) for link in linked.results] == [contact]


async def test_reading_a_batch_names_what_is_missing(portal: HubSpot) -> None:
    await upsert(portal, row("c-1", firstname="Ann"))
    body = {"inputs": [{"id": "c-1"}, {"id": "c-9"}], "idProperty": KEY, "properties": ["firstname"]}
    answer = await call(portal.crm.contacts.batch_api.read, body)
    assert [result.properties["firstname"] for result in answer.results] == ["Ann"]
    assert answer.errors[0].context["ids"] == ["c-9"]


async def test_update_by_id_and_missing_records(portal: HubSpot) -> None:
    made = await call(portal.crm.contacts.basic_api.create, {"properties": {"firstname": "Ann"}})
    changed = await call(portal.crm.contacts.basic_api.update, made.id, {"properties": {"lastname": "Lee"}})
    assert changed.properties["lastname"] == "Lee"
    gone = await refused(portal.crm.contacts.basic_api.update, "424242", {"properties": {}})
    assert gone.status == 404


async def test_validation_finds_the_unique_property_and_the_portal(running: Running, portal: HubSpot) -> None:
    found = await call(portal.crm.properties.core_api.get_by_name, "contacts", KEY)
    assert found.has_unique_value is True
    new = {"name": "colour", "label": "Colour", "type": "string", "fieldType": "text", "groupName": "leadbus"}
    await call(portal.crm.properties.core_api.create, "contacts", new)
    await upsert(portal, row("c-1", colour="red"))
    headers = {"Authorization": "Bearer sandbox-hubspot-summit"}
    async with running.http.get(f"{running.at.hubspot}/account-info/v3/details", headers=headers) as answer:
        assert (await answer.json())["portalId"] > 0
        assert answer.headers["X-HubSpot-RateLimit-Max"] == "190"


async def test_an_unknown_token_is_refused_in_hubspots_shape(running: Running) -> None:
    stranger = HubSpot(access_token="stolen", host=running.at.hubspot, retry=False)
    answer = await refused(stranger.crm.contacts.basic_api.get_by_id, "1")
    assert answer.status == 401
    assert "INVALID_AUTHENTICATION" in answer.body
    rejected = (await running.state("hubspot"))["rejected"]
    assert rejected[0]["status"] == 401
    assert "stolen" not in str(rejected)


async def test_two_tokens_never_see_each_others_contacts(running: Running, portal: HubSpot) -> None:
    await upsert(portal, row("c-1", email="a@example.com"))
    other = HubSpot(access_token="sandbox-hubspot-lakeside", host=running.at.hubspot, retry=False)
    answer = await refused(other.crm.contacts.basic_api.get_by_id, "c-1", id_property=KEY)
    assert answer.status == 404


async def test_above_the_ten_second_limit_the_policy_is_named(running: Running, portal: HubSpot) -> None:
    await running.limits(hubspot_per_10s=2)
    await upsert(portal, row("c-1"))
    await upsert(portal, row("c-1"))
    answer = await refused(portal.crm.contacts.batch_api.upsert, {"inputs": [row("c-1")]})
    assert answer.status == 429
    assert "TEN_SECONDLY_ROLLING" in answer.body
    assert answer.headers["X-HubSpot-RateLimit-Remaining"] == "0"


async def test_a_status_fault_keeps_nothing(running: Running, portal: HubSpot) -> None:
    await running.fault(vendor="hubspot", kind="status", status=503, path_prefix="/crm/v3/objects/contacts")
    answer = await refused(portal.crm.contacts.batch_api.upsert, {"inputs": [row("c-1")]})
    assert answer.status == 503
    assert (await running.state("hubspot"))["accounts"] == {}


@pytest.mark.parametrize("kind", ["reset", "reset_after_effect", "half_answer"])
async def test_cut_connections_keep_the_effect_only_when_asked(running: Running, portal: HubSpot, kind: str) -> None:
    await running.fault(vendor="hubspot", kind=kind)
    with pytest.raises((HTTPError, ApiException, AttributeError)):
        await upsert(portal, row("c-1", firstname="Ann"))
    kept = (await running.state("hubspot"))["accounts"].get("summit", {}).get("contacts", [])
    assert len(kept) == (0 if kind == "reset" else 1)
    assert (await upsert(portal, row("c-1"))).results[0].new is (kind == "reset")


async def test_a_delay_fault_holds_the_answer_back(running: Running, portal: HubSpot) -> None:
    await running.fault(vendor="hubspot", kind="delay", seconds=5.0)
    with pytest.raises(HTTPError):
        await call(portal.crm.contacts.batch_api.upsert, {"inputs": [row("c-1")]}, _request_timeout=0.2)
