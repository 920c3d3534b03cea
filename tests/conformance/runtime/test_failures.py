"""What cannot be handled goes where it belongs, and the partition moves on."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from ops.topics import create_topics
from schemas import codec
from schemas.headers import (
    FAILURE_ATTEMPT,
    FAILURE_FIRST_AT,
    FAILURE_GROUP,
    FAILURE_OFFSET,
    FAILURE_REASON,
    FAILURE_TOPIC,
    RETRY_DUE_AT,
    RETRY_FOR,
    RecordHeaders,
)
from schemas.topics import (
    ANALYZED,
    DEAD_LETTERS,
    INBOUND_MESSAGES,
    LARGEST_RECORD,
    OUTCOMES,
    RETRY_TIERS,
    overflow,
    table,
)
from tests.conformance.runtime.cluster import PARTITIONS, Cluster, leads, until
from tests.conformance.runtime.example import GROUP, Journal, ParkingLot, headers_of, inbound

Headers = Sequence[tuple[str, bytes | None]]


def replaced(headers: Headers, name: str, value: bytes | None) -> list[tuple[str, bytes | None]]:
    return [(key, value if key == name else old) for key, old in headers]


async def all_committed(cluster: Cluster, offset: int) -> None:
    async with asyncio.timeout(20):
        while (commit := (await cluster.commits()).get(0)) is None or commit.offset < offset:  # noqa: ASYNC110
            await asyncio.sleep(0.1)


async def test_poison_of_every_kind_becomes_dead_letters_untouched_and_the_partition_moves_on(
    cluster: Cluster, journal: Journal
) -> None:
    document = inbound(1)
    good, headers = codec.dumps(document), headers_of(document)
    foreign = inbound(2, tenant="other")
    poison: list[tuple[str, bytes | None, Headers]] = [
        ("not_json", b"{not json", headers),
        ("schema", codec.dumps({**document, "lead": {"name": 7}}), headers),
        ("header_missing", good, replaced(headers, "tenant", b"\xff\xfe")),
        ("header_missing", good, replaced(headers, "schema", None)),
        ("header_missing", good, []),
        ("null_value", None, headers),
        ("tenant_mismatch", codec.dumps(foreign), headers),
    ]
    for number, (_, value, broken) in enumerate(poison):
        cluster.produce_raw(str(number).encode(), value, broken)
    cluster.produce(leads(1, start=9), partition=lambda _: 0)
    async with cluster.daemon(journal):
        await until(lambda: journal.numbers("end") == [9])
        await all_committed(cluster, len(poison) + 1)
    letters = {int(letter.key()): letter for letter in cluster.read(DEAD_LETTERS)}
    for number, (reason, value, broken) in enumerate(poison):
        letter, added = letters[number], RecordHeaders.read(letters[number].headers())
        assert letter.value() == value
        assert letter.headers()[: len(broken)] == list(broken)
        assert added.get(FAILURE_REASON) == reason
        assert (added.get(FAILURE_TOPIC), added.get(FAILURE_OFFSET)) == (INBOUND_MESSAGES, str(number))
        assert added.get(FAILURE_GROUP) == cluster.prefix + GROUP


@pytest.mark.parametrize(("command", "reason", "calls"), [("permanent", "refused", 1), ("crash", "handler_failed", 3)])
async def test_what_never_works_becomes_a_dead_letter_with_its_final_state(
    light: Cluster, journal: Journal, command: str, reason: str, calls: int
) -> None:
    light.produce(leads(1, command), partition=lambda _: 0)
    async with light.daemon(journal):
        await all_committed(light, 1)
    assert len(journal.numbers("start")) == calls
    (letter,), (outcome,) = light.read(DEAD_LETTERS), light.read(OUTCOMES)
    text = b"".join(value or b"" for _, value in letter.headers())
    assert RecordHeaders.read(letter.headers()).get(FAILURE_REASON) == reason
    assert b"nobody may read" not in text
    assert codec.loads(outcome.value())["reason"] == reason


async def test_a_retry_comes_back_when_it_is_due_and_succeeds(cluster: Cluster, journal: Journal) -> None:
    cluster.produce(leads(3, "retry 1.0"), partition=lambda _: 0)
    async with cluster.retry_daemon(), cluster.daemon(journal):
        await until(lambda: len(journal.numbers("end")) == 3)
    first = {line["number"]: line for line in journal.lines("start") if line["attempt"] == 0}
    last = {line["number"]: line for line in journal.lines("end")}
    for number in range(3):
        assert last[number]["attempt"] == 1
        assert 1.0 <= last[number]["at"] - first[number]["at"] < 4.0
    waited = RecordHeaders.read(cluster.read("retry.10s")[0].headers())
    assert waited.get(RETRY_FOR) == cluster.prefix + GROUP
    assert waited.get(FAILURE_REASON) == "vendor_busy"
    assert waited.get(FAILURE_ATTEMPT) == "1"
    failed, due = (datetime.fromisoformat(waited.values[name]) for name in (FAILURE_FIRST_AT, RETRY_DUE_AT))
    assert timedelta(seconds=1) <= due - failed <= timedelta(seconds=1.1)
    came: list[Any] = []
    back: list[Any] = []
    for record in cluster.read(INBOUND_MESSAGES):
        (back if RecordHeaders.read(record.headers()).get(RETRY_FOR) else came).append(record)
    assert {(r.key(), r.value(), *r.headers()) for r in came} == {
        (r.key(), r.value(), *r.headers()[: len(came[0].headers())]) for r in back
    }


async def test_a_retry_is_given_up_and_becomes_a_dead_letter(light: Cluster, journal: Journal) -> None:
    light.produce(leads(1, "retry-always 0.05"), partition=lambda _: 0)
    async with light.daemon(journal):
        await all_committed(light, 1)
    (letter,) = light.read(DEAD_LETTERS)
    assert RecordHeaders.read(letter.headers()).get(FAILURE_REASON) == "gave_up"
    assert all(not light.read(tier) for tier in RETRY_TIERS)


async def test_a_retry_for_another_group_is_finished_unread(light: Cluster, journal: Journal) -> None:
    light.produce(leads(1), partition=lambda _: 0, more_headers=[(RETRY_FOR, b"leadbus.somebody-else")])
    light.produce(leads(1, start=1), partition=lambda _: 0)
    async with light.daemon(journal):
        await all_committed(light, 2)
    assert journal.numbers("start") == [1]


async def test_a_retry_topic_that_holds_something_else_does_not_stop_the_retry_daemon(light: Cluster) -> None:
    light.produce(leads(1), topic="retry.10s", partition=lambda _: 0)
    async with light.retry_daemon():
        await until(lambda: len(light.read(DEAD_LETTERS)) == 1)
    assert RecordHeaders.read(light.read(DEAD_LETTERS)[0].headers()).get(FAILURE_REASON) == "not_a_retry"


async def test_parked_records_are_kept_once_though_the_store_was_away(light: Cluster, journal: Journal) -> None:
    parking = ParkingLot(refusals=2)
    (document,) = leads(1, "park")
    light.produce([document], partition=lambda _: 0)
    async with light.daemon(journal, parking=parking, publish_backoff_seconds=0.05):
        await all_committed(light, 1)
    ((tenant, parked),) = parking.parked.values()
    assert tenant == "acme"
    assert (parked.stage, parked.reason, parked.connector_id) == ("example", "connector_broken", "crm")
    assert (parked.topic, parked.record) == (INBOUND_MESSAGES, codec.dumps(document))
    place = (("failure_topic", b"inbound.messages"), ("failure_partition", b"0"), ("failure_offset", b"0"))
    assert parked.headers == (*headers_of(document), *place)  # where it first lay, for whoever counts arrivals
    assert light.read(DEAD_LETTERS) == []


async def test_a_newer_major_version_is_parked_unread(light: Cluster, journal: Journal) -> None:
    document: dict[str, Any] = {"a shape": "of tomorrow", "envelope": inbound(1)["envelope"]}
    parking = ParkingLot()
    light.produce_raw(b"k", codec.dumps(document), headers_of(document, version="2.0"))
    light.flush()
    async with light.daemon(journal, parking=parking):
        await all_committed(light, 1)
    ((_, parked),) = parking.parked.values()
    assert (parked.reason, journal.lines(), light.read(DEAD_LETTERS)) == ("newer_schema", [], [])


@pytest.mark.kafka
async def test_a_dead_letter_that_cannot_be_written_keeps_its_offset_open_until_it_can(
    apache: Cluster, journal: Journal
) -> None:
    prefix = apache.prefix + "late."
    for topic in (INBOUND_MESSAGES, overflow(INBOUND_MESSAGES), ANALYZED, OUTCOMES):
        apache.create(prefix + topic, 4)
    late = Cluster(apache.bootstrap, prefix, apache.create)
    late.produce([*leads(1, "permanent"), *leads(5, start=1)], partition=lambda _: 0)
    async with late.daemon(journal, publish_timeout_ms=1_000, publish_backoff_seconds=0.2) as daemon:
        await until(lambda: len(journal.numbers("end")) == 5)
        await until(lambda: daemon.metrics.value("stuck_records") == 1)
        await asyncio.sleep(1.2)
        assert (await late.commits())[0].offset == 0
        late.create(prefix + DEAD_LETTERS, 4)
        await all_committed(late, 6)
        assert daemon.metrics.value("stuck_records") == 0
    assert len(late.read(DEAD_LETTERS)) == 1


async def test_a_daemon_started_on_a_group_without_commits_reads_from_the_beginning(
    cluster: Cluster, journal: Journal
) -> None:
    cluster.produce(leads(4))
    async with cluster.daemon(journal):
        await until(lambda: len(journal.numbers("end")) == 4)


@pytest.mark.parametrize("broker", ["memory", "embedded", pytest.param("apache", marks=pytest.mark.kafka)])
async def test_the_largest_record_fits_into_the_dead_letters_and_the_retry_topics(
    broker: str, request: pytest.FixtureRequest, journal: Journal
) -> None:
    cluster: Cluster = request.getfixturevalue(broker)
    if broker == "apache":
        cluster = Cluster(cluster.bootstrap, f"{cluster.prefix}table.", cluster.create)
        create_topics(cluster.bootstrap, prefix=cluster.prefix, replication=1)
    documents = [*leads(1, "permanent"), *leads(1, "retry 60", start=1)]
    for document in documents:
        room = LARGEST_RECORD - 4_096 - len(codec.dumps(document))
        document["lead"]["extra"]["filling"] = "x" * (room - 20)
    cluster.produce(documents, partition=lambda _: 0)
    partitions = {topic.name: topic.partitions for topic in table()} if broker == "apache" else {}
    async with cluster.daemon(journal):
        await all_committed(cluster, 2)
    (letter,) = cluster.read(DEAD_LETTERS, partitions=partitions.get(DEAD_LETTERS, PARTITIONS))
    (waiting,) = cluster.read("retry.1m", partitions=partitions.get("retry.1m", PARTITIONS))
    assert [letter.value(), waiting.value()] == [codec.dumps(document) for document in documents]
    assert len(letter.value()) > 890 * 1024
