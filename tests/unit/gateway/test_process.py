"""The gateway as production runs it: a process of its own on the real store, secrets and broker."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
import pytest

from connectors.store.opening import open_store
from gateway.sources.registry import discover
from schemas import codec
from schemas.bundle import LiveBundle
from tests.unit.gateway.house import CALLRAIL_KEY, FORM_KEY, SECRETS, free_port, lakeside

if TYPE_CHECKING:
    from ops.stack.embedded_broker import EmbeddedBroker


@pytest.fixture
async def environment(tmp_path: Path, embedded_broker: "EmbeddedBroker") -> dict[str, str]:
    """Settings of a gateway whose store holds one tenant."""
    url = f"sqlite:///{tmp_path}/store.db"
    store = open_store(url)
    await store.migrate()
    half = lakeside()
    digest = codec.digest(half)
    await store.put_bundle_half("lakeside", "intake", digest, half)
    await store.set_live(LiveBundle(tenant_id="lakeside", intake=digest, rules="0" * 64, sequence=1))
    await store.close()
    secrets = tmp_path / "secrets.json"
    names = {ref.removeprefix("secret://"): text for ref, text in SECRETS.items()}
    secrets.write_text(json.dumps({f"lakeside/{name}": f"env://TEST_{name}" for name in names}))
    return {
        **os.environ,
        **{f"TEST_{name}": text for name, text in names.items()},
        "LEADBUS_KAFKA_BOOTSTRAP": embedded_broker.bootstrap,
        "LEADBUS_STORE_URL": url,
        "LEADBUS_OBJECTS_URL": "memory://",
        "LEADBUS_SECRETS_FILE": str(secrets),
        "LEADBUS_GATEWAY_PORT": str(free_port()),
        "LEADBUS_GATEWAY_UNREADY_SECONDS": "0.1",
    }


@contextlib.asynccontextmanager
async def process(environment: dict[str, str]) -> AsyncIterator[asyncio.subprocess.Process]:
    running = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway.serve", env=environment, stderr=asyncio.subprocess.PIPE
    )
    try:
        yield running
    finally:
        if running.returncode is None:
            running.kill()
            await running.wait()


async def ready(http: aiohttp.ClientSession) -> bool:
    for _ in range(200):
        with contextlib.suppress(aiohttp.ClientError):
            async with http.get("/readyz") as answer:
                if answer.status == 200:
                    return True
        await asyncio.sleep(0.05)
    return False


async def test_it_takes_webhooks_until_sigterm_and_exits_cleanly(environment: dict[str, str]) -> None:
    url = f"http://127.0.0.1:{environment['LEADBUS_GATEWAY_PORT']}"
    post_call = discover()["callrail"].samples[0]
    async with process(environment) as running, aiohttp.ClientSession(url) as http:
        assert await ready(http)
        async with http.post(
            f"/v1/hooks/callrail/{CALLRAIL_KEY}/post_call", data=post_call.body, headers=post_call.headers
        ) as answer:
            assert answer.status == 202
        posting = [asyncio.create_task(http.post(f"/v1/hooks/form/{FORM_KEY}", data={"n": str(i)})) for i in range(50)]
        await asyncio.sleep(0)
        running.send_signal(signal.SIGTERM)
        for answered in await asyncio.gather(*posting):
            assert answered.status == 202
            answered.release()
        _, log = await asyncio.wait_for(running.communicate(), 15)
    assert running.returncode == 0, log.decode()
    events = [json.loads(line)["event"] for line in log.decode().splitlines()]
    assert events == ["bundle_live", "listening", "draining", "stopped"]


async def test_a_port_that_is_taken_ends_it_with_a_reason(environment: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", int(environment["LEADBUS_GATEWAY_PORT"]))):
        async with process(environment) as running:
            _, log = await asyncio.wait_for(running.communicate(), 15)
    assert running.returncode == 3
    assert b"server ended" in log


async def test_a_store_url_that_is_none_ends_it_with_a_reason(environment: dict[str, str]) -> None:
    async with process({**environment, "LEADBUS_STORE_URL": "mysql://somewhere"}) as running:
        _, log = await asyncio.wait_for(running.communicate(), 15)
    assert running.returncode == 3
    assert b"store URL must be" in log
