"""What all HTTP vendors of the sandbox share: serving, counting, refusing in the vendor's shape, and faults.

A vendor module subclasses `HttpVendor`, names its routes and its error shape, and raises `Refused` where the real
service would refuse. Cutting a connection sends a TCP reset, as a crashed front end would.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, ClassVar

from aiohttp import web

from ops.sandbox.faults import Fault
from ops.sandbox.journal import Journal
from ops.sandbox.world import JsonObject, World

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
BODY_LIMIT_BYTES = 32 * 1024 * 1024
# The account that a request was let in for; absent when it was refused.
ACCOUNT = web.RequestKey("account", str)


class Refused(Exception):
    """The vendor says no. `body` is its error document, `reason` the words for the journal."""

    def __init__(self, status: int, body: Any, reason: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.body = body
        self.reason = reason
        self.headers = dict(headers or {})


class HttpVendor(ABC):
    """One vendor on one port. Subclasses keep their state per account, so tenants never mix."""

    name: ClassVar[str]

    def __init__(self, world: World) -> None:
        self.world = world
        self.journal = Journal()
        self.base_url = ""
        self._runner: web.AppRunner | None = None

    @abstractmethod
    def routes(self) -> list[web.RouteDef]:
        """Every path the vendor serves."""

    @abstractmethod
    def error(self, status: int, message: str) -> tuple[Any, dict[str, str]]:
        """The vendor's error body and headers for a general failure."""

    @abstractmethod
    def accounts(self) -> JsonObject:
        """All that is kept, by account."""

    @abstractmethod
    def forget(self) -> None:
        """Drop everything that is kept."""

    def headers_for(self, request: web.Request) -> dict[str, str]:
        """Headers that every answer carries, such as rate-limit counters."""
        return {}

    def snapshot(self) -> JsonObject:
        return {"accounts": self.accounts(), **self.journal.snapshot()}

    def reset(self) -> None:
        self.forget()
        self.journal.reset()

    def refuse(self, status: int, message: str) -> Refused:
        """A refusal in the vendor's general error shape."""
        body, headers = self.error(status, message)
        return Refused(status, body, message, headers)

    async def json_object(self, request: web.Request) -> JsonObject:
        """The request's body as a JSON object; refused with 400 when it is something else."""
        body = await self.json_value(request)
        if not isinstance(body, dict):
            raise self.refuse(400, "the body must be a JSON object")
        return body

    async def json_value(self, request: web.Request) -> Any:
        """The request's body as JSON; refused with 400 when it is not JSON."""
        try:
            return json.loads(await request.read())
        except ValueError:
            raise self.refuse(400, "the body is not JSON") from None

    async def start(self, host: str, port: int) -> str:
        """Serve on `host:port` (port 0 picks a free one) and return the base URL."""
        app = web.Application(middlewares=[self._middleware], client_max_size=BODY_LIMIT_BYTES)
        app.add_routes(self.routes())
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()
        bound_host, bound_port = self._runner.addresses[0][:2]
        self.base_url = f"http://{bound_host}:{bound_port}"
        return self.base_url

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    @web.middleware
    async def _middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        resource = request.match_info.route.resource
        pattern = resource.canonical if resource is not None else "(unknown path)"
        call = f"{request.method} {pattern}"
        self.journal.called(call)
        fault = self.world.faults.take(self.name, request.method, request.path)
        if fault is not None:
            if fault.kind == "delay":
                await asyncio.sleep(fault.seconds)
            elif fault.kind == "reset":
                return _cut(request)
            elif fault.kind == "status":
                return self._answer_fault(call, fault)
        response = await self._answer(call, request, handler)
        if fault is not None and fault.kind == "reset_after_effect":
            return _cut(request)
        if fault is not None and fault.kind == "half_answer":
            return await _half(request, response)
        return response

    async def _answer(self, call: str, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            response = await handler(request)
        except Refused as refusal:
            self.journal.refused(call, refusal.status, refusal.reason)
            response = _json(refusal.status, refusal.body, refusal.headers)
        except web.HTTPRequestEntityTooLarge:
            response = self._plain_refusal(call, 413, "the body is too large")
        except web.HTTPNotFound:
            response = self._plain_refusal(call, 404, f"no such path: {request.path}")
        except web.HTTPMethodNotAllowed:
            response = self._plain_refusal(call, 405, f"{request.method} is not served on {request.path}")
        for name, value in self.headers_for(request).items():
            response.headers.setdefault(name, value)
        return response

    def _plain_refusal(self, call: str, status: int, message: str) -> web.Response:
        self.journal.refused(call, status, message)
        body, headers = self.error(status, message)
        return _json(status, body, headers)

    def _answer_fault(self, call: str, fault: Fault) -> web.Response:
        status = fault.status if isinstance(fault.status, int) else 503
        body, headers = self.error(status, "the sandbox was asked to fail this call")
        self.journal.refused(call, status, "fault on request")
        return _json(status, body if fault.body is None else fault.body, {**headers, **fault.headers})


def _json(status: int, body: Any, headers: Mapping[str, str]) -> web.Response:
    if isinstance(body, str):
        kind = "text/html" if body.lstrip().startswith("<") else "text/plain"
        return web.Response(status=status, text=body, content_type=kind, headers=headers)
    return web.json_response(body, status=status, headers=headers)


def _cut(request: web.Request) -> web.Response:
    """Cut the connection with a TCP reset; the returned response goes nowhere."""
    transport = request.transport
    if transport is not None:
        raw = transport.get_extra_info("socket")
        if raw is not None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    return web.Response()


async def _half(request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
    """Promise the whole body, send half of it, and cut."""
    body = response.body if isinstance(response, web.Response) else None
    content = bytes(body) if isinstance(body, bytes | bytearray) else b""
    partial = web.StreamResponse(status=response.status)
    partial.content_type = response.content_type
    # An empty body has no half: promise one byte that never comes.
    partial.content_length = max(1, len(content))
    await partial.prepare(request)
    if content:
        await partial.write(content[: len(content) // 2])
    # Give the half a chance to leave before the reset discards what is still buffered.
    await asyncio.sleep(0.05)
    _cut(request)
    return partial
