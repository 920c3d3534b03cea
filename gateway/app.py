"""The gateway's HTTP application on Granian's RSGI interface: routes, limits, health.

    POST /v1/hooks/{source}/{endpoint_key}[/{event}]    GET /healthz    GET /readyz    GET /metrics

The endpoint is looked up before the body is read, so that an unknown URL costs nothing. Promises: every request gets
an answer, and whatever goes wrong in here besides is a 503, logged without content, because it is our trouble.
While draining, requests are still answered; only `/readyz` says no.
"""

import traceback
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from structlog.typing import FilteringBoundLogger

from gateway.body import BodyBroken, BodyTooLarge, BodyTooSlow, read_body
from gateway.intake import UNKNOWN, Intake
from gateway.metrics import GatewayMetrics
from gateway.problems import Answer, not_post, problem, unavailable
from schemas import codec
from schemas.topics import LARGEST_BODY

if TYPE_CHECKING:
    from granian._granian import RSGIHTTPProtocol as HTTPProtocol
    from granian.rsgi import Scope

PREFIX = "/v1/hooks/"
_MOST_QUESTIONS = 20
_CLOSE = [("connection", "close")]


class GatewayApp:
    """The object that Granian calls."""

    def __init__(
        self,
        intake: Intake,
        metrics: GatewayMetrics,
        *,
        ready: Callable[[], Awaitable[bool]],
        body_seconds: float,
        log: FilteringBoundLogger,
        body_cap: int = LARGEST_BODY,
    ) -> None:
        """`ready` says whether the parts behind the gateway are; it must not raise."""
        self._intake = intake
        self._metrics = metrics
        self._ready = ready
        self._seconds = body_seconds
        self._cap = body_cap
        self._log = log
        self.draining = False

    async def __rsgi__(self, scope: "Scope", protocol: "HTTPProtocol") -> None:
        """Answer one request."""
        if scope.proto != "http":
            return
        self._metrics.in_flight.inc()
        try:
            answer = await self._answer(scope, protocol)
        except Exception as error:  # noqa: BLE001
            at = traceback.extract_tb(error.__traceback__)[-1]
            self._log.error("request failed", error=type(error).__name__, at=f"{at.name}:{at.lineno}")
            answer = self._refused(unavailable("fault", "Something went wrong here; send it again."))
        finally:
            self._metrics.in_flight.dec()
        if scope.method == "HEAD":
            protocol.response_empty(answer.status, answer.headers)
        else:
            protocol.response_bytes(answer.status, answer.headers, answer.body)

    async def _answer(self, scope: "Scope", protocol: "HTTPProtocol") -> Answer:
        path = scope.path
        if path.startswith(PREFIX):
            return await self._hook(path[len(PREFIX) :], scope, protocol)
        if path not in ("/healthz", "/readyz", "/metrics"):
            return self._refused(problem(404, "no_path", "There is nothing here. Webhooks go to /v1/hooks/…"))
        if scope.method not in ("GET", "HEAD"):
            return self._refused(problem(405, "method", "Only GET is answered here.", headers=[("allow", "GET, HEAD")]))
        if path == "/metrics":
            return Answer(200, [("content-type", "text/plain; version=0.0.4; charset=utf-8")], self._metrics.text())
        if path == "/readyz" and (self.draining or not await self._ready()):
            return unavailable("not_ready", "Draining." if self.draining else "Not ready.", retry_after=1)
        return Answer(200, [("content-type", "application/json")], codec.dumps({"status": "ok"}))

    async def _hook(self, rest: str, scope: "Scope", protocol: "HTTPProtocol") -> Answer:
        source, _, key = rest.removesuffix("/").partition("/")
        key, _, event = key.partition("/")
        if not source or not key or "/" in event:
            return self._refused(problem(404, "no_path", "A webhook URL is /v1/hooks/SOURCE/KEY or …/KEY/EVENT."))
        if scope.method not in ("POST", "GET"):
            return self._refused(not_post())
        entry = self._intake.find(source, key)
        if isinstance(entry, Answer):
            return entry
        if scope.method == "GET":
            return self._intake.tried(entry, _query(scope.query_string))
        headers = dict(scope.headers.items())
        if headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
            return self._refused(problem(415, "content_encoding", "Send the body without Content-Encoding."), source)
        try:
            body = await read_body(protocol, headers, cap=self._cap, seconds=self._seconds)
        except BodyTooLarge:
            detail = f"A body may have {self._cap} bytes."
            return self._refused(problem(413, "body_too_large", detail, headers=_CLOSE), source)
        except BodyTooSlow:
            detail = f"The body did not arrive within {self._seconds:g} seconds."
            return self._refused(problem(408, "body_too_slow", detail, headers=_CLOSE), source)
        except BodyBroken:
            detail = "The body ended before it was complete."
            return self._refused(problem(400, "body_broken", detail, headers=_CLOSE), source)
        return await self._intake.take(entry, event or None, body, headers, scope.query_string, scope.path)

    def _refused(self, answer: Answer, source: str = UNKNOWN) -> Answer:
        self._metrics.refused.labels(source, answer.reason).inc()
        return answer


def _query(text: str) -> dict[str, str]:
    try:
        return dict(parse_qsl(text, max_num_fields=_MOST_QUESTIONS))
    except ValueError:
        return {}
