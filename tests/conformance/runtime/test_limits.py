"""Dead-letter limits on whole daemons: one tenant's trouble is its own, and a bad release drains nothing."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest

from connectors.store.opening import open_store
from connectors.store.seam import FullStore, Scope
from consumers.bootstrap import StoreParking
from consumers.retry import build_retry_daemon
from consumers.runtime.clock import SystemClock
from consumers.runtime.commit_text import read
from consumers.runtime.daemon import Daemon, DaemonBroken, build_daemon
from consumers.runtime.failpoints import Failpoints
from consumers.runtime.parking import Parking
from consumers.runtime.seam import Permanent, Publication, Record
from consumers.runtime.settings import RuntimeSettings
from ops.stack.embedded_broker import EmbeddedBroker
from schemas import codec
from schemas.documents import Inbound
from schemas.headers import FAILURE_REASON, RecordHeaders
from schemas.topics import DEAD_LETTERS, INBOUND_MESSAGES, overflow
from tests.conformance.runtime.cluster import PARTITIONS, Cluster, topics_of, until
from tests.conformance.runtime.example import Journal, ParkingLot, example_spec, inbound

WATCHED = 0.2
TENANTS = ("acme", "beta", "gamma")


def no_more_topics(name: str, partitions: int) -> None:
    raise AssertionError("the embedded broker takes its topics at its start")


@pytest.fixture
def house() -> Iterator[Cluster]:
    """A broker with the overflow topic of what the example reads."""
    topics = dict([*topics_of(""), (overflow(INBOUND_MESSAGES), PARTITIONS)])
    with EmbeddedBroker(topics.items()) as broker:
        yield Cluster(broker.bootstrap, "", no_more_topics)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[FullStore]:
    opened = open_store(f"sqlite:///{tmp_path / 'store.db'}")
    await opened.migrate()
    yield opened
    await opened.close()


class Release:
    """A version of the example daemon: fails for the given tenants, whatever their records say."""

    def __init__(self, house: Cluster, journal: Journal, failing: Collection[str] = ()) -> None:
        self.house, self.journal = house, journal
        self.failing = set(failing)
        self.tried: list[str] = []

    def daemon(self, parking: Parking | None = None, ready: asyncio.Event | None = None, **settings: Any) -> Daemon:
        spec = example_spec(self.journal)

        async def handle(record: Record[Inbound]) -> Sequence[Publication]:
            tenant = record.document.envelope.tenant_id
            self.tried.append(tenant)
            if tenant in self.failing:
                raise Permanent("refused", "nothing works here")
            return await spec.handler(record)

        return build_daemon(
            dataclasses.replace(spec, handler=handle),
            self.house.connections,
            RuntimeSettings.model_validate(
                {"grace_seconds": 2.0, "commit_interval_seconds": 0.2, "watch_interval_seconds": WATCHED, **settings}
            ),
            parking=parking or ParkingLot(),
            failpoints=Failpoints(),
            clock=SystemClock(),
            chance=Random(1),
            on_ready=ready.set if ready else None,
        )

    async def breaks(self, **settings: Any) -> str:
        """Run it until it stops by itself; what it says."""
        async with asyncio.timeout(30):
            with pytest.raises(DaemonBroken) as caught:
                await self.daemon(**settings).run()
        return str(caught.value)


class Running:
    """A started daemon, as a context."""

    def __init__(self, daemon: Daemon, ready: asyncio.Event | None = None) -> None:
        self.daemon, self.ready = daemon, ready

    async def __aenter__(self) -> Daemon:
        await self.daemon.start()
        if self.ready is not None:
            async with asyncio.timeout(20):
                await self.ready.wait()
        return self.daemon

    async def __aexit__(self, *_: object) -> None:
        await self.daemon.stop()


def documents(counts: Mapping[str, int], *, start: int = 0) -> list[dict[str, Any]]:
    """So many of each tenant, taking turns, numbered from `start`."""
    tenants = [tenant for turn in range(max(counts.values())) for tenant, count in counts.items() if turn < count]
    return [inbound(number, "ok", tenant) for number, tenant in enumerate(tenants, start)]


def number_of(value: bytes) -> int:
    return int(codec.loads(value)["lead"]["extra"]["number"])


def letters(house: Cluster) -> list[str | None]:
    return [RecordHeaders.read(letter.headers()).get(FAILURE_REASON) for letter in house.read(DEAD_LETTERS)]


async def open_records(house: Cluster, written: int) -> int:
    """Records that the group has not finished."""
    commits = await house.commits()
    done: int = sum(commit.offset + len(read(commit.offset, commit.metadata).finished) for commit in commits.values())
    return written - done


async def told_halted(house: Cluster) -> set[bool]:
    return {read(commit.offset, commit.metadata).halted for commit in (await house.commits()).values()}


async def all_done(house: Cluster, written: int) -> None:
    async with asyncio.timeout(20):
        while await open_records(house, written):  # noqa: ASYNC110  the daemon commits by itself
            await asyncio.sleep(0.1)


async def test_one_failing_tenant_is_parked_and_every_other_goes_on(house: Cluster, journal: Journal) -> None:
    house.produce(documents({"acme": 40, "beta": 60, "gamma": 20}))
    parking = ParkingLot()
    async with Running(Release(house, journal, ["acme"]).daemon(parking)) as daemon:
        await all_done(house, 120)
        assert (daemon.engine.broken, daemon.metrics.value("tenants_limited")) == (None, 1)
    assert len(journal.numbers("end")) == 80
    assert {tenant for tenant, _ in parking.parked.values()} == {"acme"}
    assert {row.reason for _, row in parking.parked.values()} <= {"refused", "tenant_over_dead_letter_limit"}
    assert (len(parking.parked), letters(house)) == (40, [])


async def test_a_release_that_fails_several_tenants_stops_drains_nothing_and_the_next_one_does_it_all(
    house: Cluster, journal: Journal
) -> None:
    house.produce(documents(dict.fromkeys(TENANTS, 30)))
    parking = ParkingLot()
    for _ in range(3):
        message = await Release(house, journal, TENANTS).breaks(parking=parking)
        assert "records of " in message
        assert "refused" in message
        assert (letters(house), parking.parked, await open_records(house, 90)) == ([], {}, 90)
        assert await told_halted(house) == {True}
    async with Running(Release(house, journal).daemon(parking)):
        await all_done(house, 90)
    assert sorted(journal.numbers("end")) == list(range(90))
    assert (letters(house), parking.parked, await told_halted(house)) == ([], {}, {False})


async def test_a_release_that_fails_after_its_probation_stops_too_and_what_follows_stays_open(
    house: Cluster, journal: Journal
) -> None:
    parking = ParkingLot()
    release = Release(house, journal)
    house.produce(documents(dict.fromkeys(TENANTS, 20)))
    async with Running(release.daemon(parking)) as daemon:
        await all_done(house, 60)
        release.failing |= set(TENANTS)
        house.produce(documents(dict.fromkeys(TENANTS, 30), start=60))
        await until(lambda: daemon.engine.broken is not None)
    first = len(letters(house))
    assert first < 3 * 10  # every tenant's limit, and no more
    assert await told_halted(house) == {True}
    for _ in range(2):
        await Release(house, journal, TENANTS).breaks(parking=parking)
    assert len(letters(house)) == first
    async with Running(Release(house, journal).daemon(parking)):
        await all_done(house, 150)
    dead = [number_of(letter.value()) for letter in house.read(DEAD_LETTERS)]
    parked = [number_of(row.record) for _, row in parking.parked.values()]
    assert sorted([*journal.numbers("end"), *dead, *parked]) == list(range(150))


async def test_one_bad_record_at_the_start_of_a_quiet_daemon_is_held_for_the_time_of_the_probation(
    house: Cluster, journal: Journal
) -> None:
    house.produce(documents({"acme": 1}))
    ready = asyncio.Event()
    daemon = Release(house, journal, ["acme"]).daemon(ready=ready, probation_seconds=4.0)
    async with Running(daemon, ready):
        await until(lambda: daemon.metrics.value("dead_letters_held") == 1)
        assert (letters(house), await open_records(house, 1)) == ([], 1)
        await until(lambda: letters(house) == ["refused"])
        await all_done(house, 1)
        assert daemon.metrics.value("dead_letters_held") == 0


async def test_a_stop_does_not_wait_for_what_is_held(house: Cluster, journal: Journal) -> None:
    house.produce(documents({"acme": 2}))
    daemon = Release(house, journal, ["acme"]).daemon(grace_seconds=300.0)
    async with asyncio.timeout(60):
        async with Running(daemon):
            await until(lambda: daemon.metrics.value("dead_letters_held") == 2)
    assert (letters(house), await open_records(house, 2)) == ([], 2)
    assert True not in await told_halted(house)


async def test_a_tenant_that_recovers_gets_its_parked_records_by_itself(
    house: Cluster, journal: Journal, store: FullStore
) -> None:
    """Parked without being tried, released when the pause is over, through the overflow topic, each handled once."""
    release = Release(house, journal, ["acme"])
    parking = StoreParking(store)
    pause: dict[str, Any] = {"probation_records": 0, "dead_letter_limit": 2, "dead_letter_pause_seconds": 3.0}
    house.produce(documents({"acme": 2}))
    async with Running(release.daemon(parking, **pause)) as daemon:
        await until(lambda: daemon.metrics.value("tenants_limited") == 1)
        house.produce(documents({"acme": 10}, start=2))
        await all_done(house, 12)
        assert (release.tried, letters(house)) == (["acme"] * 2, ["refused"])
        waiting = await store.list_parked(Scope("acme"))
        assert sorted((row.reason, row.due is not None) for row in waiting) == [
            ("refused", False),
            *[("tenant_over_dead_letter_limit", True)] * 10,
        ]
        release.failing.clear()
        await asyncio.sleep(max(pause["dead_letter_pause_seconds"], 3.0))
        retry = build_retry_daemon(
            house.connections, RuntimeSettings(), failpoints=Failpoints(), clock=SystemClock(), store=store
        )
        async with Running(retry):
            await until(lambda: len(journal.numbers("end")) == 10)
    assert sorted(journal.numbers("end")) == list(range(2, 12))
    assert [row.reason for row in await store.list_parked(Scope("acme"))] == ["refused"]
    assert len(house.read(overflow(INBOUND_MESSAGES))) == 10
