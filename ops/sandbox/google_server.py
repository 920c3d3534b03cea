"""A gRPC server for Google's APIs: generic handlers around the vendor's own message types, without TLS.

Every unary call must carry the routing header `x-goog-request-params` that names the resource, as the client
libraries send it (on a stream they leave it to the caller). Credentials are optional on a channel without TLS; one
that comes along must be a sandbox token. Faults: `status` with the name of a gRPC code, `delay`, `reset` and
`reset_after_effect` (both UNAVAILABLE, as a lost connection shows to a gRPC caller).
Source: AIP-4222 for the routing header.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

import grpc
import grpc.aio

from ops.sandbox.faults import Fault
from ops.sandbox.journal import Journal
from ops.sandbox.prediction import Prediction
from ops.sandbox.refusal import GrpcRefused
from ops.sandbox.speech import Speech
from ops.sandbox.world import JsonObject, World

_ANY_SIZE = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1), ("grpc.so_reuseport", 0)]


@dataclass(frozen=True)
class Method:
    """One RPC: its handler, its message types, and which request field the routing header must name."""

    handle: Callable[..., Any]
    request: Any
    response: Any
    routing: str
    streaming: bool = False


class Google:
    """Speech V2 and PredictionService on one port. State is kept per project."""

    name = "google"

    def __init__(self, world: World) -> None:
        self.world = world
        self.journal = Journal()
        self.speech = Speech(world)
        self.prediction = Prediction(world)
        self._server: grpc.aio.Server | None = None

    async def start(self, host: str, port: int) -> str:
        """Serve on `host:port` (port 0 picks a free one) and return `host:port`."""
        server = grpc.aio.server(options=_ANY_SIZE)
        services: Mapping[str, Mapping[str, Method]] = {
            "google.cloud.speech.v2.Speech": self.speech.methods(Method),
            "google.cloud.aiplatform.v1.PredictionService": self.prediction.methods(Method),
        }
        for service, methods in services.items():
            handlers = {name: self._handler(f"/{service}/{name}", method) for name, method in methods.items()}
            server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
        bound = server.add_insecure_port(f"{host}:{port}")
        await server.start()
        self._server = server
        return f"{host}:{bound}"

    async def stop(self) -> None:
        if self._server is not None:
            await self._server.stop(grace=0.2)
            self._server = None

    def snapshot(self) -> JsonObject:
        accounts: dict[str, JsonObject] = {}
        for part in (self.speech.accounts(), self.prediction.accounts()):
            for project, kept in part.items():
                accounts.setdefault(project, {}).update(kept)
        return {"accounts": accounts, **self.journal.snapshot()}

    def reset(self) -> None:
        self.journal.reset()
        self.speech.forget()
        self.prediction.forget()

    def _handler(self, path: str, method: Method) -> grpc.RpcMethodHandler:
        types = (method.request.deserialize, method.response.serialize)
        if method.streaming:
            return grpc.stream_stream_rpc_method_handler(self._streaming(path, method), *types)
        return grpc.unary_unary_rpc_method_handler(self._unary(path, method), *types)

    def _unary(self, path: str, method: Method) -> Callable[[Any, Any], Awaitable[Any]]:
        async def call(request: Any, context: Any) -> Any:
            try:
                fault = await self._admit(path, context)
                self._check_routing(context, method.routing, getattr(request, method.routing))
                answer = method.handle(request)
                _after(fault)
            except GrpcRefused as refusal:
                await self._abort(path, context, refusal)
            return answer

        return call

    def _streaming(self, path: str, method: Method) -> Callable[[AsyncIterator[Any], Any], AsyncIterator[Any]]:
        async def call(requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
            try:
                fault = await self._admit(path, context)

                def check(resource: str) -> None:
                    # The client library sends no routing header of its own on a stream: one that comes must be right.
                    if "x-goog-request-params" in _metadata(context):
                        self._check_routing(context, method.routing, resource)

                answers = await method.handle(requests, check)
                _after(fault)
            except GrpcRefused as refusal:
                await self._abort(path, context, refusal)
            for answer in answers:
                yield answer

        return call

    async def _admit(self, path: str, context: Any) -> Fault | None:
        self.journal.called(path)
        authorization = str(_metadata(context).get("authorization", ""))
        if authorization:
            scheme, _, token = authorization.partition(" ")
            if scheme.lower() != "bearer" or self.world.credentials.account(self.name, token) is None:
                raise GrpcRefused(grpc.StatusCode.UNAUTHENTICATED, "the request had invalid credentials")
        fault = self.world.faults.take(self.name, "POST", path)
        if fault is None:
            return None
        if fault.kind == "delay":
            await asyncio.sleep(fault.seconds)
        elif fault.kind == "status":
            code = grpc.StatusCode.__members__.get(str(fault.status).upper(), grpc.StatusCode.UNKNOWN)
            raise GrpcRefused(code, "the sandbox was asked to fail this call")
        elif fault.kind == "reset":
            raise GrpcRefused(grpc.StatusCode.UNAVAILABLE, "connection reset on request")
        return fault

    def _check_routing(self, context: Any, field: str, resource: str) -> None:
        params = parse_qs(str(_metadata(context).get("x-goog-request-params", "")))
        if params.get(field, [None])[0] != resource:
            message = f"the routing header x-goog-request-params must carry {field}={resource}"
            raise GrpcRefused(grpc.StatusCode.INVALID_ARGUMENT, message)

    async def _abort(self, path: str, context: Any, refusal: GrpcRefused) -> None:
        self.journal.refused(path, refusal.code.name, refusal.message)
        await context.abort(refusal.code, refusal.message)


def _after(fault: Fault | None) -> None:
    if fault is not None and fault.kind in ("reset_after_effect", "half_answer"):
        raise GrpcRefused(grpc.StatusCode.UNAVAILABLE, "connection reset after the effect, on request")


def _metadata(context: Any) -> dict[str, Any]:
    return dict(context.invocation_metadata() or ())
