"""A running sandbox on free loopback ports, and the control door's client."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aiohttp
import grpc.aio
import pytest

from ops.sandbox.server import Sandbox, SandboxAddresses


@dataclass
class Running:
    """A sandbox that listens, and an HTTP session to it."""

    sandbox: Sandbox
    at: SandboxAddresses
    http: aiohttp.ClientSession

    async def fault(self, **order: Any) -> None:
        """Order a fault through the control door."""
        async with self.http.post(f"{self.at.control}/faults", json=order) as answer:
            assert answer.status == 201, await answer.text()

    async def limits(self, **changed: Any) -> None:
        """Change the vendors' limits through the control door."""
        async with self.http.post(f"{self.at.control}/limits", json=changed) as answer:
            assert answer.status == 200, await answer.text()

    async def state(self, vendor: str) -> dict[str, Any]:
        """What a vendor keeps, as the control door tells it."""
        async with self.http.get(f"{self.at.control}/state/{vendor}") as answer:
            assert answer.status == 200
            found: dict[str, Any] = await answer.json()
            return found


@pytest.fixture
async def running() -> AsyncIterator[Running]:
    sandbox = Sandbox()
    addresses = await sandbox.start()
    async with aiohttp.ClientSession() as http:
        yield Running(sandbox, addresses, http)
    await sandbox.stop()


@pytest.fixture
async def google_channel(running: Running) -> AsyncIterator[grpc.aio.Channel]:
    unlimited = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    async with grpc.aio.insecure_channel(running.at.google, options=unlimited) as channel:
        yield channel
