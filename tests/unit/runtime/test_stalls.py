"""The stuck detector: a loop that is really blocked, tasks that ignore their cancellation, records that do not move."""

import asyncio
import contextlib
import logging
import os
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from datetime import timedelta

from consumers.runtime.clock import SystemClock
from consumers.runtime.metrics import Metrics
from consumers.runtime.stacks import LARGEST, stack_of_task, stacks_of_tasks
from consumers.runtime.stalls import QUIET_SECONDS, Stalls
from tests.unit.runtime.memory import TurnedClock

SECRET = "Zoe Marchand"


class Told(logging.Handler):
    """What the detector wrote, from whichever thread."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.come = threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())
        self.come.set()


@contextlib.contextmanager
def listening() -> Iterator[Told]:
    handler, log = Told(), logging.getLogger("consumers.runtime.stalls")
    log.addHandler(handler)
    try:
        yield handler
    finally:
        log.removeHandler(handler)


class Work:
    """What a detector looks at."""

    def __init__(self) -> None:
        self.running: dict[asyncio.Task[None], object] = {}
        self.why: str | None = None
        self.metrics = Metrics.create()
        self.clock = TurnedClock()

    def at_work(self) -> Mapping["asyncio.Task[None]", object]:
        return self.running

    def detector(self, *, real: bool = False, loop_seconds: float = 5.0) -> Stalls:
        return Stalls(
            clock=SystemClock() if real else self.clock,
            metrics=self.metrics,
            running=self.at_work,
            why_stalled=lambda: self.why,
            loop_seconds=loop_seconds,
        )

    def pass_time(self, seconds: float) -> None:
        self.clock.moment += timedelta(seconds=seconds)


async def test_a_blocked_loop_is_told_with_the_place_that_blocks_it() -> None:
    work = Work()
    detector = work.detector(real=True, loop_seconds=0.1)

    def a_call_that_blocks(come: threading.Event) -> None:
        customer = SECRET
        deadline = time.monotonic() + 20
        while not come.is_set() and time.monotonic() < deadline:
            time.sleep(0.01)
        assert customer

    async def handler(come: threading.Event) -> None:
        a_call_that_blocks(come)

    with listening() as log:
        await detector.start()
        try:
            await asyncio.sleep(0)
            await handler(log.come)
        finally:
            await detector.stop()
    assert log.texts
    assert "stuck (loop): the event loop has not turned" in log.texts[0]
    assert "a_call_that_blocks" in log.texts[0]
    assert "MainThread" in log.texts[0]
    assert SECRET not in log.texts[0]
    assert work.metrics.value("stalls_total", kind="loop") == 1


async def test_a_loop_that_turns_is_not_told_of() -> None:
    work = Work()
    detector = work.detector(real=True, loop_seconds=30.0)
    with listening() as log:
        await detector.start()
        for _ in range(20):
            await asyncio.sleep(0)
        await detector.stop()
    assert log.texts == []


async def test_a_handler_that_swallows_its_cancellation_is_found_by_its_stack() -> None:
    work, release = Work(), asyncio.Event()

    async def deaf() -> None:
        while not release.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await release.wait()

    async def obedient() -> None:
        await asyncio.Event().wait()

    stubborn, good = asyncio.create_task(deaf()), asyncio.create_task(obedient())
    work.running = {stubborn: "record 1", good: "record 2"}
    await asyncio.sleep(0)
    detector = work.detector()
    with listening() as log:
        detector.look()
        stubborn.cancel()
        await asyncio.sleep(0)
        detector.look()
        work.pass_time(9.0)
        detector.look()
        assert log.texts == []
        work.pass_time(1.5)
        detector.look()
    assert len(log.texts) == 1
    assert "stuck (handler): 1 tasks go on" in log.texts[0]
    assert ".deaf" in log.texts[0]
    assert "obedient" not in log.texts[0]
    release.set()
    good.cancel()
    await asyncio.wait([stubborn, good])


async def test_a_slot_that_takes_the_next_record_is_not_taken_for_stubborn() -> None:
    work, release = Work(), asyncio.Event()

    async def slot() -> None:
        while not release.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await release.wait()

    task = asyncio.create_task(slot())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.sleep(0)
    detector = work.detector()
    with listening() as log:
        for record in range(4):
            work.running = {task: f"record {record}"}
            detector.look()
            work.pass_time(9.0)
    assert log.texts == []
    release.set()
    await task


async def test_records_that_do_not_move_are_told_with_every_tasks_stack_and_each_stack_once() -> None:
    work, never = Work(), asyncio.Event()

    async def vendor_call(name: str) -> None:
        assert name
        await never.wait()

    async def handler(name: str) -> None:
        await vendor_call(name)

    tasks = [asyncio.create_task(handler(SECRET)) for _ in range(30)]
    await asyncio.sleep(0)
    work.why = "nothing was accepted or finished for 200 s, and 30 records wait"
    detector = work.detector()
    with listening() as log:
        detector.look()
    [text] = log.texts
    assert text.startswith(f"stuck (nothing_moves): {work.why}")
    assert "-- 30 x" in text
    assert text.count("vendor_call") == 1
    assert text.index(".handler") < text.index("vendor_call") < text.index("asyncio.locks")
    assert SECRET not in text
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


async def test_a_kind_is_told_at_most_once_a_minute() -> None:
    work = Work()
    work.why = "nothing moves"
    detector = work.detector()
    with listening() as log:
        for _ in range(10):
            detector.look()
            work.pass_time(QUIET_SECONDS / 10)
        assert len(log.texts) == 1
        detector.look()
    assert len(log.texts) == 2
    assert work.metrics.value("stalls_total", kind="nothing_moves") == 2


async def test_sigusr1_writes_threads_and_tasks_also_while_the_loop_is_blocked() -> None:
    work = Work()
    before = signal.getsignal(signal.SIGUSR1)
    detector = work.detector(real=True, loop_seconds=60.0)

    async def waits_for_nothing() -> None:
        await asyncio.Event().wait()

    waiting = asyncio.create_task(waits_for_nothing())
    await asyncio.sleep(0)
    with listening() as log:
        await detector.start()
        os.kill(os.getpid(), signal.SIGUSR1)
        assert log.come.wait(20)  # the loop does not turn meanwhile
        await detector.stop()
    assert "stuck (asked)" in log.texts[0]
    assert "MainThread" in log.texts[0]
    assert "waits_for_nothing" in log.texts[0]
    assert signal.getsignal(signal.SIGUSR1) is before
    waiting.cancel()
    await asyncio.wait([waiting])


async def test_at_most_twenty_kinds_of_stacks_are_told() -> None:
    async def wait(depth: int) -> None:
        if depth:
            await wait(depth - 1)
        else:
            await asyncio.Event().wait()

    tasks = [asyncio.create_task(wait(depth)) for depth in range(LARGEST + 5)]
    await asyncio.sleep(0)
    text = stacks_of_tasks(tasks)
    assert text.startswith(f"{LARGEST + 5} tasks")
    assert text.count("-- 1 x") == LARGEST
    assert text.endswith("-- and 5 more kinds of stacks")
    assert len(stack_of_task(tasks[3])) == len(stack_of_task(tasks[2])) + 1
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
