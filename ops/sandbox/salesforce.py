"""Salesforce's REST API as simple-salesforce 1.12.10 calls it: upsert by External ID, describe, limits, composite.

Errors are arrays of `{message, errorCode, fields}`, an unknown session is 401 INVALID_SESSION_ID, every answer of the
data API carries `Sforce-Limit-Info`, and a spent day is 403 REQUEST_LIMIT_EXCEEDED. The token door takes the
client-credentials grant only. Source: Salesforce REST API Developer Guide.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any, ClassVar

from aiohttp import web

from ops.sandbox.credentials import token_for
from ops.sandbox.salesforce_org import Org, RowRefused
from ops.sandbox.vendor_http import ACCOUNT, Handler, HttpVendor, Refused
from ops.sandbox.world import JsonObject, RollingWindow, World

_COMPOSITE_MAX = 200
_DAY = 86_400.0
_CODES = {
    401: "INVALID_SESSION_ID", 403: "REQUEST_LIMIT_EXCEEDED", 404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED",
    429: "REQUEST_LIMIT_EXCEEDED", 500: "UNKNOWN_EXCEPTION", 503: "SERVER_UNAVAILABLE",
}  # fmt: skip


class Salesforce(HttpVendor):
    """State: one org per session token."""

    name: ClassVar[str] = "salesforce"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._orgs: dict[str, Org] = {}
        self._windows: dict[str, RollingWindow] = {}
        self._tokens_issued = 0

    def routes(self) -> list[web.RouteDef]:
        data = r"/services/data/v{version:\d+\.0}"
        sobject = data + "/sobjects/{sobject}"
        served = [
            web.get(data + "/limits{slash:/?}", self._limits),
            web.get(data + "/query{slash:/?}", self._query),
            web.get(data + "/sobjects", self._describe_global),
            web.get(sobject + "/describe", self._describe),
            web.post(sobject + "{slash:/?}", self._create),
            web.get(sobject + "/{key}", self._get),
            web.patch(sobject + "/{key}", self._update),
            web.delete(sobject + "/{key}", self._delete),
            web.get(sobject + "/{key}/{value}", self._get),
            web.patch(sobject + "/{key}/{value}", self._upsert),
            web.patch(data + "/composite/sobjects/{sobject}/{key}", self._composite_upsert),
            web.post(data + "/composite/sobjects", self._composite_create),
        ]
        guarded = [web.route(r.method, r.path, self._guarded(r.handler)) for r in served]
        return [*guarded, web.post("/services/oauth2/token", self._token)]

    def error(self, status: int, message: str) -> tuple[Any, dict[str, str]]:
        code = _CODES.get(status, "JSON_PARSER_ERROR" if status == 400 else "UNKNOWN_EXCEPTION")
        return [{"message": message, "errorCode": code}], {}

    def accounts(self) -> JsonObject:
        return {
            account: {name: [dict(r) for r in records.values()] for name, records in org.records.items()}
            for account, org in self._orgs.items()
        }

    def forget(self) -> None:
        self._orgs.clear()
        self._windows.clear()

    def headers_for(self, request: web.Request) -> dict[str, str]:
        account = request.get(ACCOUNT)
        if account is None:
            return {}
        used = self._windows[account].used(self.world.clock.monotonic())
        return {"Sforce-Limit-Info": f"api-usage={used}/{self.world.limits.salesforce_daily}"}

    def _guarded(self, handler: Handler) -> Handler:
        """The handler, with the org's refusals turned into Salesforce's error answers."""

        async def handle(request: web.Request) -> web.StreamResponse:
            try:
                return await handler(request)
            except RowRefused as row:
                body = {"message": row.message, "errorCode": row.code, "fields": row.fields}
                raise Refused(row.status, [body], f"{row.code}: {row.message}") from None

        return handle

    def _org(self, request: web.Request) -> Org:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        known = scheme.lower() in ("bearer", "oauth")
        account = self.world.credentials.account(self.name, token) if known else None
        if account is None:
            raise self.refuse(401, "Session expired or invalid")
        request[ACCOUNT] = account
        window = self._windows.setdefault(account, RollingWindow(_DAY))
        if not window.take(self.world.clock.monotonic(), self.world.limits.salesforce_daily):
            raise self.refuse(403, "TotalRequests Limit exceeded.")
        return self._orgs.setdefault(account, Org(self.world.timestamp))

    async def _token(self, request: web.Request) -> web.Response:
        form = await request.post()
        if form.get("grant_type") != "client_credentials":
            body = {"error": "unsupported_grant_type", "error_description": "grant type not supported"}
            raise Refused(400, body, "only the client-credentials grant is served")
        client_id, secret = str(form.get("client_id", "")), str(form.get("client_secret", ""))
        account = self.world.credentials.account_of_client(self.name, client_id, secret)
        if account is None:
            body = {"error": "invalid_client", "error_description": "invalid client credentials"}
            raise Refused(400, body, "unknown client id or secret")
        self._tokens_issued += 1
        answer = {"access_token": f"{token_for(self.name, account)}!{self._tokens_issued}", "scope": "api"}
        issued = str(int(self.world.clock.now().timestamp() * 1000))
        return web.json_response({**answer, "instance_url": self.base_url, "token_type": "Bearer", "issued_at": issued})

    async def _limits(self, request: web.Request) -> web.Response:
        self._org(request)
        used = self._windows[request[ACCOUNT]].used(self.world.clock.monotonic())
        daily = self.world.limits.salesforce_daily
        return web.json_response({"DailyApiRequests": {"Max": daily, "Remaining": max(0, daily - used)}})

    async def _query(self, request: web.Request) -> web.Response:
        rows = self._org(request).query(request.query.get("q", ""))
        return web.json_response({"totalSize": len(rows), "done": True, "records": rows})

    async def _describe_global(self, request: web.Request) -> web.Response:
        listed = [{"name": name, "createable": True} for name in self._org(request).schema]
        return web.json_response({"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": listed})

    async def _describe(self, request: web.Request) -> web.Response:
        name = request.match_info["sobject"]
        fields = [field.document() for field in self._org(request).fields(name).values()]
        return web.json_response({"name": name, "createable": True, "updateable": True, "fields": fields})

    async def _create(self, request: web.Request) -> web.Response:
        org, values = self._org(request), await self.json_object(request)
        record_id = org.create(request.match_info["sobject"], values)
        return web.json_response({"id": record_id, "success": True, "errors": []}, status=201)

    def _found(self, request: web.Request) -> tuple[Org, str, JsonObject]:
        """The record that the path names by Id, or by External ID field and value."""
        org, match = self._org(request), request.match_info
        by_id = "value" not in match
        field, value = ("Id", match["key"]) if by_id else (match["key"], match["value"])
        record = org.by_key(match["sobject"], field, value)
        if record is None:
            raise RowRefused(404, "NOT_FOUND", "The requested resource does not exist")
        return org, match["sobject"], record

    async def _get(self, request: web.Request) -> web.Response:
        org, sobject, record = self._found(request)
        wanted = [name for name in request.query.get("fields", "").split(",") if name]
        return web.json_response(org.document(sobject, record, wanted))

    async def _update(self, request: web.Request) -> web.Response:
        org, sobject, record = self._found(request)
        org.update(sobject, record, await self.json_object(request))
        return web.Response(status=204)

    async def _delete(self, request: web.Request) -> web.Response:
        org, sobject, record = self._found(request)
        del org.records[sobject][record["Id"]]
        return web.Response(status=204)

    async def _upsert(self, request: web.Request) -> web.Response:
        org, values, match = self._org(request), await self.json_object(request), request.match_info
        key = match["key"]
        if key.lower() in {name.lower() for name in values}:
            message = f"The {key} field should not be specified in the sobject data."
            raise RowRefused(400, "INVALID_FIELD", message, [key])
        record_id, created = org.upsert(match["sobject"], key, match["value"], values)
        answer = {"id": record_id, "success": True, "errors": [], "created": created}
        return web.json_response(answer, status=201 if created else 200)

    async def _composite_upsert(self, request: web.Request) -> web.Response:
        org, body, match = self._org(request), await self.json_object(request), request.match_info
        key, sobject = match["key"], match["sobject"]
        records = _records(body)
        values = [str(record.get(key, "")) for record in records]
        results: list[JsonObject] = []
        before = deepcopy(org.records)
        for record, value in zip(records, values, strict=True):
            fields = {n: v for n, v in record.items() if n not in ("attributes", key)}
            try:
                if not value:
                    raise RowRefused(400, "MISSING_ARGUMENT", f"{key} not specified", [key])
                if values.count(value) > 1:
                    raise RowRefused(400, "DUPLICATE_VALUE", f"Duplicate external id specified: {value}", [key])
                record_id, created = org.upsert(sobject, key, value, fields)
                results.append({"id": record_id, "success": True, "errors": [], "created": created})
            except RowRefused as row:
                results.append(_failed(row))
        return web.json_response(_all_or_none(org, before, body, results))

    async def _composite_create(self, request: web.Request) -> web.Response:
        org, body = self._org(request), await self.json_object(request)
        results: list[JsonObject] = []
        before = deepcopy(org.records)
        for record in _records(body):
            fields = {n: v for n, v in record.items() if n != "attributes"}
            try:
                record_id = org.create(str((record.get("attributes") or {}).get("type")), fields)
                results.append({"id": record_id, "success": True, "errors": []})
            except RowRefused as row:
                results.append(_failed(row))
        return web.json_response(_all_or_none(org, before, body, results))


def _records(body: JsonObject) -> list[JsonObject]:
    records = body.get("records")
    if not isinstance(records, list) or not 1 <= len(records) <= _COMPOSITE_MAX:
        raise RowRefused(400, "INVALID_INPUT", f"records must hold 1 to {_COMPOSITE_MAX} objects")
    return records


def _failed(row: RowRefused) -> JsonObject:
    return {
        "success": False,
        "errors": [{"statusCode": row.code, "message": row.message, "fields": row.fields}],
    }


def _all_or_none(org: Org, before: dict[str, Any], body: JsonObject, results: list[JsonObject]) -> list[JsonObject]:
    """The results; with allOrNone and a failed row, everything is taken back."""
    if body.get("allOrNone") is not True or all(r["success"] for r in results):
        return results
    org.records = before
    rolled_back = RowRefused(400, "ALL_OR_NONE_OPERATION_ROLLED_BACK", "another row of this call failed")
    return [_failed(rolled_back) if r["success"] else r for r in results]
