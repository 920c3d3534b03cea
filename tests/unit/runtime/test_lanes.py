"""Slots, order and fairness, with handlers that end when the test says so."""

import asyncio
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from consumers.runtime.lanes import Lanes, Waiting


class Stage:
    """Handlers that note their start and wait to be let go."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self.ended: list[str] = []
        self.cancelled: list[str] = []
        self._doors: dict[str, asyncio.Event] = {}

    async def work(self, item: str) -> None:
        self.started.append(item)
        try:
            await self._doors.setdefault(item, asyncio.Event()).wait()
        except asyncio.CancelledError:
            self.cancelled.append(item)
            raise
        self.ended.append(item)

    async def let_go(self, *items: str) -> None:
        for item in items:
            self._doors.setdefault(item, asyncio.Event()).set()
        await settle()


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_no_more_records_than_slots_are_worked_on() -> None:
    stage = Stage()
    lanes = Lanes(3, stage.work)
    for number in range(10):
        lanes.submit(Waiting(f"r{number}"))
    await settle()
    assert stage.started == ["r0", "r1", "r2"]
    assert (lanes.running, lanes.waiting) == (3, 7)
    await stage.let_go("r1")
    assert stage.started[3:] == ["r3"]
    await lanes.cancel(lambda item: True)


async def test_records_of_a_lane_wait_for_each_other_and_others_pass() -> None:
    stage = Stage()
    lanes = Lanes(5, stage.work)
    for item, lane in (("a1", "a"), ("a2", "a"), ("b1", "b"), ("x", None), ("a3", "a")):
        lanes.submit(Waiting(item, lane=lane))
    await settle()
    assert stage.started == ["a1", "b1", "x"]
    await stage.let_go("a1", "a2", "a3", "b1", "x")
    assert stage.started[3:] == ["a2", "a3"]
    assert await lanes.join(1)


async def test_one_tenants_flood_costs_another_one_slots_time() -> None:
    stage = Stage()
    lanes = Lanes(1, stage.work)
    for number in range(50):
        lanes.submit(Waiting(f"flood{number}", tenant="a"))
    lanes.submit(Waiting("single", tenant="b"))
    await settle()
    await stage.let_go("flood0", "flood1", "single", "flood2")
    assert stage.started.index("single") <= 2
    await lanes.cancel(lambda item: True)


async def test_cancelling_ends_what_runs_forgets_what_waits_and_frees_slots_and_lanes_for_others() -> None:
    stage = Stage()
    lanes = Lanes(2, stage.work)
    for item in ("lost1", "lost2", "lost3", "kept"):
        lanes.submit(Waiting(item, lane="one lane" if item != "lost2" else None))
    await settle()
    assert stage.started == ["lost1", "lost2"]
    assert await lanes.cancel(lambda item: item.startswith("lost")) == 2
    await settle()
    assert stage.cancelled == ["lost1", "lost2"]
    assert stage.started[2:] == ["kept"]
    await stage.let_go("kept")
    assert await lanes.join(1)


async def test_join_says_whether_everything_ended_in_time() -> None:
    stage = Stage()
    lanes = Lanes(1, stage.work)
    assert await lanes.join(0.01)
    lanes.submit(Waiting("slow"))
    lanes.submit(Waiting("behind"))
    assert not await lanes.join(0.01)
    assert lanes.drop_waiting(lambda item: item == "behind") == 1
    await stage.let_go("slow")
    assert await lanes.join(1)


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2), st.integers(0, 3)), max_size=60),
    st.integers(min_value=1, max_value=7),
)
def test_everything_is_worked_on_once_in_the_order_of_its_lane(records: list[tuple[int, int, int]], slots: int) -> None:
    """Records are (lane, tenant, how often the handler yields); a lane belongs to one tenant or to several."""

    async def run() -> list[int]:
        ended: list[int] = []
        running: Counter[int] = Counter()

        async def work(number: int) -> None:
            lane, _, yields = records[number]
            running[lane] += 1
            assert running[lane] == 1
            assert sum(running.values()) <= slots
            for _ in range(yields):
                await asyncio.sleep(0)
            running[lane] -= 1
            ended.append(number)

        lanes = Lanes(slots, work)
        for number, (lane, tenant, _) in enumerate(records):
            lanes.submit(Waiting(number, tenant=str(tenant), lane=lane))
        assert await lanes.join(5)
        return ended

    ended = asyncio.run(run())
    assert sorted(ended) == list(range(len(records)))
    for lane in range(4):
        of_lane = [number for number in ended if records[number][0] == lane]
        assert of_lane == sorted(of_lane)
