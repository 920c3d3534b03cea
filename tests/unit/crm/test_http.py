"""The asynchronous client: where it goes, what it tells apart, and where it stops."""

from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from connectors.crm.http import ANSWER_LIMIT, Http, NoAnswer, NotSent
from connectors.crm.seam import ConfigBroken


class Server:
    """A vendor that answers as the path says, and remembers what reached it."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.cookies: list[str] = []
        self.host = ""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.seen.append(request.path)
        self.cookies.append(request.headers.get("Cookie", ""))
        match request.path:
            case "/redirect":
                return web.Response(status=302, headers={"Location": "/stolen"})
            case "/large":
                return web.Response(body=b"x" * (ANSWER_LIMIT + 1))
            case "/cut":
                assert request.transport is not None
                request.transport.abort()
        response = web.json_response({"got": (await request.read()).decode(), "q": request.query.get("q")})
        response.set_cookie("session", "1")
        return response


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    made, app = Server(), web.Application()
    app.router.add_route("*", "/{path:.*}", made.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    made.host = f"{host}:{port}"
    yield made
    await runner.cleanup()


@pytest.fixture
async def http(server: Server) -> AsyncIterator[Http]:
    made = Http(allowed=frozenset({server.host}), connect_timeout=1, read_timeout=2)
    yield made
    await made.close()


async def test_a_call_carries_json_and_parameters_and_keeps_no_cookie(server: Server, http: Http) -> None:
    for _ in range(2):
        answer = await http.call("POST", f"http://{server.host}/x", headers={}, json={"a": 1}, params={"q": "+1 a&b"})
        assert answer.json() == {"got": '{"a":1}', "q": "+1 a&b"}
    assert server.cookies == ["", ""]


async def test_a_redirect_is_an_answer_and_is_not_followed(server: Server, http: Http) -> None:
    answer = await http.call("GET", f"http://{server.host}/redirect", headers={"Authorization": "Bearer x"})
    assert answer.status == 302
    assert server.seen == ["/redirect"]


async def test_a_cut_connection_is_no_answer_and_a_refused_one_was_not_sent(server: Server, http: Http) -> None:
    with pytest.raises(NoAnswer):
        await http.call("POST", f"http://{server.host}/cut", headers={}, json={})
    closed = Http(allowed=frozenset({"127.0.0.1:1"}), connect_timeout=1, read_timeout=1)
    with pytest.raises(NotSent):
        await closed.call("POST", "http://127.0.0.1:1/x", headers={}, json={})
    await closed.close()


async def test_an_answer_without_end_is_cut(server: Server, http: Http) -> None:
    with pytest.raises(NoAnswer):
        await http.call("GET", f"http://{server.host}/large", headers={})


@pytest.mark.parametrize("url", ["http://example.com/", "https://example.com:8443/", "https://u:p@example.com/"])
async def test_other_hosts_are_called_by_https_on_443_only(http: Http, url: str) -> None:
    with pytest.raises(ConfigBroken):
        await http.call("GET", url, headers={})


@pytest.mark.parametrize("host", ["127.0.0.1", "169.254.169.254", "[::1]", "10.0.0.1"])
async def test_an_inner_address_is_refused_before_a_byte_leaves(http: Http, host: str) -> None:
    with pytest.raises(ConfigBroken, match="open internet"):
        await http.call("GET", f"https://{host}/", headers={"Authorization": "Bearer x"})


async def test_a_name_that_resolves_to_an_inner_address_is_refused(http: Http) -> None:
    with pytest.raises(ConfigBroken, match="open internet"):
        await http.call("GET", "https://localhost/", headers={"Authorization": "Bearer x"})
