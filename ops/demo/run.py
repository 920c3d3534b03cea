"""The demo: sixty webhooks of an ordinary day through the whole house, and an account of every one of them.

`run_day` is also what the end-to-end tests and the fault runs use: the same day, another broker, another store, a
daemon killed in the middle.
"""

import asyncio
import statistics
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from connectors.store.opening import open_store
from connectors.store.seam import FullStore, Parked, Scope
from ops.demo import crm_contents
from ops.demo.balance import Balance, lost
from ops.demo.day import AGENCY, DENTAL, ROOFING
from ops.demo.posting import Answer, post_all
from ops.demo.scenario import ordinary_day
from ops.demo.senders import signing_secret
from ops.demo.view import DemoView
from ops.demo.watch import Watcher
from ops.stack.errors import PartFailed
from ops.stack.house import House
from schemas import codec

TENANTS = (ROOFING, DENTAL, AGENCY)
SETTLE_SECONDS = 120.0


@dataclass(slots=True)
class DayResult:
    """Everything a run left behind."""

    report: dict[str, Any]
    contents: list[crm_contents.Item]
    unexpected: list[str] = field(default_factory=list)
    open_events: list[str] = field(default_factory=list)
    parked: list[str] = field(default_factory=list)


def demo_secrets() -> dict[str, str]:
    """Every secret that the example tenants name, with credentials that only the sandbox takes."""
    secrets: dict[str, str] = {}
    for tenant in TENANTS:
        for name in ("CALLRAIL_SIGNING_KEY", "CALENDLY_SIGNING_KEY", "TAWK_SECRET"):
            secrets[f"{tenant}/{name}"] = signing_secret(tenant, name)
        for name, vendor in (
            ("CALLRAIL_API_KEY", "callrail"),
            ("HUBSPOT_TOKEN", "hubspot"),
            ("SALESFORCE_TOKEN", "salesforce"),
            ("PIPEDRIVE_TOKEN", "pipedrive"),
            ("SENDGRID_KEY", "sendgrid"),
        ):
            secrets[f"{tenant}/{name}"] = f"sandbox-{vendor}-{tenant}"
    return secrets


Disturbance = Callable[[House, Balance], Coroutine[Any, Any, None]]


async def run_day(
    house: House,
    view: DemoView,
    *,
    leads: int = 60,
    pause: float = 0.03,
    connections: int = 8,
    settle_seconds: float = SETTLE_SECONDS,
    disturb: Disturbance | None = None,
) -> DayResult:
    """Post the day, wait until every event has ended, and account for it. `disturb` runs beside the posting."""
    started = time.monotonic()
    day = ordinary_day(house.sandbox["callrail"], leads=leads)
    await _map_recordings(house.sandbox["control"], day.recordings)
    balance = Balance()
    watcher = Watcher(house.bootstrap, balance.add, prefix=house.plan.topic_prefix)
    watcher.start()
    answers: list[Answer] = []
    store = open_store(house.store_url)
    posting = asyncio.create_task(
        post_all(house.gateway_url, day.webhooks, connections=connections, pause=pause, on_answer=answers.append),
        name="posting",
    )
    disturbing = asyncio.create_task(disturb(house, balance), name="disturbing") if disturb else None
    try:
        deadline = started + settle_seconds
        first = time.monotonic()
        while True:
            await asyncio.sleep(0.1)
            view.update(len(answers), balance, time.monotonic() - first)
            if posting.done() and (disturbing is None or disturbing.done()):
                posting.result()
                if disturbing is not None:
                    disturbing.result()
                parked = await _account_parked(store, balance)
                if _settled(answers, balance) or time.monotonic() > deadline:
                    break
            if watcher.failure:
                raise PartFailed(f"the onlooker cannot read the topics: {watcher.failure}")
        await _recorder_has_caught_up(store, balance)
        contents = crm_contents.items(await _state(house.sandbox["control"]))
        report = _report(answers, balance, contents, parked, time.monotonic() - started)
    finally:
        await _ended(posting, disturbing)
        watcher.stop()
        await store.close()
    unexpected = [
        f"{answer.webhook.about}: expected {answer.webhook.expect}, got {answer.status}"
        for answer in answers
        if not answer.as_expected
    ]
    return DayResult(
        report=report,
        contents=contents,
        unexpected=unexpected,
        open_events=[f"{e}: {balance.events[e].about}" for e in balance.open()],
        parked=[f"{p.stage}: {p.reason} ({p.detail})" for p in parked],
    )


