"""The pool of channels under the Google clients, and what one process imports."""

import asyncio
import subprocess
import sys

import pytest

from connectors.google_channels import ChannelPool


class Channel:
    """A channel that counts."""

    def __init__(self) -> None:
        self.closed = False

    async def close(self, grace: float) -> None:
        self.closed = True


class Opened:
    """All channels that a pool opened, each its own client."""

    def __init__(self) -> None:
        self.channels: list[Channel] = []

    async def open(self) -> Channel:
        await asyncio.sleep(0)
        self.channels.append(Channel())
        return self.channels[-1]


def pool_of(opened: Opened, *, size: int, calls_per_channel: int) -> ChannelPool[Channel]:
    return ChannelPool(opened.open, lambda channel: channel, size=size, calls_per_channel=calls_per_channel)


async def test_calls_go_to_the_least_busy_channel_and_never_above_its_limit() -> None:
    opened = Opened()
    pool = pool_of(opened, size=3, calls_per_channel=4)
    full, go_on = asyncio.Event(), asyncio.Event()
    highest: list[int] = []

    async def call() -> None:
        async with pool.client():
            highest.append(max(pool.busy))
            if sum(pool.busy) == 12:
                full.set()
            await go_on.wait()

    calls = [asyncio.create_task(call()) for _ in range(20)]
    await asyncio.wait_for(full.wait(), 5)
    assert pool.busy == (4, 4, 4)
    go_on.set()
    await asyncio.gather(*calls)

    assert max(highest) == 4
    assert pool.busy == (0, 0, 0)
    assert len(opened.channels) == 3


async def test_one_call_after_the_other_opens_one_channel() -> None:
    opened = Opened()
    pool = pool_of(opened, size=7, calls_per_channel=80)

    clients = []
    for _ in range(5):
        async with pool.client() as client:
            clients.append(client)

    assert len(opened.channels) == 1
    assert set(clients) == {opened.channels[0]}


async def test_a_failing_call_gives_its_place_back() -> None:
    pool = pool_of(Opened(), size=1, calls_per_channel=1)

    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            async with pool.client():
                raise ZeroDivisionError

    async with asyncio.timeout(5), pool.client():
        assert pool.busy == (1,)


async def test_closing_closes_every_channel() -> None:
    opened = Opened()
    pool = pool_of(opened, size=2, calls_per_channel=1)
    async with pool.client(), pool.client():
        pass

    await pool.close()

    assert [channel.closed for channel in opened.channels] == [True, True]


@pytest.mark.parametrize(
    ("module", "forbidden"),
    [
        ("connectors.speech.google_speech", ["google.cloud.aiplatform_v1", "google.cloud.secretmanager_v1"]),
        ("connectors.llm.gemini", ["google.cloud.speech_v2", "google.cloud.secretmanager_v1"]),
        ("connectors.secrets.resolver", ["grpc", "google.cloud.secretmanager_v1", "google.cloud.speech_v2"]),
        ("connectors.recordings.fetch", ["grpc", "google.cloud.secretmanager_v1"]),
        ("connectors.recordings.objects", ["grpc", "aiohttp"]),
    ],
)
def test_a_daemon_imports_its_own_clients_only(module: str, forbidden: list[str]) -> None:
    never = [*forbidden, "google.cloud.aiplatform", "vertexai", "google.genai"]
    script = f"import sys, {module}; print([name for name in {never!r} if name in sys.modules])"

    found = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)

    assert found.stdout.strip() == "[]"
