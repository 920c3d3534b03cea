"""What is done about what the limits say: records are held outside the slots, parked, or the daemon is stopped."""

import asyncio
import dataclasses
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from connectors.store.seam import Invalid, Parked
from consumers.runtime.aside import Aside, Later
from consumers.runtime.client import Arrival, Partition
from consumers.runtime.failpoints import Failpoints
from consumers.runtime.holding import Holding, tenant_of
from consumers.runtime.metrics import Metrics
from consumers.runtime.outcomes import Outcomes
from consumers.runtime.publishing import Publishing
from consumers.runtime.seam import Park, Permanent, Publication, Record, RetryAfter
from consumers.runtime.settings import RuntimeSettings
from schemas import codec
from schemas.documents import Inbound
from schemas.headers import FAILURE_REASON, TENANT, RecordHeaders
from schemas.topics import DEAD_LETTERS, INBOUND_MESSAGES
from tests.conformance.runtime.example import GROUP, Journal, ParkingLot, example_spec, headers_of, inbound
from tests.unit.runtime.memory import MemoryPublisher, TurnedClock

PAUSE = 600.0


def record(number: int, command: str, tenant: str = "acme") -> Arrival:
    document = inbound(number, command, tenant)
    return Arrival(Partition(INBOUND_MESSAGES, 0), number, b"k", codec.dumps(document), tuple(headers_of(document)))


class StandingClock(TurnedClock):
    """Sleeps until somebody wakes it."""

    def __init__(self) -> None:
        super().__init__()
        self.sleepers: list[asyncio.Event] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        woken = asyncio.Event()
        self.sleepers.append(woken)
        await woken.wait()

    def turn(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)
        for sleeper in self.sleepers:
            sleeper.set()


class Room:
    """A daemon's endings, its slots apart."""

    def __init__(self, *, parking: Any = None, room: int = 10, **settings: Any) -> None:
        self.clock, self.publisher, self.metrics = StandingClock(), MemoryPublisher(), Metrics.create()
        self.parking = parking or ParkingLot()
        self.messages: list[str] = []
        self.pardons = 0
        chosen = RuntimeSettings.model_validate({"probation_records": 5, **settings})
        self.holding = Holding(
            chosen,
            name="example",
            room=room,
            clock=self.clock,
            metrics=self.metrics,
            halt=self.messages.append,
            pardon=self._pardoned,
        )

        async def handle(record: Record[Inbound]) -> Sequence[Publication]:
            match (record.document.lead.message or "").split():
                case ["permanent"]:
                    raise Permanent("refused", "never")
                case ["given-up"]:
                    raise RetryAfter("busy", delay=10.0, give_up_after=0.0)
                case ["park"]:
                    raise Park("no_rule", "nobody knows")
            return ()

        self.outcomes = Outcomes(
            dataclasses.replace(example_spec(Journal(Path("unused"))), handler=handle),
            group=GROUP,
            publishing=Publishing(self.publisher, settings=chosen, clock=self.clock, metrics=self.metrics),
            parking=self.parking,
            settings=chosen,
            clock=self.clock,
            chance=Random(1),
            metrics=self.metrics,
            failpoints=Failpoints(),
            holding=self.holding,
        )
        self.finished: list[int] = []
        self.failed: list[Exception] = []
        self.aside: Aside[Arrival] = Aside(
            lambda arrival: self.finished.append(arrival.offset), lambda _, error: self.failed.append(error)
        )

    def _pardoned(self) -> None:
        self.pardons += 1

    async def take(self, *arrivals: Arrival) -> None:
        """As the engine does."""
        for arrival in arrivals:
            try:
                await self.outcomes.process(arrival)
            except Later as later:
                self.aside.put(arrival, later)
            else:
                self.finished.append(arrival.offset)
        await self.settle()

    async def settle(self) -> None:
        for _ in range(20):
            await asyncio.sleep(0)

    def letters(self) -> list[str | None]:
        sent = [each for each in self.publisher.published if each.topic == DEAD_LETTERS]
        return [RecordHeaders.read(each.headers).get(FAILURE_REASON) for each in sent]

    def parked(self) -> list[tuple[str, str, datetime | None]]:
        return [(tenant, row.reason, row.due) for tenant, row in self.parking.parked.values()]


async def test_a_failing_record_takes_no_slot_and_becomes_a_dead_letter_when_the_probation_has_ended_well() -> None:
    room = Room()
    await room.take(record(0, "permanent"))
    assert (room.letters(), room.finished, room.metrics.value("dead_letters_held")) == ([], [], 1)
    await room.take(*(record(number, "ok") for number in range(1, 5)))
    assert (room.letters(), room.finished, room.pardons) == (["refused"], [1, 2, 3, 4, 0], 1)
    assert (room.metrics.value("dead_letters_held"), len(room.aside)) == (0, 0)
    await room.take(record(5, "permanent"))
    assert (room.letters(), room.finished[-1]) == (["refused", "refused"], 5)


