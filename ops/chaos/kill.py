"""Kills one daemon in the middle of a day and compares the end with an undisturbed day.

The day is the demo's: same people, same calls. A run is right when nothing is lost, nothing is doubled, and CRM
records, notes, mails and tickets are the same as without the kill.
"""

import asyncio
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import aiohttp
from rich.console import Console

from connectors.store.opening import open_store
from connectors.store.seam import Scope
from ops.chaos.progress import progress
from ops.demo.balance import Balance
from ops.demo.crm_contents import Item, comparable
from ops.demo.run import TENANTS, DayResult, demo_secrets, run_day
from ops.demo.view import DemoView
from ops.stack.house import House, HousePlan
from rules.loader import load_folder

TENANTS_DIR = Path(__file__).resolve().parents[2] / "rules" / "tenants"
KILL_AT = {
    "transcription": ("inbound.calls", 8),
    "analysis": ("analyzed", 4),
    "routing": ("decided", 8),
    "delivery": ("deliver", 6),
    "recorder": ("outcomes", 8),
    "retry": ("retry", 2),
}
"""Daemon to the stage and count at which it is killed: in the middle of its work."""

FAILPOINTS = (
    ("transcription", "after_publish_before_commit:4"),
    ("analysis", "after_publish_before_commit:6"),
    ("routing", "after_publish_before_commit:9"),
    ("delivery", "after_publish_before_commit:11"),
    ("delivery", "after_vendor_answer_before_done:5"),
    ("delivery", "after_done_before_continuation:7"),
    ("recorder", "after_publish_before_commit:15"),
    ("retry", "after_publish_before_commit:1"),
)
"""The worst moments of each daemon."""

AWAY = {"vendor": "hubspot", "kind": "status", "status": 503, "times": 45}
"""A CRM that is away for a moment, so that the retry daemon has something to hold when it is killed."""

LEASE_SECONDS = 5.0


class NeverHappened(Exception):
    """The day passed without the moment at which a daemon was to be killed."""


async def run_kills(
    console: Console, kills: Sequence[tuple[str, str | None]], *, side_by_side: int = 2
) -> dict[str, Any]:
    """An undisturbed day, and one day per (daemon, failpoint or None for a moment in the middle of its work).

    `side_by_side` days run at a time, each in a house of its own. The answer is `{"chaos", "runs", "lost",
    "duplicates", "different"}`; the first run is the undisturbed one.
    """
    gate = asyncio.Semaphore(side_by_side)
    with progress(console, 1 + len(kills)) as ended:

        async def one(daemon: str | None, failpoint: str | None) -> tuple[DayResult, dict[str, int]]:
            async with gate:
                day = await _day(daemon, failpoint)
            ended(f"kill -9 {daemon}" + (f" at {failpoint}" if failpoint else "") if daemon else "an undisturbed day")
            return day

        days: Sequence[tuple[str | None, str | None]] = [(None, None), *kills]
        (calm, tickets), *disturbed = await asyncio.gather(*(one(*day) for day in days))
    members = pool_members(TENANTS_DIR)
    wanted = _without_members(calm.contents, members)
    runs = [_run("undisturbed", None, calm, [])]
    for (daemon, failpoint), (result, drawn) in zip(kills, disturbed, strict=True):
        differences = _differences(wanted, _without_members(result.contents, members))
        if drawn != tickets:
            differences.append(f"tickets: {drawn} instead of {tickets}")
        runs.append(_run(daemon, failpoint, result, differences))
    return {
        "chaos": "kill",
        "runs": runs,
        "lost": sum(run["lost"] for run in runs),
        "duplicates": sum(run["duplicates"] for run in runs),
        "different": sum(len(run["different"]) for run in runs),
    }


def _run(name: str, failpoint: str | None, result: DayResult, differences: list[str]) -> dict[str, Any]:
    report = result.report
    return {
        "name": name,
        "failpoint": failpoint,
        "accepted": report["accepted"],
        "found": report["events"] + report["repeated"],
        "lost": report["lost"],
        "duplicates": report["duplicates"],
        "different": differences,
        "seconds": report["seconds"],
        "open": result.open_events,
        "parked": report["parked"],
    }


async def _day(daemon: str | None, failpoint: str | None) -> tuple[DayResult, dict[str, int]]:
    with tempfile.TemporaryDirectory(prefix="leadbus-chaos-") as folder:
        env = {"LEADBUS_LEASE_SECONDS": str(LEASE_SECONDS)}
        aimed = {daemon: {"LEADBUS_FAILPOINT": failpoint}} if daemon and failpoint else {}
        plan = HousePlan(
            run_dir=Path(folder), tenants_dir=TENANTS_DIR, secrets=demo_secrets(), env=env, daemon_env=aimed
        )
        async with House(plan) as house:
            await house.start()
            if daemon == "retry":
                await _send_away(house)

            async def disturb(house: House, balance: Balance) -> None:
                assert daemon is not None
                if failpoint:
                    await _until(lambda: daemon not in house.supervisor.running)
                else:
                    stage, count = KILL_AT[daemon]
                    await _until(lambda: balance.stages[stage] >= count)
                    await house.kill(daemon)
                await house.restart(daemon)

            with DemoView(Console(quiet=True), 60, quiet=True) as view:
                # One connection: two runs must receive the day in the same order to be comparable.
                result = await run_day(house, view, connections=1, disturb=disturb if daemon else None)
            return result, await _tickets(house)


async def _send_away(house: House) -> None:
    async with aiohttp.ClientSession() as session:
        answer = await session.post(f"{house.sandbox['control']}/faults", json=AWAY)
        answer.raise_for_status()


async def _until(moment: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait for the moment to strike; `NeverHappened` when it does not come."""
    try:
        async with asyncio.timeout(seconds):
            while not moment():  # noqa: ASYNC110 - it lies in another process: nobody could set an event
                await asyncio.sleep(0.02)
    except TimeoutError as error:
        raise NeverHappened(f"the moment to kill did not come within {seconds:.0f} s: nothing was tested") from error


async def _tickets(house: House) -> dict[str, int]:
    store = open_store(house.store_url)
    try:
        counts = {tenant: await store.count(Scope(tenant)) for tenant in TENANTS}
    finally:
        await store.close()
    return {tenant: count.get("tickets", 0) for tenant, count in counts.items()}


def pool_members(tenants: Path) -> list[str]:
    """Everyone whom a pool may draw: who draws which ticket depends on the order of the decisions, so names are left
    out of the comparison; that every order has one ticket, and none is missing, is compared."""
    folders = [path for path in tenants.iterdir() if (path / "tenant.yaml").is_file()]
    pools = [pool for folder in folders for pool in load_folder(folder).rules.pools.values()]
    return sorted({member.id for pool in pools for member in pool.members}, key=len, reverse=True)


def _without_members(contents: list[Item], members: list[str]) -> list[dict[str, Any]]:
    def blank(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: blank(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [blank(inner) for inner in value]
        if isinstance(value, str):
            for member in members:
                value = value.replace(member, "(a member of the pool)")
        return value

    return [{**item, "content": blank(item["content"])} for item in comparable(contents)]


def _differences(wanted: list[dict[str, Any]], found: list[dict[str, Any]]) -> list[str]:
    """What stands in one end and not in the other; contents in words."""
    rest = list(found)
    missing = []
    for item in wanted:
        if item in rest:
            rest.remove(item)
        else:
            missing.append(item)
    return [f"missing: {item}" for item in missing] + [f"unexpected: {item}" for item in rest]
