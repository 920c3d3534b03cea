"""The sandbox's speech service and a recognizer that talks to it through the real client."""

from collections.abc import AsyncIterator

import pytest

from connectors.google_calls import Patience
from connectors.google_channels import GoogleChannels
from connectors.speech.google_speech import CALL_PATIENCE, STREAM_PATIENCE, GoogleSpeech
from connectors.speech.plan import Limits
from ops.sandbox.server import Sandbox, SandboxAddresses

PROJECT = "leadbus-test"


class Speech:
    """A running sandbox; `recognizer` opens a client of it that does not pause long between attempts."""

    def __init__(self, sandbox: Sandbox, addresses: SandboxAddresses) -> None:
        self.sandbox = sandbox
        self._addresses = addresses
        self._opened: list[GoogleSpeech] = []

    def recognizer(self, *, model: str = "chirp_3", location: str = "us", limits: Limits | None = None) -> GoogleSpeech:
        opened = GoogleSpeech(
            GoogleChannels(self._addresses.google),
            project=PROJECT,
            location=location,
            model=model,
            pool_size=2,
            limits=limits,
            call_patience=hurried(CALL_PATIENCE),
            stream_patience=hurried(STREAM_PATIENCE),
            stream_speeds=(None, 1_000.0),
        )
        self._opened.append(opened)
        return opened

    def transcriptions(self) -> list[dict[str, object]]:
        """What the vendor says it did."""
        found = self.sandbox.state()["google"]["accounts"].get(PROJECT, {}).get("transcriptions", [])
        return list(found)

    def calls(self, method: str) -> int:
        """How often a method was called, refused calls included."""
        return int(self.sandbox.state()["google"]["calls"].get(f"/google.cloud.speech.v2.Speech/{method}", 0))

    async def close(self) -> None:
        for opened in self._opened:
            await opened.close()


def hurried(patience: Patience) -> Patience:
    """The same number of attempts with next to no pause."""
    return Patience(patience.attempts, first_pause=0.001, longest_pause=0.001, jitter=0.0)


@pytest.fixture
async def speech() -> AsyncIterator[Speech]:
    sandbox = Sandbox()
    running = Speech(sandbox, await sandbox.start())
    yield running
    await running.close()
    await sandbox.stop()
