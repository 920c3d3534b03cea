"""HubSpot's CRM API as hubspot-api-client 12.0.0 calls it: objects, batches, properties, associations, account.

Bearer tokens open one portal each. Answers carry the rate-limit headers; above the 10-second or daily limit they
are 429 with `policyName`. A batch whose rows are not all well answers 207 with `errors[]`; a batch of one bad row
answers that row's own status. Search is not served: it lags writes and must not be used to find duplicates.
Source: HubSpot developer documentation (Contacts, Error handling, API usage guidelines); client source for paths.
"""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import NAMESPACE_URL, uuid5

from aiohttp import web

from ops.sandbox.hubspot_batch import do_row, error_row
from ops.sandbox.hubspot_portal import Portal, Record, RowError
from ops.sandbox.hubspot_properties import TYPE_NAMES, Property
from ops.sandbox.vendor_http import ACCOUNT, Handler, HttpVendor, Refused
from ops.sandbox.world import JsonObject, RollingWindow, World

_BATCH_MAX = 100
_TEN_SECONDS, _DAY = 10.0, 86_400.0


class HubSpot(HttpVendor):
    """State: one portal per token."""

    name: ClassVar[str] = "hubspot"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._portals: dict[str, Portal] = {}
        self._windows: dict[str, tuple[RollingWindow, RollingWindow]] = {}
        self._errors = 0

    def routes(self) -> list[web.RouteDef]:
        objects, labels = "/crm/v3/objects/{type}", "/crm/v4/objects/{type}/{id}/associations"
        served = [
            web.get("/account-info/v3/details", self._details),
            web.get("/crm/v3/pipelines/deals", self._pipelines),
            web.get("/crm/v3/properties/{type}", self._properties),
            web.post("/crm/v3/properties/{type}", self._create_property),
            web.get("/crm/v3/properties/{type}/{name}", self._property),
            web.post(objects + "/batch/{action:upsert|read|create|update}", self._batch),
            web.post(objects, self._create),
            web.get(objects, self._list),
            web.get(objects + "/{id}", self._get),
            web.patch(objects + "/{id}", self._update),
            web.delete(objects + "/{id}", self._archive),
            web.put(labels + "/default/{to}/{to_id}", self._associate),
            web.get(labels + "/{to}", self._linked),
            web.post("/crm/v4/associations/{type}/{to}/batch/associate/default", self._associate_many),
        ]
        return [web.route(r.method, r.path, self._guarded(r.handler)) for r in served]

    def error(self, status: int, message: str) -> tuple[Any, dict[str, str]]:
        categories = {401: "INVALID_AUTHENTICATION", 403: "MISSING_SCOPES", 404: "OBJECT_NOT_FOUND", 409: "CONFLICT"}
        category = categories.get(status, "VALIDATION_ERROR" if status < 500 else "INTERNAL_ERROR")
        body = {"status": "error", "message": message, "correlationId": self._correlation(), "category": category}
        if status == 429:
            body = {**body, "errorType": "RATE_LIMIT", "policyName": "TEN_SECONDLY_ROLLING"}
            body["category"] = "RATE_LIMITS"
        return body, {}

    def accounts(self) -> JsonObject:
        return {account: portal.snapshot() for account, portal in self._portals.items()}

    def forget(self) -> None:
        self._portals.clear()
        self._windows.clear()

    def headers_for(self, request: web.Request) -> dict[str, str]:
        account = request.get(ACCOUNT)
        if account is None:
            return {}
        at, limits = self.world.clock.monotonic(), self.world.limits
        rolling, daily = self._windows[account]
        return {
            "X-HubSpot-RateLimit-Max": str(limits.hubspot_per_10s),
            "X-HubSpot-RateLimit-Remaining": str(max(0, limits.hubspot_per_10s - rolling.used(at))),
            "X-HubSpot-RateLimit-Interval-Milliseconds": "10000",
            "X-HubSpot-RateLimit-Daily": str(limits.hubspot_daily),
            "X-HubSpot-RateLimit-Daily-Remaining": str(max(0, limits.hubspot_daily - daily.used(at))),
        }

    def _correlation(self) -> str:
        self._errors += 1
        return str(uuid5(NAMESPACE_URL, f"hubspot-sandbox/{self._errors}"))

    def _portal(self, request: web.Request) -> Portal:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        account = self.world.credentials.account(self.name, token) if scheme.lower() == "bearer" else None
        if account is None:
            raise self.refuse(401, "Authentication credentials not found or invalid.")
        request[ACCOUNT] = account
        windows = self._windows.setdefault(account, (RollingWindow(_TEN_SECONDS), RollingWindow(_DAY)))
        at, limits = self.world.clock.monotonic(), self.world.limits
        for window, limit, policy in (
            (windows[1], limits.hubspot_daily, "DAILY"),
            (windows[0], limits.hubspot_per_10s, "TEN_SECONDLY_ROLLING"),
        ):
            if not window.take(at, limit):
                body, _ = self.error(429, f"You have reached your {policy.lower()} limit.")
                raise Refused(429, {**body, "policyName": policy}, f"limit: {policy}")
        if account not in self._portals:
            portal_id = 40_000_000 + int(uuid5(NAMESPACE_URL, account).hex[:6], 16)
            self._portals[account] = Portal(portal_id, self.world.timestamp)
        return self._portals[account]

    def _type(self, request: web.Request, part: str = "type") -> str:
        given = request.match_info[part].lower()
        return TYPE_NAMES.get(given, given)

    def _row_refused(self, row: RowError) -> Refused:
        body, _ = self.error(row.status, row.message)
        body["category"] = row.category
        if row.details:
            body["errors"] = row.details
        return Refused(row.status, body, row.message)

    def _guarded(self, handler: Handler) -> Handler:
        """The handler, with the portal's refusals turned into HubSpot's error answers."""

        async def handle(request: web.Request) -> web.StreamResponse:
            try:
                return await handler(request)
            except RowError as row:
                raise self._row_refused(row) from None

        return handle

    async def _details(self, request: web.Request) -> web.Response:
        portal = self._portal(request)
        details = {"portalId": portal.portal_id, "accountType": "STANDARD", "timeZone": "US/Central"}
        return web.json_response({**details, "companyCurrency": "USD", "uiDomain": "app.hubspot.com"})

    async def _pipelines(self, request: web.Request) -> web.Response:
        stages = self._portal(request).properties["deals"]["dealstage"].options
        listed = [{"id": stage, "label": stage, "displayOrder": i} for i, stage in enumerate(stages)]
        return web.json_response({"results": [{"id": "default", "label": "Sales Pipeline", "stages": listed}]})

    def _definitions(self, request: web.Request) -> dict[str, Property]:
        known = self._portal(request).properties.get(self._type(request))
        if known is None:
            raise self.refuse(400, f"Unable to infer object type from: {request.match_info['type']}")
        return known

    async def _properties(self, request: web.Request) -> web.Response:
        return web.json_response({"results": [d.document() for d in self._definitions(request).values()]})

    async def _property(self, request: web.Request) -> web.Response:
        definition = self._definitions(request).get(request.match_info["name"])
        if definition is None:
            raise self.refuse(404, f"property {request.match_info['name']} does not exist")
        return web.json_response(definition.document())

    async def _create_property(self, request: web.Request) -> web.Response:
        known, body = self._definitions(request), await self.json_object(request)
        missing = [n for n in ("name", "label", "type", "fieldType", "groupName") if not body.get(n)]
        if missing:
            raise self.refuse(400, f"required fields are missing: {', '.join(missing)}")
        if body["name"] in known:
            raise self.refuse(409, f"A property named {body['name']} already exists.")
        options = tuple(str(option["value"]) for option in body.get("options") or [])
        made = Property(body["name"], body["type"], body.get("hasUniqueValue") is True, options, body["label"], False)
        known[made.name] = made
        return web.json_response(made.document(), status=201)

    async def _create(self, request: web.Request) -> web.Response:
        portal, object_type, body = self._portal(request), self._type(request), await self.json_object(request)
        made = portal.create(object_type, body.get("properties"), body.get("associations"))
        return web.json_response(made.document(), status=201)

    async def _list(self, request: web.Request) -> web.Response:
        portal, object_type = self._portal(request), self._type(request)
        live = [r.document() for r in portal.records.get(object_type, {}).values() if not r.archived]
        return web.json_response({"results": live[: int(request.query.get("limit", "10"))]})

    def _named(self, request: web.Request) -> tuple[Portal, str, Record]:
        portal, object_type = self._portal(request), self._type(request)
        key, by = request.match_info["id"], request.query.get("idProperty")
        return portal, object_type, portal.get(object_type, key, by)

    async def _get(self, request: web.Request) -> web.Response:
        _, _, record = self._named(request)
        wanted = [name for listed in request.query.getall("properties", []) for name in listed.split(",")]
        return web.json_response(record.document(wanted))

    async def _update(self, request: web.Request) -> web.Response:
        portal, object_type, record = self._named(request)
        values = (await self.json_object(request)).get("properties")
        return web.json_response(portal.update(object_type, record, values).document())

    async def _archive(self, request: web.Request) -> web.Response:
        portal, object_type = self._portal(request), self._type(request)
        record = portal.find(object_type, request.match_info["id"])
        if record is not None:
            record.archived = True
        return web.Response(status=204)

    async def _batch(self, request: web.Request) -> web.Response:
        portal, object_type, body = self._portal(request), self._type(request), await self.json_object(request)
        action, inputs = request.match_info["action"], body.get("inputs")
        if not isinstance(inputs, list) or not 1 <= len(inputs) <= _BATCH_MAX:
            raise self.refuse(400, f"inputs must hold 1 to {_BATCH_MAX} rows")
        keys = [(row.get("idProperty"), row.get("id")) for row in inputs if isinstance(row, dict)]
        if action != "create" and (len(keys) != len(inputs) or len(set(keys)) != len(keys)):
            raise self.refuse(400, "Duplicate IDs found in batch input")
        results, errors = [], []
        for row in inputs:
            try:
                results.append(do_row(portal, object_type, action, row, body))
            except RowError as error:
                if len(inputs) == 1 and action != "read":
                    raise
                errors.append(error_row(error, row))
        now = self.world.timestamp()
        answer: JsonObject = {"status": "COMPLETE", "results": results, "startedAt": now, "completedAt": now}
        if not errors:
            return web.json_response(answer, status=201 if action == "create" else 200)
        self.journal.refused(f"batch {action} {object_type}", 207, errors[0]["message"])
        return web.json_response({**answer, "numErrors": len(errors), "errors": errors}, status=207)

    async def _associate(self, request: web.Request) -> web.Response:
        ids = (request.match_info["id"], request.match_info["to_id"])
        return web.json_response(self._associated(request, [ids]))

    async def _associate_many(self, request: web.Request) -> web.Response:
        inputs = (await self.json_object(request)).get("inputs") or []
        return web.json_response(self._associated(request, [(r["from"]["id"], r["to"]["id"]) for r in inputs]))

    def _associated(self, request: web.Request, pairs: list[tuple[str, str]]) -> JsonObject:
        portal, from_type, to_type = self._portal(request), self._type(request), self._type(request, "to")
        results = []
        for from_id, to_id in pairs:
            there, back = portal.associate(from_type, str(from_id), to_type, str(to_id))
            for source, target, number in ((from_id, to_id, there), (to_id, from_id, back)):
                spec = {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": number}
                results.append({"from": {"id": source}, "to": {"id": target}, "associationSpec": spec})
        now = self.world.timestamp()
        return {"status": "COMPLETE", "results": results, "startedAt": now, "completedAt": now}

    async def _linked(self, request: web.Request) -> web.Response:
        portal, from_type, record = self._named(request)
        results = [
            {
                "toObjectId": int(to_id),
                "associationTypes": [{"category": "HUBSPOT_DEFINED", "typeId": t, "label": None} for t in types],
            }
            for to_id, types in portal.linked(from_type, record.id, self._type(request, "to"))
        ]
        return web.json_response({"results": results})
