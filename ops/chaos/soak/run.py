"""One soak: minutes of traffic and trouble, then calm until all has settled, then the verdict.

Settled means: every part says that it is ready, every webhook has its answer, and nothing is missing that is not open
with a reason. What does not come about within its time is a finding, not an error; `StackError` is raised only when
the run itself cannot go on (the broker does not start any more, the topics cannot be read).
"""

import asyncio
import contextlib
import itertools
import threading
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import aiohttp
from rich.console import Console

from connectors.store.opening import open_store
from connectors.store.seam import FullStore
from ops.chaos.soak.account import Account
from ops.chaos.soak.ends import read_ends
from ops.chaos.soak.leads import TENANTS, Leads, Story
from ops.chaos.soak.parts import Parts
from ops.chaos.soak.places import Place, open_place
from ops.chaos.soak.report import Order, Took, report_of
from ops.chaos.soak.schedule import disturbances, misbehaviours
from ops.chaos.soak.sending import Senders
from ops.chaos.soak.trace import Trace
from ops.chaos.soak.trouble import Trouble
from ops.chaos.soak.verdict import Verdict, judge
from ops.chaos.soak.view import SoakView
from ops.demo.watch import Onlooker, Seen
from ops.stack.errors import PartFailed

SETTLE_SECONDS = 180.0
READY_SECONDS = 90.0
ANSWERED_SECONDS = 60.0
LOOK_SECONDS = 2.0
REPLICAS = {"delivery-2": "delivery", "routing-2": "routing"}
"""Second processes: a frozen or killed member's partitions go to somebody else."""
ROOMY = {
    "callrail_per_hour": 1_000_000,
    "hubspot_per_10s": 10_000,
    "hubspot_daily": 100_000_000,
    "pipedrive_burst_per_2s": 10_000,
    "pipedrive_search_per_2s": 10_000,
    "pipedrive_daily_tokens": 1_000_000_000,
    "salesforce_daily": 10_000_000,
}
"""The vendors' limits, lifted: what piles up in an outage would run into them again and again, and end open in the
slow retry tiers or parked. Limits are hit on purpose, by faults that answer 429."""


async def run_soak(console: Console, order: Order) -> dict[str, Any]:
    """The report (`ops.chaos.soak.report`)."""
    with SoakView(console, order.minutes * 60.0) as view, Trace(order.folder) as trace:
        view.say(f"soak with seed {order.seed}: starting a real Kafka, the store, the vendors and the house …")
        (order.folder / "logs").mkdir(exist_ok=True)
        async with open_place(order.folder, order.tenants, order.store) as place:
            return await _Soak(order, place, view, trace).run()


