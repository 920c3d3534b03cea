"""CallRail's API as far as recordings go: the recording door with its two steps, and a thin call detail.

`GET /v3/a/{account}/calls/{id}/recording.json` needs `Authorization: Token token="KEY"` and answers one `url`; that
url streams the audio and takes no credential (one that comes along is refused, as signed storage links do).
The link form (`/calls/{id}/recording/redirect?access_key=…`) redirects there. Which call has which recording is told
beforehand; an unknown call is 404. Two names mean trouble: `gone` (the file answers 404) and `not-audio` (it is a
web page).
Source: CallRail API v3, Calls, "Call recording"; 1,000 calls an hour.
"""

from __future__ import annotations

import hashlib
from typing import Any, ClassVar

from aiohttp import web

from ops.sandbox.vendor_http import HttpVendor
from ops.sandbox.world import JsonObject, RollingWindow, World

GONE = "gone"
NOT_AUDIO = "not-audio"
_PAGE = b"<!doctype html><html><head><title>Sign in</title></head><body>Please sign in.</body></html>"
_HOUR_S = 3600.0


class CallRail(HttpVendor):
    """State: which call has which recording, and how often each file was fetched."""

    name: ClassVar[str] = "callrail"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._recordings: dict[str, str] = {}
        self._details: dict[str, JsonObject] = {}
        self._fetched: dict[str, dict[str, int]] = {}
        self._windows: dict[str, RollingWindow] = {}

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/v3/a/{account}/calls/{call_id}/recording.json", self._recording),
            web.get(r"/v3/a/{account}/calls/{call_id:[^/.]+}.json", self._call),
            web.get("/calls/{call_id}/recording/redirect", self._link),
            web.get("/recordings/{call_id}/{signature}", self._file),
        ]

    def map_recording(self, call_id: str, name: str, detail: JsonObject | None = None) -> None:
        """Give a call its recording: a name of the index, `gone` or `not-audio`. Raises KeyError otherwise."""
        if name not in (GONE, NOT_AUDIO) and self.world.recordings.by_name(name) is None:
            raise KeyError(name)
        self._recordings[call_id] = name
        self._details[call_id] = dict(detail or {})

    def error(self, status: int, message: str) -> tuple[Any, dict[str, str]]:
        return {"error": message}, {}

    def accounts(self) -> JsonObject:
        return {account: {"recordings_fetched": dict(calls)} for account, calls in self._fetched.items()}

    def snapshot(self) -> JsonObject:
        return {**super().snapshot(), "recordings": dict(self._recordings)}

    def forget(self) -> None:
        self._recordings.clear()
        self._details.clear()
        self._fetched.clear()
        self._windows.clear()

    def _account(self, request: web.Request) -> str:
        scheme, _, rest = request.headers.get("Authorization", "").partition(" ")
        key = rest.strip().removeprefix("token=").strip('"') if scheme.lower() == "token" else ""
        account = self.world.credentials.account(self.name, key)
        if account is None:
            raise self.refuse(401, "HTTP Token: Access denied.")
        window = self._windows.setdefault(account, RollingWindow(_HOUR_S))
        if not window.take(self.world.clock.monotonic(), self.world.limits.callrail_per_hour):
            raise self.refuse(429, "Rate limit exceeded")
        return account

    def _signature(self, account: str, call_id: str) -> str:
        return hashlib.sha256(f"{account}/{call_id}".encode()).hexdigest()[:32]

    async def _recording(self, request: web.Request) -> web.Response:
        account = self._account(request)
        call_id = request.match_info["call_id"]
        if call_id not in self._recordings:
            raise self.refuse(404, "Call recording not found")
        self._fetched.setdefault(account, {}).setdefault(call_id, 0)
        return web.json_response(
            {"url": f"{request.url.origin()}/recordings/{call_id}/{self._signature(account, call_id)}"}
        )

    async def _link(self, request: web.Request) -> web.Response:
        """The link form: the access key in the query stands for the credential."""
        account = self.world.credentials.account(self.name, request.query.get("access_key", ""))
        call_id = request.match_info["call_id"]
        if account is None or call_id not in self._recordings:
            raise self.refuse(404, "Call recording not found")
        self._fetched.setdefault(account, {}).setdefault(call_id, 0)
        signed = f"{request.url.origin()}/recordings/{call_id}/{self._signature(account, call_id)}"
        return web.Response(status=302, headers={"Location": signed})

    async def _call(self, request: web.Request) -> web.Response:
        self._account(request)
        call_id = request.match_info["call_id"]
        if call_id not in self._recordings:
            raise self.refuse(404, "Call not found")
        audio = self.world.recordings.by_name(self._recordings[call_id])
        path = f"/v3/a/{request.match_info['account']}/calls/{call_id}/recording.json"
        known: JsonObject = {
            "id": call_id,
            "answered": audio is not None and len(audio.recording.channels) > 1,
            "direction": "inbound",
            "duration": round(audio.recording.duration_s) if audio is not None else 0,
            "recording": f"{request.url.origin()}{path}",
        }
        return web.json_response({**known, **self._details[call_id]})

    async def _file(self, request: web.Request) -> web.Response:
        if "Authorization" in request.headers:
            raise self.refuse(400, "a signed link takes no Authorization header")
        call_id = request.match_info["call_id"]
        account = next(
            (a for a in self._fetched if self._signature(a, call_id) == request.match_info["signature"]), None
        )
        name = self._recordings.get(call_id)
        if account is None or name is None or name == GONE:
            raise self.refuse(404, "the recording is gone")
        calls = self._fetched[account]
        calls[call_id] = calls.get(call_id, 0) + 1
        if name == NOT_AUDIO:
            return web.Response(body=_PAGE, content_type="text/html")
        audio = self.world.recordings.by_name(name)
        if audio is None:
            raise self.refuse(404, "the recording is gone")
        return web.Response(body=audio.content, content_type=audio.content_type)
