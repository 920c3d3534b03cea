"""Commits: what is told to the group, when, and what becomes of it when the group does not answer."""

import asyncio

import pytest

from consumers.runtime.client import Committed, Consumer, Partition
from consumers.runtime.commit_text import Told, read
from consumers.runtime.commits import Commits
from consumers.runtime.metrics import Metrics
from consumers.runtime.offsets import Ledger
from tests.unit.runtime.fake_group import ONE, TWO, FakeGroup, PassingClock, eventually


class House:
    """Ledgers of two partitions with ten records each."""

    def __init__(self, timeout: float = 30.0) -> None:
        self.group = FakeGroup(ONE, TWO)
        consumer: Consumer = self.group
        self.ledgers = {ONE: ledger(), TWO: ledger()}
        self.metrics = Metrics.create()
        self.clock = PassingClock()
        self.commits = Commits(
            consumer, self.ledgers, clock=self.clock, metrics=self.metrics, interval=1.0, timeout=timeout
        )


def ledger() -> Ledger:
    seen = Ledger(0)
    seen.see_many(range(10))
    return seen


def heir(committed: Committed) -> list[int]:
    """What whoever comes next works on, of ten records."""
    told = Ledger(committed.offset, read(*committed).finished)
    return list(told.see_many(range(committed.offset, 10)))


async def test_only_what_has_changed_is_committed_and_only_once() -> None:
    house = House()
    house.ledgers[ONE].finish(0)
    assert await house.commits.now()
    assert await house.commits.now()
    assert house.group.requests == [{ONE: Committed(1, "")}]


async def test_it_commits_again_and_again_until_it_is_cancelled() -> None:
    house = House()
    house.ledgers[ONE].finish(0)
    running = asyncio.create_task(house.commits.run())
    await eventually(lambda: ONE in house.group.commits)
    house.ledgers[TWO].finish(0)
    await eventually(lambda: TWO in house.group.commits)
    running.cancel()
    await asyncio.wait([running])
    assert house.group.commits == {ONE: Committed(1, ""), TWO: Committed(1, "")}


async def test_a_refused_commit_stays_to_be_done() -> None:
    house = House()
    house.ledgers[ONE].finish(0)
    house.group.refusing = True
    assert not await house.commits.now()
    assert house.ledgers[ONE].dirty
    assert house.metrics.value("commit_failures_total") == 1
    house.group.refusing = False
    assert await house.commits.now()
    assert house.group.commits == {ONE: Committed(1, "")}


async def test_a_commit_without_an_answer_in_time_stays_to_be_done_and_is_known_as_our_own() -> None:
    house = House(timeout=0.01)
    house.ledgers[ONE].finish(0)
    house.group.answering.clear()
    assert not await house.commits.now()
    assert house.ledgers[ONE].dirty
    assert house.ledgers[ONE].wrote(*house.group.commits[ONE])
    house.group.answering.set()
    assert await house.commits.now()
    assert not house.ledgers[ONE].dirty


async def test_thirty_commits_that_fail_lose_nothing_and_rerun_nothing_once_one_succeeds() -> None:
    house = House()
    house.group.refusing = True
    for second in range(30):
        house.ledgers[ONE].finish(second % 10 if second % 10 not in (0, 4) else 9)
        await house.commits.now()
    house.group.refusing = False
    assert await house.commits.now()
    assert heir(house.group.commits[ONE]) == [0, 4]


async def test_what_ends_while_a_commit_is_under_way_goes_with_the_next() -> None:
    house = House()
    house.ledgers[ONE].finish(0)
    house.group.answering.clear()
    under_way = asyncio.create_task(house.commits.now())
    await eventually(lambda: bool(house.group.commits))
    house.ledgers[ONE].finish(1)
    house.group.answering.set()
    assert await under_way
    assert house.ledgers[ONE].dirty
    await house.commits.now()
    assert house.group.commits[ONE] == Committed(2, "")


async def test_a_partition_that_is_not_assigned_is_not_committed() -> None:
    house = House()
    house.ledgers[ONE].finish(0)
    house.ledgers[TWO].finish(0)
    house.group.given = frozenset({TWO})
    assert await house.commits.now()
    assert house.group.commits.keys() == {TWO}
    assert house.ledgers[ONE].dirty


async def test_an_answer_after_the_partition_was_lost_and_regained_is_not_about_the_new_ledger() -> None:
    house = House()
    house.ledgers[ONE].finish(0)
    house.group.answering.clear()
    under_way = asyncio.create_task(house.commits.now())
    await eventually(lambda: bool(house.group.commits))
    house.ledgers[ONE] = ledger()
    house.ledgers[ONE].finish(0)
    house.group.answering.set()
    await under_way
    assert house.ledgers[ONE].dirty


async def test_nothing_is_committed_between_the_last_commit_and_the_new_assignment() -> None:
    house = House()
    house.ledgers[ONE].finish(0)
    assert await house.commits.last()
    house.ledgers[ONE].finish(1)
    assert not await house.commits.now()
    assert house.group.commits == {ONE: Committed(1, "")}
    house.commits.resume()
    assert await house.commits.now()
    assert house.group.commits == {ONE: Committed(2, "")}


async def test_the_last_commit_waits_for_the_one_under_way() -> None:
    house = House()
    house.ledgers[ONE].finish(0)
    house.group.answering.clear()
    under_way = asyncio.create_task(house.commits.now())
    await eventually(lambda: bool(house.group.commits))
    last = asyncio.create_task(house.commits.last())
    house.ledgers[ONE].finish(1)
    await asyncio.sleep(0)
    assert len(house.group.requests) == 1
    house.group.answering.set()
    await asyncio.wait([under_way, last])
    assert house.group.commits == {ONE: Committed(2, "")}


@pytest.mark.parametrize("place", [ONE, TWO])
async def test_that_the_daemon_halted_is_told_for_every_partition_though_nothing_else_changed(place: Partition) -> None:
    house = House()
    house.ledgers[ONE].finish(3)
    await house.commits.now()
    house.commits.halted = True
    await house.commits.now()
    assert read(*house.group.commits[place]).halted
    assert read(*house.group.commits[ONE]).finished == {3}
    await house.commits.now()
    assert len(house.group.requests) == 2
    house.commits.halted = False
    await house.commits.now()
    assert read(*house.group.commits[ONE]) == Told(finished=frozenset({3}))
    assert house.group.commits[TWO] == Committed(0, "")


async def test_that_the_daemon_halted_is_told_for_partitions_that_come_later() -> None:
    house = House()
    house.commits.halted = True
    await house.commits.now()
    house.ledgers[TWO] = ledger()
    await house.commits.now()
    assert house.group.requests[1].keys() == {TWO}
    assert read(*house.group.commits[TWO]).halted


async def test_a_change_of_the_flag_that_was_refused_is_told_with_the_next_commit() -> None:
    house = House()
    house.commits.halted = True
    house.group.refusing = True
    await house.commits.now()
    house.group.refusing = False
    await house.commits.now()
    assert all(read(*commit).halted for commit in house.group.commits.values())
