"""Every figure that an operator is promised moves when what it tells of happens, and goes back when it is over."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest

from consumers.runtime.client import Arrival
from consumers.runtime.clock import SystemClock
from consumers.runtime.engine import Engine
from consumers.runtime.metrics import DEFINITIONS, Metrics
from consumers.runtime.seam import HandlerError, Park, Permanent, Poison, Publication, Record, RetryAfter
from consumers.runtime.settings import RuntimeSettings
from consumers.runtime.stalls import Stalls
from schemas.documents import Inbound
from schemas.topics import INBOUND_MESSAGES
from tests.unit.runtime import test_engine, test_holding, test_outcomes, test_rebalance
from tests.unit.runtime.memory import TOPIC, MemoryConsumer, TurnedClock
from tests.unit.runtime.test_engine import ONE, TWO, eventually

PROMISED = {
    "in flight": ["in_flight"],
    "waiting": ["waiting"],
    "lag in records and in seconds": ["lag", "lag_seconds"],
    "oldest open age": ["oldest_open"],
    "parked by reason and age": ["parked", "parked_open", "parked_oldest"],
    "handler seconds by outcome": ["handler_seconds"],
    "commits and failures": ["commits", "commit_failures"],
    "rebalances": ["rebalances"],
    "retries": ["retries"],
    "dead letters": ["dead_letters"],
    "retention head-room": ["retention_headroom"],
}


def test_everything_that_is_promised_is_a_metric_with_the_labels_it_needs() -> None:
    by_field = {definition.field: definition for definition in DEFINITIONS}
    assert {field for fields in PROMISED.values() for field in fields} <= by_field.keys()
    assert "reason" in by_field["parked_open"].labels
    assert by_field["handler_seconds"].labels == ("outcome",)


async def test_what_is_worked_on_waits_and_fills_the_window_is_told_and_is_nothing_in_the_end() -> None:
    house = test_engine.House(slots=1, window=3)
    house.consumer.write(ONE, *range(5), size=10)
    await house.join(ONE)
    await house.pump()
    value = house.metrics.value

    def seen() -> dict[str, float]:
        house.engine.measure()
        return {name: value(name) for name in ("records_in_flight", "records_waiting", "open_bytes")}

    assert seen() == {"records_in_flight": 1, "records_waiting": 2, "open_bytes": 30}
    assert (value("records_received_total", topic=TOPIC), value("paused_partitions")) == (3, 1)
    first = value("oldest_open_seconds")
    await asyncio.sleep(0.02)
    assert seen()["records_in_flight"] == 1
    assert value("oldest_open_seconds") > first
    house.free = True
    await house.let_go(ONE, 0)
    await house.pump()
    await eventually(lambda: len(house.started) == 5)
    await asyncio.sleep(0.01)
    assert seen() == {"records_in_flight": 0, "records_waiting": 0, "open_bytes": 0}
    assert (value("oldest_open_seconds"), value("paused_partitions")) == (0, 0)


async def test_commits_are_counted_when_they_are_taken() -> None:
    house = test_engine.House(free=True)
    house.consumer.write(ONE, 0)
    await house.join(ONE)
    house.engine.start()
    await house.pump()
    await eventually(lambda: house.consumer.commits.keys() == {ONE})
    await eventually(lambda: house.metrics.value("commits_total") == 1)
    assert house.metrics.value("commit_failures_total") == 0
    await house.engine.drain()


async def test_rebalances_and_what_they_keep_and_take_are_counted() -> None:
    house = test_rebalance.House()

    def counts() -> list[float]:
        names = ("rebalances_total", "partitions_kept_total", "partitions_lost_total")
        return [house.metrics.value(name) for name in names]

    await house.share_out(ONE, TWO)
    assert counts() == [1, 0, 0]
    await house.share_out(ONE)
    assert counts() == [2, 1, 1]
    await house.share_out(ONE, TWO)
    assert counts() == [3, 2, 1]


@pytest.mark.parametrize(
    ("raises", "handler", "ended", "more"),
    [
        (None, "done", "done", {}),
        (RetryAfter("busy", delay=40.0), "RetryAfter", "retry", {"retries": {"tier": "retry.1m", "reason": "busy"}}),
        (Park("crm_quota"), "Park", "parked", {"parked": {"reason": "crm_quota"}}),
        (Permanent("refused"), "Permanent", "dead", {"dead_letters": {"reason": "refused"}}),
        (Poison("schema"), "Poison", "poison", {"dead_letters": {"reason": "schema"}}),
        (ValueError(), "Permanent", "dead", {"dead_letters": {"reason": "handler_failed"}}),
    ],
)
async def test_an_end_is_counted_by_what_it_was_with_the_seconds_it_took(
    raises: Exception | None, handler: str, ended: str, more: dict[str, dict[str, str]]
) -> None:
    async def handle(record: Record[Inbound]) -> Sequence[Publication]:
        room.clock.moment += timedelta(seconds=3)
        if raises is not None:
            raise raises
        return ()

    room = test_outcomes.Room(handle)
    await room.outcomes.process(test_outcomes.ARRIVAL)
    await asyncio.sleep(0)
    value = room.metrics.value
    calls = 1 if raises is None or isinstance(raises, HandlerError) else RuntimeSettings().quick_tries
    assert value("handler_seconds_count", outcome=handler) == 1
    assert value("handler_seconds_sum", outcome=handler) >= 3 * calls
    assert value("records_total", outcome=ended) == 1
    for name in ("retries", "parked", "dead_letters"):
        assert value(f"{name}_total", **more.get(name, {})) == (1 if name in more else 0)


class Away:
    """Puts everything of a tenant into the store."""

    def __init__(self) -> None:
        self.parked: list[Arrival] = []

    def parks(self, tenant: str) -> bool:
        return True

    def overflows(self, topic: str) -> bool:
        return True

    async def park(self, arrival: Arrival) -> None:
        self.parked.append(arrival)

    async def overflow(self, arrival: Arrival) -> None:
        raise AssertionError


async def test_records_that_are_put_elsewhere_are_counted_by_where() -> None:
    consumer, metrics, away = MemoryConsumer(), Metrics.create(), Away()

    async def work(arrival: Arrival) -> None:
        raise AssertionError

    engine = Engine(
        consumer,
        work,
        slots=1,
        settings=RuntimeSettings(),
        clock=SystemClock(),
        metrics=metrics,
        elsewhere=away,
    )
    consumer.write(ONE, 0, 1, 2)
    consumer.assign(engine, ONE)
    await eventually(lambda: engine.settled)
    consumer.pump(engine)
    await eventually(lambda: len(away.parked) == 3)
    assert metrics.value("records_diverted_total", where="park") == 3
    assert metrics.value("records_diverted_total", where="overflow") == 0


class LateClock(TurnedClock):
    """A short sleep lasts some time longer than was asked for, a long one does not end."""

    late = 0.0

    async def sleep(self, seconds: float) -> None:
        if seconds > 1:
            await asyncio.Event().wait()
        await super().sleep(seconds + self.late)


async def test_a_loop_that_is_late_says_by_how_much() -> None:
    clock, metrics = LateClock(), Metrics.create()
    clock.late = 0.75
    stalls = Stalls(clock=clock, metrics=metrics, running=dict, why_stalled=lambda: None, loop_seconds=5.0)
    await stalls.start()
    try:
        await eventually(lambda: metrics.value("loop_delay_seconds") == pytest.approx(0.75))
        clock.late = 0.0
        await eventually(lambda: metrics.value("loop_delay_seconds") == pytest.approx(0.0, abs=1e-6))
    finally:
        await stalls.stop()


async def test_a_tenant_is_over_the_limits_until_its_pause_is_over_though_nothing_happens() -> None:
    room = test_holding.Room(probation_records=0, dead_letter_limit=1, dead_letter_ratio=0.0)
    await room.outcomes.process(test_holding.record(1, "permanent"))
    assert room.metrics.value("tenants_limited") == 1
    room.clock.turn(test_holding.PAUSE + 1)
    assert room.metrics.value("tenants_limited") == 0
    assert room.metrics.text()


def test_figures_of_one_daemon_are_not_those_of_another() -> None:
    one, other = Metrics.create(), Metrics.create()
    one.commits.inc()
    assert (one.value("commits_total"), other.value("commits_total")) == (1, 0)


def test_what_has_no_labels_is_told_from_the_start_so_that_its_first_change_can_alarm() -> None:
    text = Metrics.create().text().decode()
    for definition in DEFINITIONS:
        if not definition.labels:
            name = f"{definition.exposed}_count" if definition.kind == "histogram" else definition.exposed
            assert f"\n{name} 0.0" in f"\n{text}"
    assert INBOUND_MESSAGES not in text
