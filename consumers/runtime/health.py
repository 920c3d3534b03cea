"""The health port: is the process alive, is it doing its work, and in numbers.

    /healthz   200 while nothing is broken for good; the event loop answers, or it does not
    /readyz    200 when this member has its partitions, knows where each stands, and the broker has lately answered
    /metrics   Prometheus' text form

Answers hold no data of tenants. Loopback unless the settings say otherwise.
"""

from collections.abc import Awaitable, Callable
from typing import Protocol

from aiohttp import web


class Subject(Protocol):
    """Whose health it is."""

    def why_unhealthy(self) -> str | None:
        """What is broken for good, or None."""
        ...

    def why_unready(self) -> str | None:
        """What is missing before it does its work, or None."""
        ...

    def metrics_text(self) -> bytes:
        """The metrics, brought up to date."""
        ...


class HealthServer:
    """Serves one subject."""

    def __init__(self, subject: Subject, host: str, port: int) -> None:
        self._subject = subject
        self._host = host
        self._port = port
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Listen; raises OSError when the port is taken."""
        app = web.Application()
        app.router.add_get("/healthz", self._answer(self._subject.why_unhealthy))
        app.router.add_get("/readyz", self._answer(self._subject.why_unready))
        app.router.add_get("/metrics", self._metrics)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, self._port).start()

    async def stop(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def _answer(self, why_not: Callable[[], str | None]) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def answer(_: web.Request) -> web.Response:
            reason = why_not()
            return web.json_response({"ok": reason is None, "reason": reason}, status=200 if reason is None else 503)

        return answer

    async def _metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=self._subject.metrics_text(), content_type="text/plain", charset="utf-8")
