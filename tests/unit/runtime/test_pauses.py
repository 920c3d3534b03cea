"""After a pause of the process nothing is begun before the group has answered."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from consumers.runtime.aside import Aside
from consumers.runtime.client import Partition
from consumers.runtime.commits import Commits
from consumers.runtime.flow import Flow
from consumers.runtime.metrics import Metrics
from consumers.runtime.offsets import Ledger
from consumers.runtime.pauses import Pauses
from consumers.runtime.rebalance import Rebalance
from consumers.runtime.under_way import UnderWay
from tests.unit.runtime.fake_group import ONE, FakeGroup, PassingClock, eventually


class SleepingClock(PassingClock):
    """Passes `asleep` more than it was asked for, once."""

    asleep = 0.0

    async def sleep(self, seconds: float) -> None:
        seconds, self.asleep = seconds + self.asleep, 0.0
        await super().sleep(seconds)


class House:
    """A member with one partition; `held` tells whether records are begun."""

    def __init__(self) -> None:
        self.group = FakeGroup(ONE)
        self.clock = SleepingClock()
        self.held = False
        self.holds = 0
        ledgers: dict[Partition, Ledger] = {ONE: Ledger(5)}
        metrics = Metrics.create()
        self.commits = Commits(self.group, ledgers, clock=self.clock, metrics=metrics, interval=1.0, timeout=30.0)
        self.rebalance = Rebalance(
            self.group,
            ledgers,
            UnderWay([], Aside(lambda owned: None, lambda owned, error: None)),
            Flow(self.group, window=10, span=10, largest_bytes=1_000),
            self.commits,
            clock=self.clock,
            metrics=metrics,
            on_placed=lambda: None,
            on_end=lambda task: None,
            hold=self.hold,
            release=self.release,
        )
        pauses = Pauses(
            self.rebalance, self.commits, clock=self.clock, hold=self.hold, release=self.release, longest_seconds=4.0
        )
        self.running = asyncio.create_task(pauses.run())

    async def turns(self) -> None:
        """Let the others run for a while."""
        for _ in range(20):
            await asyncio.sleep(0)

    def hold(self) -> None:
        self.held = True
        self.holds += 1

    def release(self) -> None:
        self.held = False


@pytest_asyncio.fixture
async def house() -> AsyncIterator[House]:
    house = House()
    await asyncio.sleep(0)
    yield house
    house.running.cancel()
    await asyncio.wait([house.running])


@pytest.mark.parametrize("seconds", [0.0, 3.8])
async def test_a_short_pause_changes_nothing(house: House, seconds: float) -> None:
    house.clock.asleep = seconds
    await house.turns()
    assert house.holds == 0
    assert house.group.requests == []


async def test_after_a_long_pause_it_goes_on_once_the_group_has_taken_a_commit(house: House) -> None:
    house.group.refusing = True
    house.clock.asleep = 9.0
    await eventually(lambda: len(house.group.requests) >= 3)
    assert house.held
    house.group.refusing = False
    await eventually(lambda: not house.held)
    assert house.group.commits[ONE].offset == 5


async def test_a_member_that_was_thrown_out_goes_on_when_the_group_has_shared_out(house: House) -> None:
    house.group.refusing = True
    house.clock.asleep = 9.0
    await eventually(lambda: house.held and len(house.group.requests) >= 1)
    house.group.given = frozenset()
    await house.turns()
    house.group.refusing = False
    await house.turns()
    assert house.held, "a commit of nothing confirms nothing"
    await house.rebalance.revoked()
    await house.turns()
    assert house.held
    house.group.given = frozenset({ONE})
    house.rebalance.assigned([ONE])
    await eventually(lambda: house.rebalance.settled and not house.held)
