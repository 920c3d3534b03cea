"""What `leadbus demo` and `leadbus up` run: the house, started and stopped cleanly, also on Ctrl-C."""

import asyncio
import contextlib
import signal
from pathlib import Path

from rich.console import Console

from ops.demo.run import DayResult, demo_secrets, run_day
from ops.demo.view import DemoView, show_report
from ops.stack.house import House, HousePlan


async def run_demo(console: Console, folder: Path, tenants: Path, leads: int) -> DayResult:
    """Start the house, run the day, show the report."""
    plan = HousePlan(run_dir=folder, tenants_dir=tenants, secrets=demo_secrets())
    async with House(plan) as house:
        with DemoView(console, leads) as view:
            view.say("starting broker, store, sandbox, gateway and six daemons …")
            await house.start()
            view.say(f"ready: {house.gateway_url} takes webhooks; the vendors are {house.sandbox['control']}/state")
            result = await run_day(house, view, leads=leads)
        show_report(console, result.report, [f"parked: {line}" for line in result.parked])
    return result


async def run_up(
    console: Console, folder: Path, tenants: Path, port: int, kafka: str | None, store: str | None
) -> None:
    """Start the house and stay until a signal or until a process ends by itself."""
    plan = HousePlan(
        run_dir=folder,
        tenants_dir=tenants,
        secrets=demo_secrets(),
        kafka_bootstrap=kafka,
        store_url=store,
        gateway_port=port,
    )
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with House(plan) as house:
        await house.start()
        for name, where in house.told().items():
            console.print(f"{name:<12} {where}", highlight=False)
        console.print("up; Ctrl-C stops everything", highlight=False)
        ended = asyncio.create_task(house.supervisor.unexpected_exit())
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait({ended, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if ended.done():
            console.print(f"[red]{ended.result()}[/red]")
        for task in (ended, stopped):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
