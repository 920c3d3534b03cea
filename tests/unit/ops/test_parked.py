"""`leadbus ops parked` on a store and a broker: listing, showing, releasing, ending."""

import asyncio
import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition

from connectors.store.opening import open_store
from connectors.store.seam import Parked, Scope, TenantRow
from ops.stack.embedded_broker import EmbeddedBroker
from schemas import codec
from schemas.headers import PARK_ID, RELEASED, RETRY_FOR, RecordHeaders
from schemas.topics import AUDIT, INBOUND_MESSAGES, OUTCOMES, overflow
from tests.conformance.runtime.example import headers_of, inbound
from tests.unit.ops.leadbus import answer, run

TOPICS = (overflow(INBOUND_MESSAGES), OUTCOMES, AUDIT)


@pytest.fixture(scope="module")
def broker() -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker([(f"{prefix}{topic}", 1) for prefix in ("", "eu.") for topic in TOPICS]) as running:
        yield running


class Yard:
    """A store with parked records, and the commands on it."""

    def __init__(self, url: str, kafka: str) -> None:
        self.url, self.kafka = url, kafka

    def park(self, *rows: tuple[str, str, str], stage: str = "routing") -> None:
        """Tenant, park id, reason."""

        async def work() -> None:
            store = open_store(self.url)
            await store.migrate()
            for number, (tenant, park_id, reason) in enumerate(rows):
                document = inbound(number, tenant=tenant)
                await store.put_tenant(TenantRow(tenant, tenant), [])
                parked = Parked(
                    park_id=park_id,
                    stage=stage,
                    reason=reason,
                    detail="for a person",
                    event_id=document["envelope"]["event_id"],
                    request_id=document["envelope"]["request_id"],
                    topic=INBOUND_MESSAGES,
                    record=codec.dumps(document),
                    headers=tuple(headers_of(document)),
                    connector_id="hubspot" if reason == "crm_auth_broken" else None,
                )
                await store.park(Scope(tenant), parked)
                await asyncio.sleep(0.002)
            await store.close()

        asyncio.run(work())

    def do(self, *arguments: str, kafka: str | None = None, **env: str) -> Any:
        variables = {"LEADBUS_STORE_URL": self.url, "LEADBUS_KAFKA_BOOTSTRAP": kafka or self.kafka, **env}
        return run("ops", "parked", *arguments, **variables)

    def waiting(self) -> list[str]:
        return [row["park_id"] for row in answer(self.do("list", "--json"))["parked"]]

    def sent(self, topic: str, since: int) -> list[Any]:
        reader = Consumer({"bootstrap.servers": self.kafka, "group.id": uuid.uuid4().hex, "log_level": 0})
        try:
            _, end = reader.get_watermark_offsets(TopicPartition(topic, 0), timeout=10)
            reader.assign([TopicPartition(topic, 0, since)])
            found: list[Any] = []
            while len(found) < end - since:
                message = reader.poll(10)
                assert message is not None
                found.append(message)
            return found
        finally:
            reader.close()

    def end(self, topic: str) -> int:
        reader = Consumer({"bootstrap.servers": self.kafka, "group.id": uuid.uuid4().hex, "log_level": 0})
        try:
            end: int = reader.get_watermark_offsets(TopicPartition(topic, 0), timeout=10)[1]
            return end
        finally:
            reader.close()


@pytest.fixture
def yard(tmp_path: Path, broker: EmbeddedBroker) -> Yard:
    made = Yard(f"sqlite:///{tmp_path}/leadbus.db", broker.bootstrap)
    made.park(("acme", "a", "no_rule"), ("acme", "b", "held_by_rule"), ("other", "c", "crm_auth_broken"))
    return made


def test_what_waits_is_listed_by_what_it_waits_for(yard: Yard) -> None:
    assert yard.waiting() == ["a", "b", "c"]
    chosen = {"--tenant": "acme", "--reason": "held_by_rule", "--connector": "hubspot", "--stage": "routing"}
    listed = {option: yard.do("list", option, value, "--json") for option, value in chosen.items()}
    counts = {option: len(answer(found)["parked"]) for option, found in listed.items()}
    assert counts == {"--tenant": 2, "--reason": 1, "--connector": 1, "--stage": 3}
    assert yard.do("--tenant", "other").stdout.splitlines()[-1] == "1 parked"


