"""The Pipedrive company, over aiohttp as the connector speaks to it."""

from __future__ import annotations

import re
from typing import Any

import pytest

from ops.sandbox.pipedrive_company import Company
from tests.unit.sandbox.conftest import Running

TOKEN = {"x-api-token": "sandbox-pipedrive-agency"}
KAREN = {"name": "Karen", "emails": [{"value": "karen@example.com", "primary": True, "label": "work"}]}


class SetClock:
    """A clock that stands until it is set."""

    seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds


async def ask(running: Running, method: str, path: str, *, status: int = 200, **options: Any) -> Any:
    """One call; the answer's JSON, when the status is the one expected."""
    options.setdefault("headers", TOKEN)
    async with running.http.request(method, running.at.pipedrive + path, **options) as answer:
        assert answer.status == status, await answer.text()
        return await answer.json()


async def make_person(running: Running, **more: Any) -> dict[str, Any]:
    made: dict[str, Any] = (await ask(running, "POST", "/api/v2/persons", json={**KAREN, **more}, status=201))["data"]
    return made


async def search(running: Running, term: str, **params: str) -> list[dict[str, Any]]:
    query = {"term": term, "exact_match": "true", **params}
    answer = await ask(running, "GET", "/api/v2/persons/search", params=query)
    return [item["item"] for item in answer["data"]["items"]]


async def field_key(running: Running, kind: str, name: str) -> str:
    fields = (await ask(running, "GET", f"/v1/{kind}"))["data"]
    return next(str(field["key"]) for field in fields if field["name"] == name)


async def test_search_sees_a_person_only_after_the_lag(running: Running) -> None:
    person = await make_person(running)
    assert await search(running, "karen@example.com", fields="email") == []
    await running.limits(pipedrive_search_lag_s=0.0)
    found = await search(running, "Karen@Example.com", fields="email")
    assert [(item["id"], item["emails"]) for item in found] == [(person["id"], ["karen@example.com"])]


def test_the_default_lag_passes_with_time() -> None:
    clock = SetClock()
    company = Company("agency", lambda: "2026-03-02T09:00:00Z", clock.monotonic)
    company.write_person(KAREN)
    assert company.search("person", "karen@example.com", {"email"}, exact=True, lag_s=0.3) == []
    clock.seconds = 0.3
    found = company.search("person", "karen@example.com", {"email"}, exact=True, lag_s=0.3)
    assert [person["name"] for person in found] == ["Karen"]


async def test_a_custom_field_has_a_key_of_40_hex_characters_and_can_be_searched(running: Running) -> None:
    await running.limits(pipedrive_search_lag_s=0.0)
    key = await field_key(running, "personFields", "leadbus contact id")
    assert re.fullmatch("[0-9a-f]{40}", key)
    person = await make_person(running, custom_fields={key: "c-1"})
    assert person["custom_fields"][key] == "c-1"
    assert [item["id"] for item in await search(running, "c-1", fields="custom_fields")] == [person["id"]]
    v2 = (await ask(running, "GET", "/api/v2/personFields"))["data"]
    assert key in [field["field_code"] for field in v2]


@pytest.mark.parametrize(
    "bad",
    [
        {"emails": []},
        {"name": "K", "owner_id": "7"},
        {"name": "K", "emails": ["k@example.com"]},
        {"name": "K", "emails": [{"value": "k@example.com", "primary": "true"}]},
        {"name": "K", "email": "k@example.com"},
        {"name": "K", "custom_fields": {"0" * 40: "x"}},
    ],
)
async def test_v2_refuses_wrong_types_and_unknown_fields(running: Running, bad: dict[str, Any]) -> None:
    answer = await ask(running, "POST", "/api/v2/persons", json=bad, status=400)
    assert answer["success"] is False
    assert answer["error"].startswith("Validation failed")


async def test_a_lead_is_created_listed_by_person_and_changed(running: Running) -> None:
    person = await make_person(running)
    key = await field_key(running, "dealFields", "leadbus request id")
    body = {"title": "Website", "person_id": person["id"], "origin_id": "r-1", key: "r-1"}
    lead = (await ask(running, "POST", "/v1/leads", json=body, status=201))["data"]
    listed = (await ask(running, "GET", "/v1/leads", params={"person_id": str(person["id"])}))["data"]
    assert [(found["id"], found["origin_id"], found[key]) for found in listed] == [(lead["id"], "r-1", "r-1")]
    value = {"amount": 1200, "currency": "USD"}
    changed = await ask(running, "PATCH", f"/v1/leads/{lead['id']}", json={"value": value})
    assert changed["data"]["value"] == value
    note = {"content": "Called.", "lead_id": lead["id"]}
    await ask(running, "POST", "/v1/notes", json=note, status=201)
    kept = (await running.state("pipedrive"))["accounts"]["agency"]
    assert [n["content"] for n in kept["notes"]] == ["Called."]


async def test_a_lead_needs_a_title_and_somebody(running: Running) -> None:
    await ask(running, "POST", "/v1/leads", json={"title": "Website"}, status=400)
    person = await make_person(running)
    await ask(running, "POST", "/v1/leads", json={"person_id": person["id"]}, status=400)


async def test_a_person_is_changed_by_id_and_a_missing_one_is_404(running: Running) -> None:
    person = await make_person(running)
    changed = await ask(running, "PATCH", f"/api/v2/persons/{person['id']}", json={"name": "Karen W."})
    assert changed["data"]["name"] == "Karen W."
    assert changed["data"]["emails"] == KAREN["emails"]
    await ask(running, "PATCH", "/api/v2/persons/4242", json={"name": "X"}, status=404)
    listed = await ask(running, "GET", "/api/v2/persons", params={"updated_since": "2020-01-01T00:00:00Z"})
    assert [found["id"] for found in listed["data"]] == [person["id"]]


async def test_users_me_tells_the_company(running: Running) -> None:
    me = (await ask(running, "GET", "/v1/users/me"))["data"]
    assert me["company_id"] > 0


async def test_an_unknown_token_is_401_and_companies_are_apart(running: Running) -> None:
    answer = await ask(running, "GET", "/v1/users/me", headers={"x-api-token": "stolen"}, status=401)
    assert answer["error"] == "unauthorized access"
    await make_person(running)
    other = {"x-api-token": "sandbox-pipedrive-other"}
    assert (await ask(running, "GET", "/api/v2/persons", headers=other))["data"] == []


async def test_tokens_and_burst_are_told_and_kept_to(running: Running) -> None:
    await running.limits(pipedrive_burst_per_2s=2)
    url = f"{running.at.pipedrive}/v1/users/me"
    async with running.http.get(url, headers=TOKEN) as answer:
        assert answer.headers["x-ratelimit-remaining"] == "1"
        assert answer.headers["x-daily-ratelimit-token-remaining"] == "149999"
    await ask(running, "GET", "/v1/users/me")
    async with running.http.get(url, headers=TOKEN) as answer:
        assert answer.status == 429
        assert 0 < int(answer.headers["x-ratelimit-reset"]) <= 2


async def test_searching_has_a_narrower_limit(running: Running) -> None:
    await running.limits(pipedrive_search_per_2s=1)
    await search(running, "karen")
    await ask(running, "GET", "/api/v2/persons/search", params={"term": "karen"}, status=429)


async def test_a_spent_day_shows_no_tokens_left(running: Running) -> None:
    await running.limits(pipedrive_daily_tokens=3)
    async with running.http.post(f"{running.at.pipedrive}/api/v2/persons", headers=TOKEN, json=KAREN) as answer:
        assert answer.status == 429
        assert answer.headers["x-daily-ratelimit-token-remaining"] == "0"
