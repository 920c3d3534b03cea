"""What is measured on, and our own contestant on the embedded broker: that it counts right, never how fast it is."""

import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from connectors.store.seam import Scope
from ops.bench.broker import Broker, measured_broker
from ops.bench.contest import ask, fresh_name, ours, peer
from ops.bench.hot_key import others_rate
from ops.bench.house import RoutingHouse, Way
from ops.bench.leads import analyzed_rows, fixtures
from ops.bench.plan import sizes
from ops.bench.records import VALUE_BYTES, Measured, fill, hot_key_rows, row, rows
from ops.bench.runtime import PARTS
from ops.bench.trickle import Trickle
from ops.demo.run import TENANTS
from ops.stack.embedded_broker import EmbeddedBroker
from schemas import codec, topics
from schemas.documents import Analyzed
from schemas.headers import TENANT, RecordHeaders


def test_a_record_has_500_bytes_and_is_a_document_with_its_headers() -> None:
    for number in (0, 7, 123_456):
        key, value, headers = row(number)
        assert len(value) == VALUE_BYTES
        document = Measured.model_validate(codec.loads(value))
        assert key.decode() == document.envelope.request_id
        assert RecordHeaders.read(headers).get(TENANT) == document.envelope.tenant_id
        assert RecordHeaders.read(headers).schema_major == 1


def test_every_record_has_a_key_of_its_own_and_the_same_one_again() -> None:
    assert len({key for key, _, _ in rows(500)}) == 500
    assert list(rows(20)) == list(rows(20))


def test_four_of_five_records_share_the_hot_key_evenly_mixed() -> None:
    keys = [key for key, _, _ in hot_key_rows(100, 80, "hot")]
    assert Counter(keys)[b"hot"] == 80
    assert all(Counter(keys[start : start + 10])[b"hot"] == 8 for start in range(0, 100, 10))
    assert len(set(keys)) == 21


def test_leads_are_documents_of_every_tenant_with_identities_of_their_own() -> None:
    samples = fixtures()
    found = list(analyzed_rows(2 * len(samples), "one", samples))
    documents = [Analyzed.model_validate(codec.loads(value)) for _, value, _ in found]
    assert {document.envelope.tenant_id for document in documents} == set(TENANTS)
    assert len({document.envelope.event_id for document in documents}) == len(found)
    others = list(analyzed_rows(2 * len(samples), "two", samples))
    assert not {key for key, _, _ in found} & {key for key, _, _ in others}


def test_a_quick_run_is_smaller_and_runs_as_often_as_asked() -> None:
    quick, whole = sizes(runs=2, quick=True), sizes(runs=2, quick=False)
    assert quick.runs == whole.runs == 2
    assert quick.noop_records < whole.noop_records
    assert all(part.turns(quick) > 0 for part in PARTS.values())


def test_the_rate_of_others_is_told_with_and_without_the_hot_partition() -> None:
    answers = [{"special_partition": 2, "others": {"0": 10, "1": 20, "2": 30}}]
    assert others_rate(answers, 10.0) == [6.0]
    assert others_rate(answers, 10.0, beside_the_key=True) == [3.0]
    assert others_rate(answers, 10.0, beside_the_key=False) == [3.0]


def test_the_way_of_leads_is_counted_from_the_first_published_to_the_last_decided() -> None:
    way = Way({b"a": 100.0, b"b": 100.5}, {b"a": 101.0, b"b": 102.0})
    assert way.rate == 1.0
    assert sorted(way.latencies) == [1.0, 1.5]
    assert Way({}, {}).rate == 0.0


def order(broker: EmbeddedBroker, topic: str, **more: Any) -> dict[str, Any]:
    return {
        "bootstrap": broker.bootstrap,
        "topic": topic,
        "group": fresh_name("bench"),
        "slots": 50,
        "work_seconds": 0.01,
        "special_key": "hot",
        "max_seconds": 30.0,
        **more,
    }


@pytest.mark.parametrize("handler", ["noop", "typed", "raw", "sleep"])
def test_our_contestant_answers_with_what_it_handled(embedded_broker: EmbeddedBroker, handler: str) -> None:
    topic = fresh_name("measured")
    fill(embedded_broker.bootstrap, topic, rows(200))
    answer = ask(ours("leadbus", handler=handler), order(embedded_broker, topic, records=200, handler=handler))
    assert answer["records"] == 200
    assert answer["seconds"] > 0
    assert answer["cpu_seconds"] > 0
    assert answer["rss_peak_mib"] > 10


def test_our_contestant_counts_the_others_beside_a_hot_key(embedded_broker: EmbeddedBroker) -> None:
    topic = fresh_name("hot")
    with Trickle(embedded_broker.bootstrap, topic, hot_key_rows(2_000, 1_600, "hot"), 200):
        answer = ask(
            ours("leadbus", handler="keyed"),
            order(embedded_broker, topic, records=1_000_000, max_seconds=1.0, handler="keyed"),
        )
    assert answer["special"] > 0
    assert answer["special_partition"] in range(4)
    assert sum(answer["others"].values()) > 0


@pytest.mark.parametrize(
    ("script", "more"),
    [
        ("run_aiokafka.py", {}),
        ("run_aiokafka.py", {"decode": "typed"}),
        ("run_aiokafka.py", {"publish_to": "copies"}),
        ("run_faststream.py", {"policy": "ACK"}),
        ("run_faststream.py", {"policy": "ACK_FIRST"}),
    ],
)
def test_peers_whose_libraries_we_have_too_answer_with_what_they_handled(
    embedded_broker: EmbeddedBroker, script: str, more: dict[str, Any]
) -> None:
    topic = fresh_name("measured")
    fill(embedded_broker.bootstrap, topic, rows(100))
    answer = ask(peer("a peer", Path(sys.executable), script), order(embedded_broker, topic, records=100, **more))
    # The bare loop does not count its first batch, which may be all there is.
    assert answer["records"] == 100 or (script == "run_aiokafka.py" and answer["records"] < 100)
    assert answer["seconds"] > 0


@pytest.mark.parametrize("script", ["run_aiokafka.py", "run_faststream.py"])
def test_peers_tell_how_long_records_lay_on_the_topic(embedded_broker: EmbeddedBroker, script: str) -> None:
    topic = fresh_name("timed")
    with Trickle(embedded_broker.bootstrap, topic, rows(10_000), 100):
        contestant = peer("a peer", Path(sys.executable), script)
        answer = ask(contestant, order(embedded_broker, topic, records=20, timed=True))
    assert answer["records"] >= 20
    assert 0 < answer["delay_p50"] <= answer["delay_p99"]


async def test_the_rules_daemon_decides_every_lead_of_a_series(tmp_path: Path) -> None:
    from connectors.store.opening import open_store

    url = f"sqlite:///{tmp_path / 'leadbus.db'}"
    with measured_broker(embedded=True) as broker:
        assert not broker.real
        create(broker)
        async with RoutingHouse(tmp_path, broker, url, "bench.") as house:
            found = house.send(list(analyzed_rows(12, "series", fixtures())))
            assert len(found.came_out) == len(found.went_in) == 12
            assert found.rate > 0
    store = open_store(url)
    try:
        counts = [await store.count(Scope(tenant)) for tenant in TENANTS]
    finally:
        await store.close()
    assert sum(count["decisions"] for count in counts) == 12


def create(broker: Broker) -> None:
    broker.create([("bench." + topic.name, topic.partitions) for topic in topics.table()])