def test_one_is_shown_with_the_answers_it_may_have_and_without_the_lead(yard: Yard) -> None:
    shown = answer(yard.do("show", "b", "--json"))
    assert (shown["tenant"], shown["reason"], shown["topic"]) == ("acme", "held_by_rule", INBOUND_MESSAGES)
    assert shown["answers"] == ["again", "approve", "discard"]
    assert not {"record", "headers"} & shown.keys()
    assert (shown["parked_before"], shown["parked_first_at"]) == (0, shown["parked_at"])
    assert "approve" in yard.do("show", "b").stdout
    missing = yard.do("show", "nobody")
    assert (missing.exit_code, missing.stderr) == (1, "leadbus: nothing is parked as nobody\n")


def test_a_release_publishes_for_the_stage_that_parked_it_and_the_rows_wait_no_more(yard: Yard) -> None:
    topic = overflow(INBOUND_MESSAGES)
    since, told = yard.end(topic), yard.end(AUDIT)
    said = answer(yard.do("release", "--tenant", "acme", "--yes", "--json", "--by", "ana"))
    assert (said["released"], said["refused"], said["by"]) == (2, {}, "ana")
    assert yard.waiting() == ["c"]
    headers = [RecordHeaders.read(message.headers()) for message in yard.sent(topic, since)]
    assert [(h.get(PARK_ID), h.get(RELEASED), h.get(RETRY_FOR)) for h in headers] == [
        ("a", "again", "leadbus.routing"),
        ("b", "again", "leadbus.routing"),
    ]
    [audited] = [codec.loads(message.value()) for message in yard.sent(AUDIT, told)]
    assert (audited["by"], audited["what"], audited["tenant_id"]) == ("ana", "parked.release", "acme")
    assert (audited["answer"], audited["subjects"]) == ("again", ["a", "b"])
    assert [row["park_id"] for row in answer(yard.do("list", "--released", "--json"))["parked"]] == ["a", "b"]


def test_a_prefix_goes_before_topics_and_groups(yard: Yard) -> None:
    topic = f"eu.{overflow(INBOUND_MESSAGES)}"
    since = yard.end(topic)
    yard.do("release", "--park-id", "c", "--yes", LEADBUS_TOPIC_PREFIX="eu.")
    [message] = yard.sent(topic, since)
    assert RecordHeaders.read(message.headers()).get(RETRY_FOR) == "eu.leadbus.routing"


def test_what_is_discarded_ends_with_a_reason_and_is_not_published_again(yard: Yard) -> None:
    ends, again = yard.end(OUTCOMES), yard.end(overflow(INBOUND_MESSAGES))
    assert answer(yard.do("release", "--park-id", "a", "--answer", "discard", "--yes", "--json"))["released"] == 1
    [ended] = yard.sent(OUTCOMES, ends)
    assert codec.loads(ended.value())["state"] == "filtered"
    assert yard.sent(overflow(INBOUND_MESSAGES), again) == []


def test_a_second_release_is_refused_clearly(yard: Yard) -> None:
    assert yard.do("release", "--park-id", "a", "--yes").exit_code == 0
    again = yard.do("release", "--park-id", "a", "--yes")
    assert (again.exit_code, again.stderr) == (1, "leadbus: a was released already: nothing was done\n")


def test_an_answer_goes_to_those_that_asked_and_the_others_are_named(yard: Yard) -> None:
    said = yard.do("release", "--tenant", "acme", "--answer", "approve", "--yes", "--json")
    assert said.exit_code == 1
    result = json.loads(said.stdout)
    assert result["released"] == 1
    assert "held_by_rule" in result["refused"]["a"]
    assert yard.waiting() == ["a", "c"]


def test_a_dry_run_says_what_would_be_released_and_does_nothing(yard: Yard) -> None:
    dry = yard.do("release", "--all", "--dry-run", kafka="127.0.0.1:1")
    assert dry.stdout.splitlines() == [
        "acme  routing  held_by_rule  1",
        "acme  routing  no_rule  1",
        "other  routing  crm_auth_broken  1",
        "3 would be released",
    ]
    assert yard.waiting() == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "say which ones"),
        (("--all", "--json"), "say --yes or --dry-run"),
    ],
)
def test_what_was_not_meant_is_not_done(yard: Yard, arguments: tuple[str, ...], says: str) -> None:
    said = yard.do("release", *arguments)
    assert said.exit_code == 2
    assert says in said.stderr
    assert yard.waiting() == ["a", "b", "c"]


def test_it_asks_before_it_releases_and_tells_how_many(yard: Yard) -> None:
    asked = yard.do("release", "--all")
    assert "Release 3 records with the answer again?" in asked.stdout
    assert yard.waiting() == ["a", "b", "c"]


def test_a_broker_that_is_away_leaves_everything_waiting(yard: Yard) -> None:
    said = yard.do("release", "--all", "--yes", kafka="127.0.0.1:1")
    assert said.exit_code == 3
    assert "still waits" in said.stderr
    assert yard.waiting() == ["a", "b", "c"]
