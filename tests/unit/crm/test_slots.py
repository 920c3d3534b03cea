"""A slow tenant keeps its own slots busy and nobody else's."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from connectors.crm.slots import Slots


async def test_a_tenant_whose_calls_hang_leaves_threads_for_the_others() -> None:
    with ThreadPoolExecutor(4) as threads:
        slow, other = Slots(threads, 2), Slots(threads, 2)
        release = threading.Event()
        hanging = [asyncio.create_task(slow.in_thread(release.wait)) for _ in range(10)]
        await asyncio.sleep(0)
        assert await other.in_thread(lambda: "done") == "done"
        assert not any(task.done() for task in hanging)
        release.set()
        assert await asyncio.gather(*hanging) == [True] * 10


async def test_a_cancelled_caller_frees_its_slot_only_when_the_call_has_ended() -> None:
    with ThreadPoolExecutor(2) as threads:
        slots, release, ended = Slots(threads, 1), threading.Event(), threading.Event()

        def call() -> None:
            release.wait()
            ended.set()
            raise ValueError("nobody waits for this")

        first = asyncio.create_task(slots.in_thread(call))
        await asyncio.sleep(0)
        first.cancel()
        second = asyncio.create_task(slots.in_thread(ended.is_set))
        with pytest.raises(asyncio.CancelledError):
            await first
        assert not second.done()
        release.set()
        assert await second is True


async def test_an_error_of_the_call_is_raised_and_the_slot_is_free_again() -> None:
    with ThreadPoolExecutor(1) as threads:
        slots = Slots(threads, 1)
        for _ in range(3):
            with pytest.raises(ZeroDivisionError):
                await slots.in_thread(lambda: 1 / 0)
        async with slots.taken():
            waiting = asyncio.create_task(slots.in_thread(lambda: 1))
            await asyncio.sleep(0)
            assert not waiting.done()
        assert await waiting == 1
