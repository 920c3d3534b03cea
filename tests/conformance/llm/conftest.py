"""The sandbox's prediction service and a model that talks to it through the real client."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from connectors.google_calls import Patience
from connectors.google_channels import GoogleChannels
from connectors.llm.gemini import PATIENCE, Gemini
from ops.sandbox.server import Sandbox, SandboxAddresses

PROJECT = "leadbus-test"


class Llm:
    """A running sandbox; `model` opens a client of it that does not pause long between attempts."""

    def __init__(self, sandbox: Sandbox, addresses: SandboxAddresses) -> None:
        self.sandbox = sandbox
        self._addresses = addresses
        self._opened: list[Gemini] = []

    def model(self, name: str = "gemini-2.5-flash", *, thinking_budget: int = 512, dimensions: int = 768) -> Gemini:
        opened = Gemini(
            GoogleChannels(self._addresses.google),
            project=PROJECT,
            location="us-central1",
            model=name,
            thinking_budget=thinking_budget,
            max_output_tokens=1_024,
            embedding_model="gemini-embedding-001",
            dimensions=dimensions,
            pool_size=1,
            patience=Patience(PATIENCE.attempts, first_pause=0.001, longest_pause=0.001, jitter=0.0),
        )
        self._opened.append(opened)
        return opened

    def kept(self, what: str) -> list[dict[str, Any]]:
        """The vendor's record of `generations` or `embeddings`."""
        return list(self.sandbox.state()["google"]["accounts"].get(PROJECT, {}).get(what, []))

    def calls(self, method: str) -> int:
        """How often a method was called, refused calls included."""
        path = f"/google.cloud.aiplatform.v1.PredictionService/{method}"
        return int(self.sandbox.state()["google"]["calls"].get(path, 0))

    async def close(self) -> None:
        for opened in self._opened:
            await opened.close()


@pytest.fixture
async def llm() -> AsyncIterator[Llm]:
    sandbox = Sandbox()
    running = Llm(sandbox, await sandbox.start())
    yield running
    await running.close()
    await sandbox.stop()
