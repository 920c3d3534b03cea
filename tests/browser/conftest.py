"""A real browser, headless and with an empty profile, and the pages that it is shown: all on loopback."""

import asyncio
import contextlib
import hashlib
import json
import os
import socket
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest
from playwright.async_api import Page, async_playwright

from connectors.store.opening import open_store
from ops.demo.run import demo_secrets
from ops.stack.house import House, HousePlan
from tests.browser.leads import TENANT, fill

TENANTS = Path(__file__).resolve().parents[2] / "rules" / "tenants"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
TOKENS = {"admin-token": "admin", "viewer-token": "viewer"}
START_SECONDS = 30.0


@pytest.fixture
async def page(chromium_path: Path, tmp_path: Path) -> AsyncIterator[Page]:
    """A page of a fresh browser; what it would fetch from anywhere but this machine fails the test."""
    strangers: list[str] = []
    async with async_playwright() as playwright:
        context = await playwright.chromium.launch_persistent_context(
            tmp_path / "profile", executable_path=chromium_path, headless=True, args=FLAGS
        )
        context.set_default_timeout(15_000)
        context.on("request", lambda asked: strangers.append(asked.url))
        yield context.pages[0]
        await context.close()
    assert [url for url in strangers if not url.startswith(("http://127.0.0.1:", "about:", "data:"))] == []


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """Broker, SQLite store with the example tenants, and the gateway; no daemon, so what is published stays there."""
    plan = HousePlan(run_dir=tmp_path / "house", tenants_dir=TENANTS, secrets=demo_secrets(), daemons=())
    async with House(plan) as running:
        await running.start()
        yield running


@pytest.fixture
async def console(tmp_path: Path) -> AsyncIterator[str]:
    """The console's address: `leadbus api` as a process, over a store with a few leads."""
    store_url = f"sqlite:///{tmp_path}/console.db"
    store = open_store(store_url)
    await store.migrate()
    await fill(store)
    await store.close()
    expires = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    tokens = [
        {"sha256": hashlib.sha256(text.encode()).hexdigest(), "tenant": TENANT, "role": role, "expires": expires}
        for text, role in TOKENS.items()
    ]
    (tmp_path / "tokens.json").write_text(json.dumps(tokens))
    port = free_port()
    settings = {
        "LEADBUS_STORE_URL": store_url,
        "LEADBUS_API_PORT": str(port),
        "LEADBUS_API_TOKENS_FILE": str(tmp_path / "tokens.json"),
    }
    running = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "ops.cli", "api", env={**os.environ, **settings}, stderr=asyncio.subprocess.PIPE
    )
    try:
        await until_ready(f"http://127.0.0.1:{port}/readyz", running)
        yield f"http://127.0.0.1:{port}"
    finally:
        if running.returncode is None:
            running.terminate()
        await running.communicate()


async def until_ready(url: str, running: asyncio.subprocess.Process) -> None:
    deadline = asyncio.get_running_loop().time() + START_SECONDS
    async with aiohttp.ClientSession() as session:
        while running.returncode is None and asyncio.get_running_loop().time() < deadline:
            with contextlib.suppress(aiohttp.ClientError):
                async with session.get(url) as answer:
                    if answer.status == 200:
                        return
            await asyncio.sleep(0.05)
    pytest.fail(f"{url} does not get ready; exit code {running.returncode}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
