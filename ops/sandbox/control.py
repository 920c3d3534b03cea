"""The control door: what the sandbox keeps, as JSON, and what a test or demo may ask of it.

`GET /state[/{vendor}]`, `POST /faults`, `GET /faults`, `DELETE /faults`, `POST /reset`, `POST /recordings`
(`{"call_id", "name", "detail"?}`), `POST /limits` (any of `SandboxLimits`), `GET /healthz`. It needs no
credential: it listens on loopback and holds test data only. Bad orders are answered 422 with the reason.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Protocol

from aiohttp import web
from pydantic import ValidationError

from ops.sandbox.callrail import CallRail
from ops.sandbox.faults import Fault
from ops.sandbox.world import JsonObject, SandboxLimits, World


class Vendor(Protocol):
    """What the door needs of a vendor."""

    def snapshot(self) -> JsonObject:
        """All that is kept, with calls and refusals."""
        ...

    def reset(self) -> None:
        """Forget everything."""
        ...


class ControlDoor:
    """Serves the control paths for a set of vendors."""

    def __init__(self, world: World, vendors: Mapping[str, Vendor], callrail: CallRail) -> None:
        self._world = world
        self._vendors = vendors
        self._callrail = callrail
        self._runner: web.AppRunner | None = None

    async def start(self, host: str, port: int) -> str:
        """Serve on `host:port` (port 0 picks a free one) and return the base URL."""
        app = web.Application()
        app.add_routes(
            [
                web.get("/healthz", self._healthz),
                web.get("/state", self._state),
                web.get("/state/{vendor}", self._state_of),
                web.get("/faults", self._pending),
                web.post("/faults", self._add_fault),
                web.delete("/faults", self._clear_faults),
                web.post("/reset", self._reset),
                web.post("/recordings", self._recordings),
                web.post("/limits", self._limits),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()
        bound_host, bound_port = self._runner.addresses[0][:2]
        return f"http://{bound_host}:{bound_port}"

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def state(self) -> JsonObject:
        """Everything kept, by vendor."""
        return {name: vendor.snapshot() for name, vendor in self._vendors.items()}

    def reset(self) -> None:
        """Forget all state and faults. Limits stay."""
        self._world.faults.clear()
        for vendor in self._vendors.values():
            vendor.reset()

    async def _healthz(self, request: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def _state(self, request: web.Request) -> web.Response:
        return web.json_response(self.state())

    async def _state_of(self, request: web.Request) -> web.Response:
        vendor = self._vendors.get(request.match_info["vendor"])
        if vendor is None:
            return _bad(404, f"no such vendor; there are {', '.join(self._vendors)}")
        return web.json_response(vendor.snapshot())

    async def _pending(self, request: web.Request) -> web.Response:
        return web.json_response([fault.model_dump() for fault in self._world.faults.pending()])

    async def _add_fault(self, request: web.Request) -> web.Response:
        try:
            self._world.faults.add(Fault.model_validate_json(await request.read()))
        except ValidationError as problem:
            return _bad(422, _words(problem))
        return web.json_response({"pending": len(self._world.faults.pending())}, status=201)

    async def _clear_faults(self, request: web.Request) -> web.Response:
        self._world.faults.clear()
        return web.Response(status=204)

    async def _reset(self, request: web.Request) -> web.Response:
        self.reset()
        return web.Response(status=204)

    async def _recordings(self, request: web.Request) -> web.Response:
        body = await _object(request)
        call_id, name = body.get("call_id"), body.get("name")
        if not isinstance(call_id, str) or not isinstance(name, str):
            return _bad(422, "call_id and name must be strings")
        try:
            self._callrail.map_recording(call_id, name, body.get("detail"))
        except KeyError:
            known = ", ".join(self._world.recordings.names())
            return _bad(422, f"no recording is called {name!r}; there are {known}, and gone, not-audio")
        return web.json_response({"call_id": call_id, "name": name}, status=201)

    async def _limits(self, request: web.Request) -> web.Response:
        try:
            changed = SandboxLimits(**{**self._world.limits.model_dump(), **await _object(request)})
        except ValidationError as problem:
            return _bad(422, _words(problem))
        self._world.limits = changed
        return web.json_response(changed.model_dump())


async def _object(request: web.Request) -> JsonObject:
    try:
        body: Any = json.loads(await request.read())
    except ValueError:
        body = None
    return body if isinstance(body, dict) else {}


def _bad(status: int, reason: str) -> web.Response:
    return web.json_response({"error": reason}, status=status)


def _words(problem: ValidationError) -> str:
    return "; ".join(f"{'.'.join(map(str, e['loc'])) or 'body'}: {e['msg']}" for e in problem.errors())
