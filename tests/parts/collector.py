"""A collector of traces on loopback: takes OTLP over HTTP, as processes send it, and keeps the spans."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field

from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

KINDS = {2: "server", 3: "client", 5: "consumer"}


@dataclass(frozen=True, slots=True)
class Span:
    """One span, ids in hexadecimal; `parent` is empty for a root."""

    service: str
    name: str
    kind: str
    trace: str
    id: str
    parent: str
    attributes: dict[str, str]
    links: tuple[str, ...]
    error: bool
    start_ns: int
    end_ns: int


@dataclass
class Collector:
    """What has arrived at `endpoint`."""

    endpoint: str = ""
    spans: list[Span] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    refuse: bool = False
    hang: bool = False

    def named(self, name: str) -> list[Span]:
        return [span for span in self.spans if span.name == name]

    async def until(self, found: Callable[[Sequence[Span]], bool], seconds: float = 60.0) -> None:
        """Wait until the spans are as they should be."""
        try:
            async with asyncio.timeout(seconds):
                while not found(self.spans):  # noqa: ASYNC110 - other processes send them
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise AssertionError([f"{span.service} {span.name}" for span in self.spans]) from None

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        if self.hang:
            await asyncio.sleep(3600)
        if self.refuse:
            return web.Response(status=503)
        self.bodies.append(body)
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            service = next(a.value.string_value for a in resource.resource.attributes if a.key == "service.name")
            for scope in resource.scope_spans:
                self.spans += [_span(service, span) for span in scope.spans]
        content = ExportTraceServiceResponse().SerializeToString()
        return web.Response(body=content, content_type="application/x-protobuf")


def _span(service: str, span: object) -> Span:
    from opentelemetry.proto.trace.v1.trace_pb2 import Span as Sent
    from opentelemetry.proto.trace.v1.trace_pb2 import Status

    assert isinstance(span, Sent)
    return Span(
        service=service,
        name=span.name,
        kind=KINDS.get(span.kind, str(span.kind)),
        trace=span.trace_id.hex(),
        id=span.span_id.hex(),
        parent=span.parent_span_id.hex(),
        attributes={a.key: a.value.string_value or str(a.value.int_value) for a in span.attributes},
        links=tuple(link.span_id.hex() for link in span.links),
        error=span.status.code == Status.STATUS_CODE_ERROR,
        start_ns=span.start_time_unix_nano,
        end_ns=span.end_time_unix_nano,
    )


@contextlib.asynccontextmanager
async def collecting() -> AsyncIterator[Collector]:
    """A collector on a free port."""
    collector = Collector()
    app = web.Application(client_max_size=16 * 1024 * 1024)
    app.router.add_post("/v1/traces", collector.take)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    address = runner.addresses[0]
    collector.endpoint = f"http://{address[0]}:{address[1]}"
    try:
        yield collector
    finally:
        await runner.cleanup()