async def test_what_is_parked_by_its_handler_has_finished_well() -> None:
    room = Room()
    await room.take(*(record(number, "park") for number in range(5)))
    assert room.pardons == 1


async def test_a_probation_with_few_records_ends_with_its_time() -> None:
    room = Room()
    await room.take(record(0, "permanent"))
    room.clock.turn(599)
    await room.settle()
    assert room.letters() == []
    room.clock.turn(1)
    await room.settle()
    assert (room.letters(), room.finished, room.pardons) == (["refused"], [0], 0)


async def test_after_a_stop_by_the_limits_time_does_not_end_the_probation() -> None:
    room = Room()
    await room.take(record(0, "permanent"))
    room.holding.on_halted()
    room.clock.turn(10_000)
    await room.settle()
    await room.take(record(1, "permanent"))
    assert room.letters() == []
    await room.take(*(record(number, "ok", "other") for number in range(2, 10)))
    assert (room.letters(), room.pardons) == (["refused", "refused"], 1)


async def test_a_daemon_that_has_proven_itself_pardons_at_once() -> None:
    room = Room()
    await room.take(*(record(number, "ok") for number in range(5)))
    room.holding.on_halted()
    await room.take(record(5, "permanent"))
    assert (room.letters(), room.pardons) == (["refused"], 2)


async def test_one_failing_tenant_is_parked_for_a_person_and_the_others_go_on() -> None:
    room = Room()
    await room.take(*(record(number, "permanent") for number in range(6)))
    await room.take(*(record(number, "ok", "other") for number in range(6, 11)))
    assert room.letters() == []
    assert room.parked() == [("acme", "refused", None)] * 6
    assert (room.holding.parks("acme"), room.holding.parks("other")) == (True, False)
    assert (room.messages, room.metrics.value("tenants_limited")) == ([], 1)
    assert sorted(room.finished) == list(range(11))


async def test_what_cannot_be_held_of_a_tenant_over_the_limits_is_parked_until_its_pause_is_over() -> None:
    room = Room(room=4)
    await room.take(*(record(number, "permanent") for number in range(6)))
    due = room.clock.now() + timedelta(seconds=PAUSE)
    assert room.parked() == [("acme", "tenant_over_dead_letter_limit", due)] * 2
    assert (room.letters(), room.finished, len(room.aside)) == ([], [4, 5], 4)


async def test_three_failing_tenants_stop_the_daemon_with_everything_open_and_say_what_to_do() -> None:
    room = Room()
    since = room.clock.now()
    for number in range(3):
        for place, tenant in enumerate(("acme", "beta", "gamma")):
            await room.take(record(number * 3 + place, "permanent", tenant))
    assert (room.letters(), room.finished, room.parked(), len(room.aside)) == ([], [], [], 9)
    (message,) = room.messages
    for said in ("acme", "beta", "refused", since.isoformat(), "Roll it back", "nothing was lost"):
        assert said in message
    room.clock.turn(10_000)
    await room.settle()
    assert (room.letters(), len(room.aside)) == ([], 9)
    assert await room.aside.cancel(lambda arrival: True) == 9
    assert (room.letters(), room.finished, room.metrics.value("dead_letters_held")) == ([], [], 0)


async def test_what_is_given_up_after_its_time_is_no_fault_of_the_release() -> None:
    room = Room()
    await room.take(*(record(number, "given-up") for number in range(12)))
    assert room.letters() == ["gave_up"] * 12
    assert room.metrics.value("tenants_limited") == 0


async def test_a_record_that_is_cancelled_before_it_could_wait_is_held_no_more() -> None:
    room = Room()
    with pytest.raises(Later) as caught:
        await room.outcomes.process(record(0, "permanent"))
    room.aside.put(record(0, "permanent"), caught.value)
    assert await room.aside.cancel(lambda arrival: True) == 1
    assert room.metrics.value("dead_letters_held") == 0


async def test_a_record_that_can_never_be_parked_becomes_a_dead_letter() -> None:
    class Full:
        async def park(self, tenant_id: str, parked: Parked) -> None:
            raise Invalid("tenant_id has 80 characters; at most 64 fit")

    room = Room(parking=Full())
    await room.take(record(0, "park"))
    assert (room.letters(), room.finished) == (["cannot_be_parked"], [0])


async def test_a_fault_while_a_record_is_aside_leaves_it_open_and_is_told() -> None:
    room = Room()
    dropped: list[bool] = []

    async def end() -> None:
        raise ZeroDivisionError

    room.aside.put(record(0, "ok"), Later(end, lambda: dropped.append(True)))
    await room.settle()
    assert ([type(error) for error in room.failed], room.finished, dropped) == ([ZeroDivisionError], [], [True])


@pytest.mark.parametrize(
    ("header", "tenant"), [(b"acme", "acme"), (b"\xff", ""), (b"Acme!", ""), (b"x" * 65, ""), (None, "")]
)
def test_a_tenant_that_cannot_be_one_counts_as_nobody(header: bytes | None, tenant: str) -> None:
    assert tenant_of(RecordHeaders.read([(TENANT, header)])) == tenant