class _Soak:
    """One run in a place that is up."""

    def __init__(self, order: Order, place: Place, view: SoakView, trace: Trace) -> None:
        self._order, self._place, self._view, self._trace = order, place, view, trace
        self._seconds = order.minutes * 60.0
        self._account = Account()
        self._lock = threading.Lock()
        self._unsettled: list[str] = []
        self._parts = Parts(place.house, place.broker, REPLICAS, self._note)
        self._control = place.house.sandbox["control"]
        self._began = time.monotonic()

    async def run(self) -> dict[str, Any]:
        house, chance = self._place.house, Random(self._order.seed)
        await self._parts.start_replicas()
        await self._lift_limits()
        disturbed = 0.0 if self._order.calm else self._seconds
        planned = disturbances(chance, disturbed, self._parts.names, self._parts.daemons)
        faults = misbehaviours(chance, disturbed)
        leads = Leads(Random(chance.random()), house.sandbox["callrail"], f"s{self._order.seed}")
        trouble = Trouble(self._parts, self._control, planned, faults, self._note)
        self._view.say(f"{len(planned)} disturbances of {len(self._parts.names)} parts, {len(faults)} vendors' faults")
        self._began = time.monotonic()
        async with self._onlooker() as onlooker, self._senders() as senders, self._store() as store:
            async with self._beside(self._parts.supervise(), self._show(senders)):
                async with asyncio.TaskGroup() as group:
                    group.create_task(trouble.run())
                    group.create_task(self._send(senders, leads))
                calm_at = time.monotonic()
                verdict = await self._settle(senders, store, onlooker)
            now = time.monotonic()
            took = Took(whole=now - self._began, settling=now - calm_at)
            return report_of(
                self._order, verdict, self._account, senders.posted, self._parts, trouble, self._unsettled, took
            )

    async def _send(self, senders: Senders, leads: Leads) -> None:
        """Stories begin at the rate of the order; each posts in its own time."""
        async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
            for number in itertools.count():
                wait = self._began + number / self._order.rate - time.monotonic()
                await asyncio.sleep(max(wait, 0.0))
                if time.monotonic() - self._began >= self._seconds:
                    return
                group.create_task(self._tell(session, senders, leads.next()))

    async def _tell(self, session: aiohttp.ClientSession, senders: Senders, story: Story) -> None:
        for call_id, name in story.recordings.items():
            recording = {"call_id": call_id, "name": name}
            (await session.post(f"{self._control}/recordings", json=recording)).raise_for_status()
        for pause, webhook in story.posts:
            senders.post(webhook)
            await asyncio.sleep(pause)

    async def _settle(self, senders: Senders, store: FullStore, onlooker: Onlooker) -> Verdict:
        self._note("calm", {})
        await self._all_ready()
        try:
            await asyncio.wait_for(senders.idle(), ANSWERED_SECONDS)
        except TimeoutError:
            self._unsettled.append(f"{senders.under_way} webhooks got no answer though everything was up")
        deadline = datetime.now(UTC) + timedelta(seconds=SETTLE_SECONDS)
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if onlooker.failure:
                raise PartFailed(f"the onlooker cannot read the topics: {onlooker.failure}")
            ends = await read_ends(store, TENANTS, self._account, self._control, self._place.house.bootstrap)
            with self._lock:
                now, posted = datetime.now(UTC), senders.posted
                verdict = judge(self._account, ends, posted.accepted, posted.refused, now)
                soon = [each for each in self._account.retrying() if each.due is not None and each.due < deadline]
            if not (verdict.lost or verdict.stuck or soon) or now > deadline:
                return verdict

    async def _all_ready(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while away := await self._parts.not_ready():
            if time.monotonic() > deadline:
                self._unsettled.append(f"not ready after the trouble: {', '.join(away)}")
                return
            await asyncio.sleep(0.2)

    async def _lift_limits(self) -> None:
        async with aiohttp.ClientSession() as session:
            (await session.post(f"{self._control}/limits", json=ROOMY)).raise_for_status()

    async def _show(self, senders: Senders) -> None:
        while True:
            spent, posted, stages = time.monotonic() - self._began, senders.posted, self._account.stages
            phase = "disturbing" if spent < self._seconds else "settling"
            figures = (
                f"{posted.ended} of {posted.webhooks} answered ({posted.ended / max(spent, 1.0):.1f}/s), "
                f"{stages['decided']} decided, {stages['outcomes']} ended, {stages['retry']} retries, "
                f"{sum(self._parts.kills.values())} kills"
            )
            self._view.update(phase, spent, figures)
            await asyncio.sleep(0.25)

    def _look(self, seen: Seen) -> None:
        self._trace.record(seen)
        with self._lock:
            self._account.add(seen)

    def _note(self, what: str, about: dict[str, Any]) -> None:
        self._view.happened(what, about)
        self._trace.note(what, about)

    @contextlib.asynccontextmanager
    async def _onlooker(self) -> AsyncIterator[Onlooker]:
        onlooker = Onlooker(self._place.house.bootstrap, self._look)
        onlooker.start()
        try:
            yield onlooker
        finally:
            await asyncio.to_thread(onlooker.stop)

    @contextlib.asynccontextmanager
    async def _senders(self) -> AsyncIterator[Senders]:
        senders = Senders(self._place.house.gateway_url)
        try:
            yield senders
        finally:
            await senders.close()

    @contextlib.asynccontextmanager
    async def _store(self) -> AsyncIterator[FullStore]:
        store = open_store(self._place.house.store_url)
        try:
            yield store
        finally:
            await store.close()

    @contextlib.asynccontextmanager
    async def _beside(self, *work: Any) -> AsyncIterator[None]:
        """Runs until the block ends; what fails there fails the block's end."""
        tasks = [asyncio.create_task(each) for each in work]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
            await self._parts.close()
        for error in ended:
            if isinstance(error, Exception):
                raise error
