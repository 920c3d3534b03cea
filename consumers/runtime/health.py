"""The health port: is the process alive, is it doing its work, and in numbers.

    /healthz   200 while nothing is broken for good; the event loop answers, or it does not
    /readyz    200 when this member has its partitions, knows where each stands, the broker has lately answered, records
               move, and the topics are as they must be
    /metrics   Prometheus' text form, made at most once a second

A 503 says why, and what to do next, in sentences for an operator; answers hold no data of tenants. Loopback unless the
settings say otherwise. Whoever asks cannot hurt the work: one request a connection, a few connections at a time, heads
of 8 KiB, and a connection that has not been answered after some seconds is cut.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from aiohttp import web

CONNECTIONS = 32
"""Open at once; further ones are closed unheard."""
CONNECTION_SECONDS = 10.0
"""From accepting a connection to its end, whatever it sends or does not read."""
METRICS_SECONDS = 1.0

Reason = Callable[[], str | None]


class Subject(Protocol):
    """Whose health it is."""

    def why_unhealthy(self) -> str | None:
        """What is broken for good, or None."""
        ...

    def why_unready(self) -> str | None:
        """What is missing before it does its work, or None."""
        ...

    def why_stalled(self) -> str | None:
        """Why records do not move though they could, or None."""
        ...

    def metrics_text(self) -> bytes:
        """The metrics, brought up to date."""
        ...


class HealthServer:
    """Serves one subject. `also` are further reasons not to be ready."""

    def __init__(
        self,
        subject: Subject,
        host: str,
        port: int,
        *,
        also: Sequence[Reason] = (),
        connections: int = CONNECTIONS,
        connection_seconds: float = CONNECTION_SECONDS,
        metrics_seconds: float = METRICS_SECONDS,
    ) -> None:
        self._subject = subject
        self._host = host
        self._port = port
        self._also = also
        self._connections = connections
        self._connection_seconds = connection_seconds
        self._metrics_seconds = metrics_seconds
        self._runner: web.AppRunner | None = None
        self._server: asyncio.Server | None = None
        self._text: tuple[float, bytes] | None = None

    @property
    def port(self) -> int:
        """Where it listens, once it does: the real one when it was told 0."""
        return self._port if self._server is None else int(self._server.sockets[0].getsockname()[1])

    async def start(self) -> None:
        """Listen; raises OSError when the port is taken."""
        app = web.Application(client_max_size=1024)
        app.router.add_get("/healthz", self._answer((self._subject.why_unhealthy,)))
        app.router.add_get("/readyz", self._answer((self._subject.why_unready, self._subject.why_stalled, *self._also)))
        app.router.add_get("/metrics", self._metrics)
        app.on_response_prepare.append(_only_one_request)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        self._server = await asyncio.get_running_loop().create_server(self._accept, self._host, self._port)

    async def stop(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()
            self._server = None
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def _accept(self) -> asyncio.Protocol:
        server = None if self._runner is None else self._runner.server
        if server is None or len(server.connections) >= self._connections:
            return _Refusal()
        handler = server()
        asyncio.get_running_loop().call_later(self._connection_seconds, handler.force_close)
        return handler

    def _answer(self, whys: Sequence[Reason]) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def answer(_: web.Request) -> web.Response:
            reasons = [reason for why in whys if (reason := why()) is not None]
            said = " ".join(reasons) if reasons else None
            return web.json_response({"ok": not reasons, "reason": said}, status=503 if reasons else 200)

        return answer

    async def _metrics(self, _: web.Request) -> web.Response:
        now = asyncio.get_running_loop().time()
        if self._text is None or now - self._text[0] >= self._metrics_seconds:
            self._text = (now, self._subject.metrics_text())
        return web.Response(body=self._text[1], content_type="text/plain", charset="utf-8")


class _Refusal(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()


async def _only_one_request(_: web.Request, response: web.StreamResponse) -> None:
    response.force_close()
    response.headers["Connection"] = "close"
