"""Slots, order and fairness, with handlers that end when the test says so."""

import asyncio
from collections import Counter
from collections.abc import Hashable, Sequence

from hypothesis import given
from hypothesis import strategies as st

from consumers.runtime.lanes import Lanes, Waiting


class Job(Waiting):
    """Something to work on, with a name."""

    __slots__ = ("item",)

    def __init__(self, item: str, tenant: str = "", lane: Hashable = None, *, late: bool = False) -> None:
        super().__init__(tenant, lane, late=late)
        self.item = item


class Stage:
    """Handlers that note their start and wait to be let go."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self.ended: list[str] = []
        self.cancelled: list[str] = []
        self._doors: dict[str, asyncio.Event] = {}

    async def work(self, taken: Sequence[Job]) -> Sequence[Job]:
        items = [job.item for job in taken]
        self.started.extend(items)
        try:
            for item in items:
                await self._doors.setdefault(item, asyncio.Event()).wait()
        except asyncio.CancelledError:
            self.cancelled.extend(items)
            raise
        self.ended.extend(items)
        return ()

    async def let_go(self, *items: str) -> None:
        for item in items:
            self._doors.setdefault(item, asyncio.Event()).set()
        await settle()


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_no_more_records_than_slots_are_worked_on() -> None:
    stage = Stage()
    lanes: Lanes[Job] = Lanes(3, stage.work)
    for number in range(10):
        lanes.submit([Job(f"r{number}")])
    await settle()
    assert stage.started == ["r0", "r1", "r2"]
    assert (lanes.running, lanes.waiting) == (3, 7)
    await stage.let_go("r1")
    assert stage.started[3:] == ["r3"]
    await lanes.cancel(lambda job: True)


async def test_records_of_a_lane_wait_for_each_other_and_others_pass() -> None:
    stage = Stage()
    lanes: Lanes[Job] = Lanes(5, stage.work)
    for item, lane in (("a1", "a"), ("a2", "a"), ("b1", "b"), ("x", None), ("a3", "a")):
        lanes.submit([Job(item, lane=lane)])
    await settle()
    assert stage.started == ["a1", "b1", "x"]
    await stage.let_go("a1", "a2", "a3", "b1", "x")
    assert stage.started[3:] == ["a2", "a3"]
    assert await lanes.join(1)


async def test_one_tenants_flood_costs_another_one_slots_time() -> None:
    stage = Stage()
    lanes: Lanes[Job] = Lanes(1, stage.work)
    for number in range(50):
        lanes.submit([Job(f"flood{number}", tenant="a")])
    lanes.submit([Job("single", tenant="b")])
    await settle()
    await stage.let_go("flood0", "flood1", "single", "flood2")
    assert stage.started.index("single") <= 2
    await lanes.cancel(lambda job: True)


async def test_cancelling_ends_what_runs_forgets_what_waits_and_frees_slots_and_lanes_for_others() -> None:
    stage = Stage()
    lanes: Lanes[Job] = Lanes(2, stage.work)
    for item in ("lost1", "lost2", "lost3", "kept"):
        lanes.submit([Job(item, lane="one lane" if item != "lost2" else None)])
    await settle()
    assert stage.started == ["lost1", "lost2"]
    assert await lanes.cancel(lambda job: job.item.startswith("lost")) == 2
    await settle()
    assert stage.cancelled == ["lost1", "lost2"]
    assert stage.started[2:] == ["kept"]
    await stage.let_go("kept")
    assert await lanes.join(1)


async def test_join_says_whether_everything_ended_in_time() -> None:
    stage = Stage()
    lanes: Lanes[Job] = Lanes(1, stage.work)
    assert await lanes.join(0.01)
    lanes.submit([Job("slow")])
    lanes.submit([Job("behind")])
    assert not await lanes.join(0.01)
    assert lanes.drop_waiting(lambda job: job.item == "behind") == 1
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

        async def work(taken: Sequence[Job]) -> Sequence[Job]:
            [job] = taken
            number = int(job.item)
            lane, _, yields = records[number]
            running[lane] += 1
            assert running[lane] == 1
            assert sum(running.values()) <= slots
            for _ in range(yields):
                await asyncio.sleep(0)
            running[lane] -= 1
            ended.append(number)
            return ()

        lanes: Lanes[Job] = Lanes(slots, work)
        for number, (lane, tenant, _) in enumerate(records):
            lanes.submit([Job(str(number), tenant=str(tenant), lane=lane)])
        assert await lanes.join(5)
        return ended

    ended = asyncio.run(run())
    assert sorted(ended) == list(range(len(records)))
    for lane in range(4):
        of_lane = [number for number in ended if records[number][0] == lane]
        assert of_lane == sorted(of_lane)


async def test_within_a_tenant_what_comes_from_an_overflow_topic_waits_for_what_does_not() -> None:
    stage = Stage()
    lanes: Lanes[Job] = Lanes(1, stage.work)
    lanes.submit([Job("running"), Job("late", late=True), Job("fresh")])
    await settle()
    await stage.let_go("running", "late", "fresh")
    assert stage.started == ["running", "fresh", "late"]
    assert await lanes.join(1)


async def test_a_slot_takes_several_at_once_in_the_fair_order_and_never_two_of_a_lane() -> None:
    stage = Stage()
    lanes: Lanes[Job] = Lanes(1, stage.work, together=4)
    lanes.submit([Job("running"), *(Job(f"a{n}", "a") for n in range(5)), Job("b1", "b", "key"), Job("b2", "b", "key")])
    await settle()
    first = len(stage.started)
    await stage.let_go(*stage.started)
    assert len(stage.started) - first <= 4
    assert not {"b1", "b2"} <= set(stage.started[:first]), "they are of one lane"
    for _ in range(4):
        await stage.let_go(*stage.started)
    assert sorted(stage.ended) == ["a0", "a1", "a2", "a3", "a4", "b1", "b2", "running"]
    assert stage.ended.index("b1") < stage.ended.index("b2")
    assert await lanes.join(1)