async def _ended(*tasks: asyncio.Task[Any] | None) -> None:
    """On the way out, also of a Ctrl-C: nobody goes on posting to a gateway that is being stopped."""
    left = [task for task in tasks if task is not None and not task.done()]
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)


def _settled(answers: list[Answer], balance: Balance) -> bool:
    accepted = sum(answer.status == 202 for answer in answers)
    return balance.arrivals >= accepted and not balance.open()


async def _account_parked(store: FullStore, balance: Balance) -> list[Parked]:
    parked: list[Parked] = []
    for tenant in TENANTS:
        parked += await store.list_parked(Scope(tenant))
    for one in parked:
        phase = codec.loads(one.record).get("phase") if one.topic.startswith("deliver.") else None
        if phase is None and one.reason == "held_by_rule":
            phase = "received" if one.topic.startswith("inbound.") else "analyzed"
        balance.parked(one.event_id, one.topic, phase)
    return parked


async def _recorder_has_caught_up(store: FullStore, balance: Balance, seconds: float = 15.0) -> None:
    """Wait until the store holds as many final states as were published: what it does not get is not accounted for."""
    deadline = time.monotonic() + seconds
    wanted = sum(balance.states.values())
    while time.monotonic() < deadline:
        if await _stored_outcomes(store) >= wanted:
            return
        await asyncio.sleep(0.1)


async def _stored_outcomes(store: FullStore) -> int:
    counts = [await store.count(Scope(tenant)) for tenant in TENANTS]
    return sum(count.get("outcomes", 0) for count in counts)


def _report(
    answers: list[Answer],
    balance: Balance,
    contents: list[crm_contents.Item],
    parked: list[Parked],
    seconds: float,
) -> dict[str, Any]:
    accepted = [answer for answer in answers if answer.status == 202]
    requests = [request_id for answer in accepted for request_id in answer.request_ids]
    missing = lost(balance, requests)
    return {
        "sent": len(answers),
        "accepted": len(accepted),
        "rejected": len(answers) - len(accepted),
        "unexpected_answers": sum(not answer.as_expected for answer in answers),
        "leads": balance.requests,
        "events": len(balance.events),
        "repeated": balance.arrivals - len(balance.events),
        "deliveries": balance.states["delivered"],
        "states": dict(balance.states),
        "parked": len(parked),
        "lost": len(missing),
        "duplicates": len(crm_contents.doubled(contents)),
        "doubled": crm_contents.doubled(contents),
        "dead_letters": balance.dead_letters,
        "seconds": round(seconds, 2),
        "cost_usd": round(balance.cost_usd, 6),
        "latency_ms": {
            "gateway": _percentiles([answer.seconds * 1000.0 for answer in answers]),
            "end_to_end": _percentiles(balance.end_to_end_ms()),
        },
        "contents": crm_contents.counts(contents),
    }


def _percentiles(values: list[float]) -> dict[str, float]:
    if not values:
        return {"p50": 0.0, "p99": 0.0}
    ordered = sorted(values)
    return {
        "p50": round(statistics.median(ordered), 1),
        "p99": round(ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))], 1),
    }


async def _map_recordings(control_url: str, recordings: Mapping[str, str]) -> None:
    async with aiohttp.ClientSession() as session:
        for call_id, name in recordings.items():
            answer = await session.post(f"{control_url}/recordings", json={"call_id": call_id, "name": name})
            answer.raise_for_status()


async def _state(control_url: str) -> dict[str, Any]:
    async with aiohttp.ClientSession() as session, session.get(f"{control_url}/state") as answer:
        answer.raise_for_status()
        state: dict[str, Any] = await answer.json()
        return state
