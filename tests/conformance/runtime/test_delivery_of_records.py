"""Every record is handled, what is handled is committed, and nothing else is."""

import asyncio

from consumers.runtime.offsets import decode
from schemas import codec
from schemas.headers import RecordHeaders
from schemas.topics import ANALYZED
from tests.conformance.runtime.cluster import Cluster, leads, until
from tests.conformance.runtime.example import TRACE, Journal


async def test_two_thousand_records_are_handled_once_and_committed_to_the_end(
    cluster: Cluster, journal: Journal
) -> None:
    cluster.produce(leads(2_000))
    async with cluster.daemon(journal):
        await until(lambda: len(journal.numbers("end")) >= 2_000, 60)
    assert sorted(journal.numbers("start")) == list(range(2_000))
    commits = (await cluster.commits()).items()
    finished = {partition: (commit.offset, decode(commit.offset, commit.metadata)) for partition, commit in commits}
    assert finished == dict.fromkeys(range(4), (500, frozenset()))
    assert len(cluster.read(ANALYZED)) == 2_000


async def test_the_commit_stays_below_a_slow_record_and_tells_what_is_finished_beyond(
    cluster: Cluster, journal: Journal
) -> None:
    cluster.produce([*leads(1, "sleep 30"), *leads(9, start=1)], partition=lambda _: 0)
    async with cluster.daemon(journal, grace_seconds=0.0):
        await until(lambda: len(journal.numbers("end")) == 9)
        await asyncio.sleep(1.5)
        commit = (await cluster.commits())[0]
    assert commit.offset == 0
    assert decode(0, commit.metadata) == set(range(1, 10))


async def test_fields_and_sections_of_the_future_and_the_trace_go_through_unharmed(
    light: Cluster, journal: Journal
) -> None:
    (document,) = leads(1)
    document |= {"tomorrow": {"kept": [1, 2.5, None]}}
    document["lead"]["aura"] = "blue"
    light.produce([document])
    async with light.daemon(journal):
        await until(lambda: bool(journal.numbers("end")))
    (published,) = light.read(ANALYZED)
    grown = codec.loads(published.value())
    assert grown.pop("analysis")["lead_score"] == 50
    document["raw"] = {key: value for key, value in document["raw"].items() if key not in ("body", "encoding")}
    assert grown == document
    assert RecordHeaders.read(published.headers()).values["traceparent"] == TRACE
