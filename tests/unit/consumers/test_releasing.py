"""Parked records: published again for their stage with an answer, or ended by a person; and by date, in turn."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from connectors.bus.seam import RecordTooLarge
from connectors.store.opening import open_store
from connectors.store.seam import FullStore, Parked, Scope, TenantRow
from consumers.due_releases import DueReleases
from consumers.publishing import publication
from consumers.recorder import first_place
from consumers.releasing import CannotRelease, Releaser, way_back
from consumers.runtime.client import Arrival, Departure, Partition
from consumers.runtime.failures import answer_of, attempt_of, origin_of, parked_headers, retry_of
from consumers.runtime.metrics import Metrics
from consumers.runtime.seam import Place
from schemas import codec, topics
from schemas.delivery import DeliveryOrder
from schemas.documents import Inbound
from schemas.headers import FAILURE_REASON, PARK_ID, RELEASED, RETRY_FOR, RecordHeaders, Release
from tests.unit.consumers.house import NOW, TENANT, StillClock, inbound, only, record_of
from tests.unit.consumers.orders import mail, order

ACME = Scope(TENANT)
HERE = Place("inbound.messages", 3, 17)


class Wire:
    """Takes what is published; refuses what is told to be too large."""

    def __init__(self) -> None:
        self.sent: list[Departure] = []
        self.too_large: bytes | None = None

    async def publish(self, departures: Sequence[Departure]) -> None:
        for departure in departures:
            if departure.value == self.too_large and departure.topic != topics.DEAD_LETTERS:
                raise RecordTooLarge(departure.topic)
        self.sent += departures

    def ids(self) -> list[str | None]:
        return [RecordHeaders.read(sent.headers).get(PARK_ID) for sent in self.sent]

    def documents(self, topic: str) -> list[dict[str, Any]]:
        return [codec.loads(sent.value or b"") for sent in self.sent if sent.topic == topic]


def row(
    park_id: str = "p", *, stage: str = "routing", reason: str = "no_rule", topic: str = "inbound.messages", **of: Any
) -> Parked:
    document, kind = of.pop("document", None) or inbound(), of.pop("kind", Inbound)
    record = record_of(kind, document, topic=topic)
    return Parked(
        park_id=park_id,
        stage=stage,
        reason=reason,
        detail="",
        event_id=document["envelope"]["event_id"],
        request_id=document["envelope"]["request_id"],
        topic=topic,
        record=record.value,
        headers=parked_headers(record.headers, replace(HERE, topic=topic)),
        **of,
    )


class Desk:
    def __init__(self, store: FullStore) -> None:
        self.store, self.wire, self.clock, self.metrics = store, Wire(), StillClock(), Metrics.create()
        self.releaser = Releaser(store, self.wire.publish, "eu.", self.clock)

    def due(self, owner: str = "one", batch: int = 50) -> DueReleases:
        return DueReleases(self.store, self.releaser, owner=owner, clock=self.clock, metrics=self.metrics, batch=batch)

    async def park(self, *rows: Parked, scope: Scope = ACME) -> None:
        for each in rows:
            await self.store.park(scope, each)
            await asyncio.sleep(0.002)  # the store's clock tells which is older

    async def release(self, answer: Release = Release.AGAIN, scope: Scope = ACME) -> None:
        await self.releaser.release(scope, await self.store.list_parked(scope), answer, "ana")

    def gauge(self, name: str, stage: str = "routing", reason: str = "no_rule") -> float:
        return self.metrics.value(name, stage=stage, reason=reason)


@pytest.fixture
def desk(store: FullStore) -> Desk:
    return Desk(store)


async def test_a_released_record_goes_through_the_overflow_topic_for_its_stage_alone(desk: Desk) -> None:
    parked = row()
    await desk.park(parked)
    await desk.release()
    [sent] = desk.wire.sent
    headers = RecordHeaders.read(sent.headers)
    assert (sent.topic, sent.key, sent.value) == (
        "inbound.messages.overflow",
        parked.request_id.encode(),
        parked.record,
    )
    assert headers.get(RETRY_FOR) == "eu.leadbus.routing"
    assert (answer_of(headers), attempt_of(headers)) == ((Release.AGAIN, "p"), 0)
    assert sent.headers[: len(record_of(Inbound, inbound()).headers.raw)] == record_of(Inbound, inbound()).headers.raw
    assert await desk.store.list_parked(ACME) == []
    assert (await desk.store.get_parked(ACME, "p")).released_at is not None


async def test_a_released_record_is_the_same_arrival_and_its_patience_begins_anew(desk: Desk) -> None:
    await desk.park(row())
    await desk.release()
    [sent] = desk.wire.sent
    read = record_of(Inbound, inbound(), topic=sent.topic, headers=sent.headers, offset=99)  # type: ignore[arg-type]
    assert first_place(read) == HERE
    arrival = Arrival(Partition(sent.topic, 0), 99, sent.key, sent.value, sent.headers)
    origin = origin_of(arrival, read.headers, NOW)
    assert (Place(origin.topic, origin.partition, origin.offset), origin.first_failed_at) == (HERE, NOW)
    retry = retry_of(arrival, tier="retry.10s", group="g", reason="busy", detail="", origin=origin, due_at=NOW)
    assert answer_of(RecordHeaders.read(retry.headers)) == (Release.AGAIN, "p")


def test_what_is_parked_again_or_dead_carries_no_answer() -> None:
    released = record_of(Inbound, inbound(), headers=[(RETRY_FOR, b"g"), (RELEASED, b"not_sent"), (PARK_ID, b"p")])
    assert answer_of(released.headers) == (Release.NOT_SENT, "p")
    names = {name for name, _ in parked_headers(released.headers, HERE)}
    assert not names & {RETRY_FOR, RELEASED, PARK_ID}


@pytest.mark.parametrize(
    "headers",
    [
        [(RELEASED, b"sent"), (PARK_ID, b"p")],
        [(RETRY_FOR, b"g"), (RELEASED, b"sent")],
        [(RETRY_FOR, b"g"), (RELEASED, b"please"), (PARK_ID, b"p")],
        [(RETRY_FOR, b"g"), (PARK_ID, b"p")],
    ],
)
def test_an_answer_counts_only_with_all_that_a_release_writes(headers: list[tuple[str, bytes]]) -> None:
    assert answer_of(record_of(Inbound, inbound(), headers=headers).headers) is None


@pytest.mark.parametrize(
    ("topic", "back"),
    [
        ("inbound.calls", "inbound.calls.overflow"),
        ("inbound.calls.overflow", "inbound.calls.overflow"),
        ("deliver.hubspot", "deliver.hubspot.overflow"),
        ("a topic of tomorrow", "a topic of tomorrow"),
    ],
)
def test_the_way_back_is_the_overflow_topic_and_never_one_of_its_own(topic: str, back: str) -> None:
    assert way_back(topic) == back


@pytest.mark.parametrize(
    ("answer", "reason", "says"),
    [
        (Release.SENT, "no_rule", "parked as effect_unknown; this one is parked as no_rule"),
        (Release.NOT_SENT, "held_by_rule", "effect_unknown"),
        (Release.APPROVE, "effect_unknown", "held_by_rule"),
    ],
)
async def test_an_answer_to_another_question_is_refused_and_nothing_is_done(
    desk: Desk, answer: Release, reason: str, says: str
) -> None:
    await desk.park(row("a", reason=reason), row("b", reason=reason))
    with pytest.raises(CannotRelease, match=says):
        await desk.release(answer)
    assert (desk.wire.sent, len(await desk.store.list_parked(ACME))) == ([], 2)


async def test_what_was_released_is_not_released_again(desk: Desk) -> None:
    await desk.park(row())
    await desk.release()
    released = await desk.store.get_parked(ACME, "p")
    with pytest.raises(CannotRelease, match="it was released at 20"):
        await desk.releaser.release(ACME, [released], Release.AGAIN, "ana")
    assert len(desk.wire.sent) == 1


async def test_a_store_that_goes_away_after_publishing_leaves_the_row_to_be_published_again(
    desk: Desk, tmp_path: Any
) -> None:
    await desk.park(row())
    [parked] = await desk.store.list_parked(ACME)
    gone = open_store(f"sqlite:///{tmp_path / 'missing' / 'store.db'}")
    with pytest.raises(Exception, match=r"file|open"):
        await replace(desk.releaser, store=gone).release(ACME, [parked], Release.AGAIN, "ana")
    await gone.close()
    await desk.release()
    assert desk.wire.ids() == ["p", "p"]


async def test_one_record_that_fits_no_topic_any_more_does_not_keep_the_others(desk: Desk) -> None:
    large = row("large", document=inbound(thing="2", event="2"))
    await desk.park(row("a"), large, row("b"))
    desk.wire.too_large = large.record
    await desk.release()
    letters = [sent for sent in desk.wire.sent if sent.topic == topics.DEAD_LETTERS]
    assert [RecordHeaders.read(letter.headers).get(FAILURE_REASON) for letter in letters] == ["record_too_large"]
    assert [name for name in desk.wire.ids() if name] == ["a", "b"]
    assert await desk.store.list_parked(ACME) == []


# ended by a person ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stage", "topic", "phase"),
    [
        ("routing", "inbound.messages.overflow", "received"),
        ("routing", "analyzed", "analyzed"),
        ("transcription", "inbound.calls", "analyzed"),
        ("analysis", "inbound.messages", "analyzed"),
    ],
)
async def test_what_is_discarded_ends_its_phase_filtered_and_says_who_wanted_it(
    desk: Desk, stage: str, topic: str, phase: str
) -> None:
    await desk.park(row(stage=stage, topic=topic))
    await desk.release(Release.DISCARD)
    [ended] = desk.wire.documents("outcomes")
    assert (ended["state"], ended["phase"], ended["last"]) == ("filtered", phase, True)
    assert ended["reason"] == f"discarded by ana: it was parked by {stage} as no_rule"
    assert [sent.topic for sent in desk.wire.sent] == ["outcomes"]
    assert await desk.store.list_parked(ACME) == []


async def test_a_discarded_order_ends_its_step_and_all_that_follow(desk: Desk) -> None:
    document = order(mail("one"), mail("two"), mail("three"))
    await desk.park(row(stage="delivery", topic="deliver.email", document=document, kind=DeliveryOrder))
    await desk.release(Release.DISCARD)
    ended = desk.wire.documents("outcomes")
    assert [(end["step_id"], end["state"], end["last"]) for end in ended] == [
        ("one", "filtered", False),
        ("two", "filtered", False),
        ("three", "filtered", True),
    ]
    assert {sent.topic for sent in desk.wire.sent} == {"outcomes"}


async def test_what_the_recorder_could_not_keep_ends_nothing_when_it_is_discarded(desk: Desk) -> None:
    await desk.park(row(stage="recorder", topic="outcomes", document=inbound()))
    await desk.release(Release.DISCARD)
    assert (desk.wire.sent, await desk.store.list_parked(ACME)) == ([], [])


async def test_what_this_version_cannot_read_cannot_be_discarded(desk: Desk) -> None:
    await desk.park(replace(row(), record=b'{"envelope": {"shape": "of tomorrow"}}'))
    with pytest.raises(CannotRelease, match="cannot read"):
        await desk.release(Release.DISCARD)
    assert len(await desk.store.list_parked(ACME)) == 1


# by date -------------------------------------------------------------------------------------------------------------


async def test_what_is_due_is_released_oldest_first_and_the_rest_waits(desk: Desk) -> None:
    soon, later = NOW - timedelta(seconds=1), NOW + timedelta(hours=1)
    await desk.park(row("b", due=NOW), row("a", due=soon), row("later", due=later), row("person"))
    await desk.due().look()
    assert desk.wire.ids() == ["b", "a"]
    assert [each.park_id for each in await desk.store.list_parked(ACME)] == ["later", "person"]
    assert desk.gauge("released_total") == 2
    desk.clock.time = later
    await desk.due().look()
    assert desk.wire.ids() == ["b", "a", "later"]


async def test_tenants_take_turns(desk: Desk) -> None:
    other = Scope("other")
    await desk.park(*(row(f"a{number}", due=NOW) for number in range(7)))
    await desk.park(*(row(f"o{number}", due=NOW) for number in range(2)), scope=other)
    await desk.due(batch=3).look()
    assert desk.wire.ids() == ["a0", "a1", "a2", "o0", "o1", "a3", "a4", "a5", "a6"]


async def test_records_of_a_tenant_that_nobody_knows_come_back_too(desk: Desk) -> None:
    nobody = Scope("nobody-knows")
    await desk.park(row("n", due=NOW), scope=nobody)
    await desk.due().look()
    assert desk.wire.ids() == ["n"]


async def test_what_another_retry_daemon_is_releasing_is_left_to_it(desk: Desk) -> None:
    await desk.park(row("a", due=NOW))
    one = desk.due("one")
    async with one._turn(ACME) as mine:
        assert mine
        await desk.due("two").look()
        assert desk.wire.sent == []
    await desk.due("two").look()
    assert desk.wire.ids() == ["a"]


async def test_what_waits_is_counted_by_stage_and_reason_with_the_age_of_the_oldest(desk: Desk) -> None:
    await desk.store.put_tenant(TenantRow("other", "Other"), [])
    await desk.park(row("a"), row("b"), row("c", stage="delivery", reason="crm_quota", due=NOW))
    await desk.park(row("d"), scope=Scope("other"))
    [oldest, *_] = await desk.store.list_parked(ACME)
    assert oldest.parked_at is not None
    desk.clock.time = oldest.parked_at + timedelta(seconds=90)
    due = desk.due()
    await due.look()
    assert (desk.gauge("parked_records"), desk.gauge("parked_oldest_seconds")) == (3, 90)
    await due.look()
    assert desk.gauge("parked_records", "delivery", "crm_quota") == 0
    await desk.release()
    await desk.release(scope=Scope("other"))
    await due.look()
    assert (desk.gauge("parked_records"), desk.gauge("parked_oldest_seconds")) == (0, 0)


async def test_a_store_that_is_away_is_looked_at_again(desk: Desk, tmp_path: Any) -> None:
    gone = open_store(f"sqlite:///{tmp_path / 'missing' / 'store.db'}")
    looking = asyncio.create_task(
        DueReleases(gone, desk.releaser, owner="one", clock=desk.clock, metrics=desk.metrics).run()
    )
    async with asyncio.timeout(20):
        while len(desk.clock.slept) < 3:  # noqa: ASYNC110  the task itself is what is waited for
            await asyncio.sleep(0.01)
    looking.cancel()
    await asyncio.wait([looking])
    await gone.close()
    assert looking.cancelled()


def test_a_publication_of_ours_never_carries_an_answer() -> None:
    envelope = record_of(Inbound, inbound()).document.envelope
    made = publication("analyzed", Inbound, envelope, inbound())
    assert not {name for name, _ in made.headers} & {RETRY_FOR, RELEASED, PARK_ID}
    assert only([made])
