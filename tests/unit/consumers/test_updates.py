"""Records of a newer version: parked, tried again by themselves after hours, and read once a newer daemon runs."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import ClassVar

from connectors.store.seam import FullStore, Parked, Scope
from consumers.due_releases import DueReleases
from consumers.releasing import Releaser
from consumers.runtime.client import Arrival, Departure, Partition
from consumers.runtime.failpoints import Failpoints
from consumers.runtime.failures import attempt_of, moved_of, origin_of, parked_before
from consumers.runtime.holding import Holding
from consumers.runtime.metrics import Metrics
from consumers.runtime.outcomes import Outcomes
from consumers.runtime.publishing import Publishing
from consumers.runtime.seam import DaemonSpec, Park, Place, Publication, Record, RetryAfter
from consumers.runtime.settings import RuntimeSettings
from consumers.specs import offline_specs
from ops.parked import Found
from schemas.documents import Inbound
from schemas.headers import PARKED_FIRST_AT, PARKED_TIMES, RecordHeaders, document_headers
from tests.unit.consumers.house import NOW, TENANT, StillClock, inbound, record_of
from tests.unit.runtime.memory import MemoryPublisher

ACME = Scope(TENANT)
GROUP = "leadbus.routing"
HOUR = timedelta(hours=1)


class Tomorrow(Inbound):
    schema_version: ClassVar[str] = "2.0"


class StoreParking:
    """As the daemons park: under the tenant that the headers name."""

    def __init__(self, store: FullStore) -> None:
        self.store = store

    async def park(self, tenant_id: str, parked: Parked) -> None:
        await self.store.park(Scope(tenant_id), parked)


class House:
    """One daemon that any dead letter would put over its limits, and the retry daemon, over a real store."""

    def __init__(self, store: FullStore) -> None:
        self.store, self.clock, self.publisher, self.metrics = store, StillClock(), MemoryPublisher(), Metrics.create()
        self.handled: list[Record[Inbound]] = []
        self.raises: Exception | None = None
        self.settings = RuntimeSettings(dead_letter_limit=1, dead_letter_ratio=0.0)
        self.publishing = Publishing(self.publisher, settings=self.settings, clock=self.clock, metrics=self.metrics)
        self.holding = Holding(
            self.settings,
            name="routing",
            room=1,
            clock=self.clock,
            metrics=self.metrics,
            halt=lambda message: None,
            pardon=lambda: None,
        )
        releaser = Releaser(store, self.publishing.until_acknowledged, "", self.clock)
        self.due = DueReleases(store, releaser, owner="one", clock=self.clock, metrics=self.metrics)
        self.offset = 0

    def daemon(self, kind: type[Inbound]) -> Outcomes[Inbound]:
        """The daemon whose newest version of the document is `kind`."""

        async def handle(record: Record[Inbound]) -> Sequence[Publication]:
            self.handled.append(record)
            if self.raises is not None:
                raise self.raises
            return ()

        return Outcomes(
            DaemonSpec(
                name="routing",
                description="Reads.",
                topics={"inbound.messages": kind},
                publishes={},
                handler=handle,
            ),
            group=GROUP,
            publishing=self.publishing,
            parking=StoreParking(self.store),
            settings=self.settings,
            clock=self.clock,
            chance=Random(1),
            metrics=self.metrics,
            failpoints=Failpoints(),
            holding=self.holding,
        )

    def read(self, sent: Departure) -> Arrival:
        """What was published, as it is read."""
        self.offset += 1
        return Arrival(Partition(sent.topic, 0), self.offset, sent.key, sent.value, sent.headers)

    async def waiting(self) -> Parked:
        """The one row that waits."""
        [row] = await self.store.list_parked(ACME)
        return row

    async def released(self) -> Arrival:
        """What the retry daemon publishes when the one row is due, and not a moment earlier."""
        row, before = await self.waiting(), len(self.publisher.published)
        assert row.due is not None
        self.clock.time = row.due - timedelta(seconds=1)
        await self.due.look()
        assert len(self.publisher.published) == before, "it is not due yet"
        self.clock.time = row.due
        await self.due.look()
        [sent] = self.publisher.published[before:]
        return self.read(sent)


def tomorrow() -> Arrival:
    record = record_of(Tomorrow, inbound(), offset=41)
    return Arrival(Partition("inbound.messages", 0), 41, record.key, record.value, record.headers.raw)


async def test_a_record_of_a_newer_version_comes_back_until_a_daemon_that_can_read_it_runs(store: FullStore) -> None:
    house, waits = House(store), []
    old, arrival = house.daemon(Inbound), tomorrow()
    for _ in range(12):
        began = house.clock.now()
        await old.process(arrival)
        row = await house.waiting()
        assert (row.reason, row.stage, row.topic) == ("newer_schema", "routing", arrival.partition.topic)
        assert row.due is not None
        waits.append(row.due - began)
        arrival = await house.released()
    assert waits == [HOUR] + [6 * HOUR] * 11
    assert arrival.partition.topic == "inbound.messages.overflow", "fresh leads go first"
    await house.daemon(Tomorrow).process(arrival)
    [record] = house.handled
    assert (record.value, await store.list_parked(ACME)) == (tomorrow().value, [])


async def test_waiting_for_a_newer_version_counts_as_no_failure_however_often(store: FullStore) -> None:
    house, arrival = House(store), tomorrow()
    for _ in range(40):
        await house.daemon(Inbound).process(arrival)
        arrival = await house.released()
    assert house.clock.now() - NOW > timedelta(hours=72), "longer than a retry would be given"
    assert {sent.topic for sent in house.publisher.published} == {"inbound.messages.overflow"}
    assert not house.holding.parks(TENANT)
    assert house.metrics.value("tenants_limited") == 0
    assert house.metrics.value("parked_total", reason="newer_schema") == 40
    house.raises = RetryAfter("busy", delay=1.0)
    await house.daemon(Tomorrow).process(arrival)
    assert house.publisher.published[-1].topic == "retry.10s", "its patience begins when it first fails"


async def test_a_record_parked_again_knows_where_it_first_lay_how_often_it_waited_and_since_when(
    store: FullStore,
) -> None:
    house = House(store)
    await house.daemon(Inbound).process(tomorrow())
    first = await house.waiting()
    assert PARKED_TIMES not in dict(first.headers), "nothing has happened yet"
    for times in (1, 2, 3):
        arrival = await house.released()
        headers = RecordHeaders.read(arrival.headers)
        assert (parked_before(headers), attempt_of(headers)) == (times, 0)
        await house.daemon(Inbound).process(arrival)
    shown = Found(TENANT, await house.waiting()).as_json()
    assert first.parked_at is not None
    assert (shown["parked_before"], shown["parked_first_at"]) == (3, first.parked_at.isoformat())
    again = dict((await house.waiting()).headers)
    assert again[PARKED_TIMES] == b"3"
    assert datetime.fromisoformat((again[PARKED_FIRST_AT] or b"").decode()) == first.parked_at.astimezone(UTC)
    assert [name for name in again if name.startswith("parked")] == [PARKED_TIMES, PARKED_FIRST_AT]
    origin = origin_of(arrival, headers, NOW)
    assert Place(origin.topic, origin.partition, origin.offset) == Place("inbound.messages", 0, 41)


async def test_its_history_goes_along_when_it_is_moved_or_retried_in_between(store: FullStore) -> None:
    house = House(store)
    await house.daemon(Inbound).process(tomorrow())
    arrival = await house.released()
    moved = moved_of(arrival, topic="inbound.messages.overflow", group=GROUP, reason="tenant_over_share")
    house.raises = RetryAfter("busy", delay=1.0)
    await house.daemon(Tomorrow).process(arrival)
    for sent in (moved, house.publisher.published[-1]):
        assert parked_before(RecordHeaders.read(sent.headers)) == 1


def test_a_history_that_no_release_wrote_is_not_believed() -> None:
    forged = record_of(Inbound, inbound(), headers=[(PARKED_TIMES, b"9")])
    assert parked_before(forged.headers) == 0


async def test_what_has_a_date_or_waits_for_a_person_is_left_as_it_is(store: FullStore) -> None:
    house, date = House(store), NOW + timedelta(minutes=5)
    record = record_of(Inbound, inbound())
    for offset, due in enumerate((date, None)):
        house.raises = Park("crm_quota", due=due)
        arrival = Arrival(Partition("inbound.messages", 0), offset, record.key, record.value, record.headers.raw)
        await house.daemon(Inbound).process(arrival)
    assert {row.due for row in await store.list_parked(ACME)} == {date, None}


async def test_every_daemon_parks_a_newer_version_with_a_date(store: FullStore) -> None:
    for spec in offline_specs():
        topic, kind = next(iter(spec.topics.items()))
        house = House(store)
        raw = document_headers(tenant=TENANT, request_id="r", event_id="e", schema=kind.schema_name, version="9.0")
        outcomes = Outcomes(
            spec,
            group=f"leadbus.{spec.name}",
            publishing=house.publishing,
            parking=StoreParking(store),
            settings=house.settings,
            clock=house.clock,
            chance=Random(1),
            metrics=house.metrics,
            failpoints=Failpoints(),
        )
        await outcomes.process(Arrival(Partition(topic, 0), 0, b"r", b"whatever", tuple(raw)))
    rows = await store.list_parked(ACME)
    assert {row.stage for row in rows} == {spec.name for spec in offline_specs()}
    assert {row.due for row in rows} == {NOW + HOUR}
