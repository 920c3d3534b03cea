"""A tenant, its API key, and the sandbox's CallRail to fetch recordings from."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver
from yarl import URL

from connectors.recordings.fetch import HttpRecordings
from connectors.secrets.seam import SecretMissing
from ops.sandbox.credentials import token_for
from ops.sandbox.server import Sandbox
from schemas.tenant import IntakeBundle

KEY = "secret://CALLRAIL_KEY"
WRONG_KEY = "secret://OLD_KEY"


class KnownSecrets:
    """Two secrets of one tenant."""

    def __init__(self) -> None:
        self._values = {
            ("summit", KEY): token_for("callrail", "summit"),
            ("summit", WRONG_KEY): "revoked-key",
        }

    async def get(self, tenant_id: str, ref: str) -> str:
        if (tenant_id, ref) not in self._values:
            raise SecretMissing(f"no secret is mapped for {tenant_id}/{ref}")
        return self._values[tenant_id, ref]

    async def close(self) -> None:
        """Nothing is held."""


def tenant(*, max_seconds: float = 14_400.0, hosts: tuple[str, ...] = ("api.callrail.com", "app.callrail.com")) -> Any:
    return IntakeBundle.model_validate(
        {
            "tenant": "summit",
            "name": "Summit Roofing",
            "endpoints": [],
            "connectors": [],
            "offices": [],
            "recordings": {"hosts": hosts, "max_seconds": max_seconds},
        }
    )


class Vendor:
    """The sandbox and fetchers of its recordings; `url` maps a call to a recording and names it as webhooks do."""

    def __init__(self, sandbox: Sandbox, base: str) -> None:
        self.sandbox = sandbox
        self.base = base
        self._opened: list[HttpRecordings] = []

    def fetcher(self, *more_hosts: str, resolver: Callable[[], AbstractResolver] | None = None) -> HttpRecordings:
        opened = HttpRecordings(
            KnownSecrets(),
            sandbox_hosts=(URL(self.base).authority, *more_hosts),
            connect_seconds=2.0,
            read_seconds=2.0,
            resolver=resolver,
        )
        self._opened.append(opened)
        return opened

    def url(self, recording: str, call: str = "CAL1") -> str:
        self.sandbox.map_recording(call, recording)
        return f"{self.base}/v3/a/ACC1/calls/{call}/recording.json"

    async def close(self) -> None:
        for opened in self._opened:
            await opened.close()


async def read(fetcher: HttpRecordings, bundle: Any, url: str, secret: str | None = KEY) -> bytes:
    """The whole recording."""
    async with fetcher.open(bundle, url, secret=secret) as recording:
        return b"".join([chunk async for chunk in recording.chunks])


class Site:
    """A web site of the test's own on loopback.

    `pages` make an answer for their path each time; `asked` are the paths asked for, with their Authorization.
    """

    def __init__(self) -> None:
        self.pages: dict[str, Callable[[], web.Response]] = {}
        self.asked: list[tuple[str, str | None]] = []
        self.authority = ""
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        app = web.Application()
        app.router.add_get("/{path:.*}", self._page)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        host, port = self._runner.addresses[0][:2]
        self.authority = f"{host}:{port}"

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _page(self, request: web.Request) -> web.Response:
        self.asked.append((request.path, request.headers.get("Authorization")))
        page = self.pages.get(request.path)
        return page() if page is not None else web.Response(status=404)


@pytest.fixture
async def vendor() -> AsyncIterator[Vendor]:
    sandbox = Sandbox()
    addresses = await sandbox.start()
    running = Vendor(sandbox, addresses.callrail)
    yield running
    await running.close()
    await sandbox.stop()


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    running = Site()
    await running.start()
    yield running
    await running.stop()
