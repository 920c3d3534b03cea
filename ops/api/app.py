"""The API: a tenant's leads as JSON under `/v1`, and the console, a page on the same data.

Every answer is of the token's own tenant and offices. Requests without a living token get 401 and nothing else. The
console asks for the token once and keeps it in a cookie that scripts cannot read; it works without scripts at all.
"""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs

from jinja2 import Environment, FileSystemLoader
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from connectors.store.seam import NotFound, RequestRow, Scope, Store, StoreError
from ops.api.answers import detail, summary
from ops.api.tokens import Token, Tokens
from schemas import codec
from schemas.api import PROBLEM_CONTENT_TYPE, LeadDetail, LeadPage, Problem

COOKIE = "leadbus_token"
PAGE = 50
LONGEST_FORM = 4096
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self' 'unsafe-inline'; form-action 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}

Handler = Callable[[Request, Token], Awaitable[Response]]


class Api:
    """The handlers over a store."""

    def __init__(
        self, store: Store, tokens: Tokens, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._store = store
        self._tokens = tokens
        self._now = now
        folder = Path(__file__).parent / "templates"
        self._pages = Environment(loader=FileSystemLoader(folder), autoescape=True)

    def routes(self) -> list[Route]:
        """Every path."""
        return [
            Route("/healthz", self._healthz),
            Route("/readyz", self._readyz),
            Route("/v1/leads", self._guarded(self._leads)),
            Route("/v1/leads/{request_id}", self._guarded(self._lead)),
            Route("/", self._console),
            Route("/leads/{request_id}", self._console_lead),
            Route("/session", self._sign_in, methods=["POST"]),
        ]

    async def _healthz(self, request: Request) -> Response:
        return PlainTextResponse("ok")

    async def _readyz(self, request: Request) -> Response:
        try:
            await self._store.list_requests(Scope("-"), limit=1)
        except StoreError as error:
            return PlainTextResponse(f"the store does not answer: {type(error).__name__}", status_code=503)
        return PlainTextResponse("ready")

    async def _leads(self, request: Request, token: Token) -> Response:
        return _json(await self._page(token, request.query_params.get("before")))

    async def _lead(self, request: Request, token: Token) -> Response:
        try:
            return _json(await self._detail(token, request.path_params["request_id"]))
        except NotFound:
            return problem(404, "No such lead", "There is no lead with this id that this token may read.")

    async def _console(self, request: Request) -> Response:
        token = self._token(request)
        if token is None:
            refused = COOKIE in request.cookies
            return self._html("sign_in.html", status=401 if refused else 200, refused=refused)
        page = await self._page(token, request.query_params.get("before"))
        return self._html("leads.html", page=page, token=token)

    async def _console_lead(self, request: Request) -> Response:
        token = self._token(request)
        if token is None:
            return RedirectResponse("/", status_code=303)
        try:
            lead = await self._detail(token, request.path_params["request_id"])
        except NotFound:
            return self._html("missing.html", status=404, token=token)
        return self._html("lead.html", lead=lead, token=token)

    async def _sign_in(self, request: Request) -> Response:
        text = ""
        if int(request.headers.get("content-length") or LONGEST_FORM + 1) <= LONGEST_FORM:
            fields = parse_qs((await request.body()).decode(errors="replace"), max_num_fields=4)
            text = fields.get("token", [""])[0].strip()
        answer = RedirectResponse("/", status_code=303)
        if text:
            secure = request.url.scheme == "https"
            answer.set_cookie(COOKIE, text, httponly=True, samesite="strict", secure=secure, max_age=8 * 3600)
        else:  # signing out
            answer.delete_cookie(COOKIE, httponly=True, samesite="strict")
        return answer

    async def _page(self, token: Token, before: str | None) -> LeadPage:
        rows = await self._store.list_requests(Scope(token.tenant), limit=PAGE, before=before)
        seen = [summary(row, personal=token.role == "admin") for row in rows if _may_see(token, row)]
        return LeadPage(leads=tuple(seen), next=rows[-1].request_id if len(rows) == PAGE else None)

    async def _detail(self, token: Token, request_id: str) -> LeadDetail:
        scope = Scope(token.tenant)
        row = await self._store.get_request(scope, request_id)
        if not _may_see(token, row):
            raise NotFound("not in the token's offices")
        decisions = await self._store.list_decisions(scope, request_id)
        outcomes = await self._store.list_outcomes(scope, request_id)
        return detail(row, list(decisions), list(outcomes), personal=token.role == "admin")

    def _token(self, request: Request) -> Token | None:
        scheme, _, text = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            text = request.cookies.get(COOKIE, "")
        return self._tokens.find(text.strip(), self._now()) if text else None

    def _guarded(self, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        async def guarded(request: Request) -> Response:
            token = self._token(request)
            if token is None:
                return problem(
                    401, "A token is needed", "Send `Authorization: Bearer TOKEN` with a living tenant token."
                )
            try:
                return await handler(request, token)
            except StoreError:
                return problem(503, "The store does not answer", "Try again in a moment.")

        return guarded

    def _html(self, template: str, *, status: int = 200, **values: object) -> Response:
        text = self._pages.get_template(template).render(**values)
        return HTMLResponse(text, status_code=status, headers=HEADERS)


def build_api(store: Store, tokens: Tokens) -> Starlette:
    """The ASGI application."""
    return Starlette(routes=Api(store, tokens).routes())


def problem(status: int, title: str, detail_text: str) -> Response:
    """An RFC 9457 answer."""
    body = Problem(title=title, status=status, detail=detail_text).model_dump(mode="json", exclude_none=True)
    return Response(codec.dumps(body), status_code=status, media_type=PROBLEM_CONTENT_TYPE)


def _json(value: LeadPage | LeadDetail) -> Response:
    return Response(codec.dumps(value.model_dump(mode="json")), media_type="application/json", headers=HEADERS)


def _may_see(token: Token, row: RequestRow) -> bool:
    return not token.offices or row.office_id in token.offices
