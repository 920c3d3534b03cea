"""The session under simple-salesforce: it never leaves its org, and keeps what the library drops."""

from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from aiohttp import web

from connectors.crm.slots import Slots
from connectors.crm.vendors.salesforce.session import SalesforceSession

ORG = "https://acme.my.salesforce.com"


@pytest.fixture
async def address() -> AsyncIterator[str]:
    async def answer(request: web.Request) -> web.Response:
        headers = {"Retry-After": "5", "Sforce-Limit-Info": "api-usage=1/100", "Location": "/elsewhere"}
        return web.Response(status=302, text=request.headers.get("Authorization", ""), headers=headers)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    yield f"http://{host}:{port}"
    await runner.cleanup()


async def test_it_reaches_the_operators_address_and_keeps_the_headers_that_matter(address: str) -> None:
    with ThreadPoolExecutor(1) as threads, SalesforceSession(ORG, reach=address, timeouts=(1, 2), width=2) as session:
        slots = Slots(threads)
        token = {"Authorization": "Bearer t"}
        answer = await slots.in_thread(lambda: session.request("GET", f"{ORG}/services/data", headers=token))
        assert (answer.status_code, answer.text) == (302, "Bearer t")
        kept = await slots.in_thread(session.last_headers)
        assert dict(kept) == {"Retry-After": "5", "Sforce-Limit-Info": "api-usage=1/100"}
    assert session.last_headers() == {}, "another thread has its own"


@pytest.mark.parametrize("url", ["https://evil.example/x", "http://acme.my.salesforce.com/x", f"{ORG}.evil.example/x"])
def test_another_host_is_refused(url: str) -> None:
    with SalesforceSession(ORG, reach=None, timeouts=(1, 1), width=1) as session:
        with pytest.raises(requests.exceptions.InvalidURL):
            session.request("GET", url)
        assert session.trust_env is False
