"""Pipedrive's API where a lead needs it: v2 persons and search, v1 leads, notes, fields and users/me.

`x-api-token` (or an OAuth bearer) opens one company. Every call spends daily tokens (v2 costs: write 5, get 1,
list 10, search 20) and a place in the 2-second burst window; above either it is 429. `x-ratelimit-*` headers tell
what is left, `-reset` in seconds. Search lags writes. Source: Pipedrive "Rate limiting", API reference v1 and v2.
"""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any, ClassVar

from aiohttp import web

from ops.sandbox.pipedrive_answers import field_v1, field_v2, matching, ok, page, search_item, zoned_time
from ops.sandbox.pipedrive_company import LEAD_LABELS, Company, Invalid
from ops.sandbox.vendor_http import ACCOUNT, Handler, HttpVendor, Refused
from ops.sandbox.world import JsonObject, RollingWindow, World

_BURST_S, _DAY_S = 2.0, 86_400.0
_WRITE, _GET, _LIST, _SEARCH = 5, 1, 10, 20
_CODES = {400: "ERR_SCHEMA_VALIDATION_FAILED", 404: "ERR_NOT_FOUND", 401: "ERR_UNAUTHORIZED"}
_KINDS = {"person": "personFields", "deal": "dealFields"}


class Pipedrive(HttpVendor):
    """State: one company per token."""

    name: ClassVar[str] = "pipedrive"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._companies: dict[str, Company] = {}
        self._windows: dict[str, tuple[RollingWindow, RollingWindow, RollingWindow]] = {}

    def routes(self) -> list[web.RouteDef]:
        return [route for root in ("", "/api") for route in self._routes_under(root)]

    def _routes_under(self, root: str) -> list[web.RouteDef]:
        v1, v2 = f"{root}/v1", f"{root}/v2"
        served = [
            web.get(v1 + "/users/me", self._me),
            web.get(v2 + "/persons/search", self._search("person")),
            web.get(v2 + "/leads/search", self._search("lead")),
            web.post(v2 + "/persons", self._create_person),
            web.get(v2 + "/persons", self._list_persons),
            web.get(v2 + r"/persons/{id:\d+}", self._get_person),
            web.patch(v2 + r"/persons/{id:\d+}", self._update_person),
            web.delete(v2 + r"/persons/{id:\d+}", self._delete_person),
            web.post(v1 + "/leads", self._create_lead),
            web.get(v1 + "/leads", self._list_leads),
            web.get(v1 + "/leads/{id}", self._get_lead),
            web.patch(v1 + "/leads/{id}", self._update_lead),
            web.delete(v1 + "/leads/{id}", self._delete_lead),
            web.get(v1 + "/leadLabels", self._lead_labels),
            web.post(v1 + "/notes", self._create_note),
            web.get(v1 + "/notes", self._list_notes),
            web.put(v1 + r"/notes/{id:\d+}", self._update_note),
        ]
        for object_type, path in _KINDS.items():
            served += [
                web.get(f"{v1}/{path}", self._fields(object_type, field_v1)),
                web.get(f"{v2}/{path}", self._fields(object_type, field_v2)),
                web.post(f"{v1}/{path}", self._create_field(object_type)),
            ]
        return [web.route(r.method, r.path, self._guarded(r.handler)) for r in served]

    def error(self, status: int, message: str) -> tuple[Any, dict[str, str]]:
        body: JsonObject = {"success": False, "error": message, "error_info": "Please check developers.pipedrive.com"}
        if status in _CODES:
            body["code"] = _CODES[status]
        if status == 401:
            body["errorCode"] = 401
        headers = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "2"} if status == 429 else {}
        return body, headers

    def accounts(self) -> JsonObject:
        return {account: company.snapshot() for account, company in self._companies.items()}

    def forget(self) -> None:
        self._companies.clear()
        self._windows.clear()

    def headers_for(self, request: web.Request) -> dict[str, str]:
        account = request.get(ACCOUNT)
        if account is None:
            return {}
        at, limits = self.world.clock.monotonic(), self.world.limits
        burst, _, daily = self._windows[account]
        return {
            "x-ratelimit-limit": str(limits.pipedrive_burst_per_2s),
            "x-ratelimit-remaining": str(max(0, limits.pipedrive_burst_per_2s - burst.used(at))),
            "x-ratelimit-reset": str(math.ceil(burst.free_in(at))),
            "x-daily-ratelimit-token-remaining": str(max(0, limits.pipedrive_daily_tokens - daily.used(at))),
        }

    def _guarded(self, handler: Handler) -> Handler:
        """The handler, with invalid data and missing records turned into Pipedrive's answers."""

        async def handle(request: web.Request) -> web.StreamResponse:
            try:
                return await handler(request)
            except Invalid as problem:
                raise self.refuse(400, f"Validation failed: {problem}") from None
            except KeyError:
                raise self.refuse(404, "not found") from None

        return handle

    def _company(self, request: web.Request, cost: int) -> Company:
        scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
        token = request.headers.get("x-api-token") or (bearer if scheme.lower() == "bearer" else "")
        account = self.world.credentials.account(self.name, token)
        if account is None:
            raise self.refuse(401, "unauthorized access")
        request[ACCOUNT] = account
        windows = self._windows.setdefault(
            account, (RollingWindow(_BURST_S), RollingWindow(_BURST_S), RollingWindow(_DAY_S))
        )
        at, limits = self.world.clock.monotonic(), self.world.limits
        if not windows[2].take(at, limits.pipedrive_daily_tokens, cost):
            raise self._too_many("daily token budget is spent", {"x-daily-ratelimit-token-remaining": "0"})
        burst_ok = windows[0].take(at, limits.pipedrive_burst_per_2s)
        search_ok = cost != _SEARCH or windows[1].take(at, limits.pipedrive_search_per_2s)
        if not (burst_ok and search_ok):
            raise self._too_many("request over limit", {})
        if account not in self._companies:
            self._companies[account] = Company(account, self.world.timestamp, self.world.clock.monotonic)
        return self._companies[account]

    def _too_many(self, message: str, headers: dict[str, str]) -> Refused:
        body, usual = self.error(429, message)
        return Refused(429, body, message, {**usual, **headers})

    async def _me(self, request: web.Request) -> web.Response:
        company = self._company(request, _GET)
        me = {"id": 1, "name": "Sandbox User", "email": "user@example.com", "active_flag": True}
        belongs = {"company_id": company.company_id, "company_name": company.account, "company_country": "US"}
        return ok({**me, **belongs, "company_domain": company.account})

    def _search(self, object_type: str) -> Handler:
        async def search(request: web.Request) -> web.StreamResponse:
            company, query = self._company(request, _SEARCH), request.query
            term, exact = query.get("term", ""), query.get("exact_match") in ("true", "1")
            if len(term) < (1 if exact else 2):
                raise Invalid("term: must have at least 2 characters, or 1 with exact_match")
            fields = {name.strip() for name in query.get("fields", "").split(",") if name.strip()}
            found = company.search(object_type, term, fields, exact, self.world.limits.pipedrive_search_lag_s)
            items = [{"result_score": 1.0, "item": search_item(object_type, document)} for document in found]
            return ok({"items": items}, additional_data={"next_cursor": None})

        return search

    async def _create_person(self, request: web.Request) -> web.Response:
        company = self._company(request, _WRITE)
        return ok(company.write_person(await self.json_object(request)), status=201)

    async def _update_person(self, request: web.Request) -> web.Response:
        company = self._company(request, _WRITE)
        return ok(company.write_person(await self.json_object(request), int(request.match_info["id"])))

    async def _get_person(self, request: web.Request) -> web.Response:
        return ok(self._company(request, _GET).persons[int(request.match_info["id"])])

    async def _delete_person(self, request: web.Request) -> web.Response:
        person = self._company(request, _WRITE).persons.pop(int(request.match_info["id"]))
        return ok({"id": person["id"]})

    async def _list_persons(self, request: web.Request) -> web.Response:
        persons = list(self._company(request, _LIST).persons.values())
        since = request.query.get("updated_since")
        if since is not None:
            start = zoned_time(since)
            persons = [p for p in persons if datetime.fromisoformat(p["update_time"]) >= start]
        if "ids" in request.query:
            ids = set(request.query["ids"].split(","))
            persons = [p for p in persons if str(p["id"]) in ids]
        return page(request, persons, "next_cursor")

    async def _create_lead(self, request: web.Request) -> web.Response:
        company = self._company(request, _WRITE)
        return ok(company.write_lead(await self.json_object(request)), status=201)

    async def _update_lead(self, request: web.Request) -> web.Response:
        company = self._company(request, _WRITE)
        return ok(company.write_lead(await self.json_object(request), request.match_info["id"]))

    async def _get_lead(self, request: web.Request) -> web.Response:
        return ok(self._company(request, _GET).leads[request.match_info["id"]])

    async def _delete_lead(self, request: web.Request) -> web.Response:
        return ok({"id": self._company(request, _WRITE).leads.pop(request.match_info["id"])["id"]})

    async def _list_leads(self, request: web.Request) -> web.Response:
        leads = matching(list(self._company(request, _LIST).leads.values()), request, ("person_id", "organization_id"))
        return page(request, leads, "start")

    async def _lead_labels(self, request: web.Request) -> web.Response:
        self._company(request, _LIST)
        return ok([{"id": f"00000000-0000-4000-8000-{n:012d}", "name": name} for n, name in enumerate(LEAD_LABELS)])

    async def _create_note(self, request: web.Request) -> web.Response:
        company = self._company(request, _WRITE)
        return ok(company.write_note(await self.json_object(request)), status=201)

    async def _update_note(self, request: web.Request) -> web.Response:
        company = self._company(request, _WRITE)
        return ok(company.write_note(await self.json_object(request), int(request.match_info["id"])))

    async def _list_notes(self, request: web.Request) -> web.Response:
        notes = list(self._company(request, _LIST).notes.values())
        return page(request, matching(notes, request, ("lead_id", "person_id", "deal_id")), "start")

    def _fields(self, object_type: str, shape: Any) -> Handler:
        async def fields(request: web.Request) -> web.StreamResponse:
            return ok([shape(field) for field in self._company(request, _LIST).fields(object_type)])

        return fields

    def _create_field(self, object_type: str) -> Handler:
        async def create(request: web.Request) -> web.StreamResponse:
            company, body = self._company(request, _WRITE), await self.json_object(request)
            if not body.get("name") or not body.get("field_type"):
                raise Invalid("name and field_type are required")
            return ok(field_v1(company.add_field(object_type, body["name"], body["field_type"])), status=201)

        return create
