"""Posts webhooks as vendors do: several connections, each webhook once, its answer and time kept."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import aiohttp

from ops.demo.senders import Webhook
from schemas import codec


@dataclass(frozen=True, slots=True)
class Answer:
    """What the gateway said; `seconds` from the first byte sent to the last byte read."""

    webhook: Webhook
    status: int
    seconds: float
    request_ids: tuple[str, ...]

    @property
    def as_expected(self) -> bool:
        """Whether the status is the one this webhook should get."""
        return self.status == self.webhook.expect


async def post_all(
    base_url: str,
    webhooks: Sequence[Webhook],
    *,
    connections: int = 8,
    pause: float = 0.0,
    on_answer: Callable[[Answer], None] = lambda answer: None,
) -> list[Answer]:
    """Post in order over a few connections; `pause` seconds between two starts."""
    answers: list[Answer | None] = [None] * len(webhooks)
    gate = asyncio.Semaphore(connections)

    async def post(index: int, webhook: Webhook) -> None:
        async with gate:
            answers[index] = answer = await _post(session, base_url, webhook)
            on_answer(answer)

    connector = aiohttp.TCPConnector(limit=connections)
    async with (
        aiohttp.ClientSession(connector=connector, auto_decompress=False) as session,
        asyncio.TaskGroup() as group,
    ):
        for index, webhook in enumerate(webhooks):
            group.create_task(post(index, webhook))
            await asyncio.sleep(pause)
    return [answer for answer in answers if answer is not None]


async def _post(session: aiohttp.ClientSession, base_url: str, webhook: Webhook) -> Answer:
    started = time.perf_counter()
    async with session.post(
        base_url + webhook.path, data=webhook.body, headers=dict(webhook.headers), allow_redirects=False
    ) as response:
        body = await response.read()
    seconds = time.perf_counter() - started
    request_ids: tuple[str, ...] = ()
    if response.status == 202:
        request_ids = tuple(codec.loads(body).get("request_ids", ()))
    return Answer(webhook=webhook, status=response.status, seconds=seconds, request_ids=request_ids)
