"""Posts webhooks until they are taken: a sender that, like a vendor that retries, posts the same bytes again.

503, 429, a refused connection, an answer that does not come or breaks off: the same webhook is posted again, after a
pause that grows from half a second to three. A POST that was under way when the connection broke is *unknown*: it may
be in Kafka already, so its repetition is the same event once more. Vendors that never post again (CallRail among them)
lose a lead in such a moment, with or without us: only a gateway that answers can save it.
"""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field

import aiohttp

from ops.demo.senders import Webhook

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 3.0
ANSWER_SECONDS = 8.0
"""How long a sender waits for an answer: vendors give 5 to 30 s."""
OUR_TROUBLE = frozenset({429, 500, 502, 503, 504})


@dataclass(slots=True)
class Posted:
    """What became of the posts so far."""

    webhooks: int = 0
    attempts: int = 0
    accepted: list[Webhook] = field(default_factory=list)
    refused: list[Webhook] = field(default_factory=list)
    """Refused for good, as they should be."""
    unexpected: list[str] = field(default_factory=list)
    """Answers that this webhook should not get."""
    again: Counter[str] = field(default_factory=Counter)
    """Why a webhook was posted again: a status, `not_connected`, or `unknown` for a POST that broke under way."""
    waited: list[float] = field(default_factory=list)
    """Seconds from the first attempt to the final answer."""

    @property
    def ended(self) -> int:
        """Webhooks with a final answer."""
        return len(self.accepted) + len(self.refused) + len(self.unexpected)


class Senders:
    """Posts each webhook in a task of its own."""

    def __init__(self, base_url: str, *, first_pause: float = FIRST_PAUSE_SECONDS) -> None:
        """`first_pause` in seconds, before a webhook is posted the second time; it doubles."""
        self.posted = Posted()
        self._base_url = base_url
        self._first_pause = first_pause
        self._tasks: set[asyncio.Task[None]] = set()
        # Every attempt on a connection of its own: one that a killed gateway left behind would tell nothing.
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=100, force_close=True),
            timeout=aiohttp.ClientTimeout(total=ANSWER_SECONDS),
        )

    def post(self, webhook: Webhook) -> None:
        """Begin to post it."""
        self.posted.webhooks += 1
        task = asyncio.create_task(self._until_taken(webhook))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    @property
    def under_way(self) -> int:
        """Webhooks without a final answer."""
        return len(self._tasks)

    async def idle(self) -> None:
        """Wait until every webhook has its final answer."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def close(self) -> None:
        """Give up on what is still under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._session.close()

    async def _until_taken(self, webhook: Webhook) -> None:
        began, pause, posted = time.monotonic(), self._first_pause, self.posted
        while (status := await self._attempt(webhook)) is None:
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
        posted.waited.append(time.monotonic() - began)
        if status != webhook.expect:
            posted.unexpected.append(f"{webhook.about}: expected {webhook.expect}, got {status}")
        elif status == 202:
            posted.accepted.append(webhook)
        else:
            posted.refused.append(webhook)

    async def _attempt(self, webhook: Webhook) -> int | None:
        """The final answer, or None when it must be posted again."""
        self.posted.attempts += 1
        try:
            async with self._session.post(
                self._base_url + webhook.path, data=webhook.body, headers=dict(webhook.headers), allow_redirects=False
            ) as response:
                await response.read()
                status = response.status
        except aiohttp.ClientConnectorError:
            self.posted.again["not_connected"] += 1
            return None
        except (aiohttp.ClientError, TimeoutError, OSError):
            self.posted.again["unknown"] += 1
            return None
        if status in OUR_TROUBLE:
            self.posted.again[str(status)] += 1
            return None
        return status
