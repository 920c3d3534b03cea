"""The recorder daemon: the same rows whatever order the records come in, and every arrival and ending counted once."""

import itertools
import random
from dataclasses import asdict
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from connectors.store.seam import FullStore, Scope
from consumers import recorder
from consumers.recorder import Recorder
from consumers.runtime.seam import Publication, RetryAfter
from schemas import codec, identity
from schemas.decision import Decided
from schemas.delivery import Outcome
from schemas.documents import (
    Analysis,
    AnalysisState,
    Analyzed,
    Document,
    Embedding,
    Inbound,
    Transcribed,
    Transcript,
    TranscriptState,
    grow,
)
from tests.unit.consumers.house import NOW, RECEIVED_AT, TENANT, Shelf, StillClock, call, go_live, intake, record_of

SCOPE = Scope(TENANT)
VECTOR = [1.0, *([0.25] * 767)]


class Desk:
    """The daemon with its parts."""

    def __init__(self, store: FullStore, clock: StillClock) -> None:
        self.store, self.shelf = store, Shelf()
        self.spec = recorder.spec(Recorder(store, self.shelf, clock))

    async def handle(self, kind: type[Document], document: dict[str, Any], **of: Any) -> tuple[Publication, ...]:
        of = {"timestamp": NOW} | of
        return tuple(await self.spec.handler(record_of(kind, document, **of)))


@pytest.fixture
def desk(store: FullStore, clock: StillClock) -> Desk:
    return Desk(store, clock)


def heard(document: dict[str, Any], text: str = "My roof leaks.") -> dict[str, Any]:
    transcript = Transcript(state=TranscriptState.DONE, text=text, model="chirp_3", audio_seconds=61.2)
    return grow(document, transcript=transcript)


def scored(document: dict[str, Any], score: int = 80, ref: str | None = None) -> dict[str, Any]:
    embedding = Embedding(ref=ref, model="gemini-embedding-001", dimensions=768, task="S") if ref else None
    analysis = Analysis(
        state=AnalysisState.DONE,
        lead_score=score,
        spam_likelihood=0.1,
        sentiment_score=0.5,
        tags=("roof", "leak"),
        model="gemini-2.5-flash",
        embedding=embedding,
    )
    return grow(document, analysis=analysis)


def decided(document: dict[str, Any], phase: str, tags: tuple[str, ...]) -> dict[str, Any]:
    about = document["envelope"]
    decision = {
        "decision_id": identity.decision_id(TENANT, about["event_id"], phase, 0),
        "tenant_id": TENANT,
        "event_id": about["event_id"],
        "request_id": about["request_id"],
        "phase": phase,
        "action": "deliver",
        "rule_id": "a-rule",
        "rule_title": "A",
        "why": "Because.",
        "rules_version": "0" * 64,
        "intake_version": "0" * 64,
        "facts_sha256": "0" * 64,
        "engine": "e",
        "tags": list(tags),
        "decided_at": RECEIVED_AT.isoformat(),
    }
    return document | {"decision": decision}


def outcome(document: dict[str, Any], state: str = "delivered", step_id: str = "step-1") -> dict[str, Any]:
    about = document["envelope"]
    return {
        "envelope": about,
        "outcome_id": identity.outcome_id(TENANT, about["event_id"], "received", step_id, 0),
        "phase": "received",
        "step_id": step_id,
        "state": state,
        "reason": "because",
        "at": NOW.isoformat(),
    }


async def test_a_call_is_in_the_store_with_everything_its_stages_told(desk: Desk) -> None:
    document = call()
    ref = await desk.shelf.put(TENANT, np.asarray(VECTOR, dtype="<f4").tobytes())
    await desk.handle(Inbound, document)
    await desk.handle(Transcribed, heard(document))
    await desk.handle(Analyzed, scored(heard(document), ref=ref))
    row = await desk.store.get_request(SCOPE, document["envelope"]["request_id"])
    assert (row.communication_mode, row.source, row.caller_phone) == ("phone_call", "form", "+13125550142")
    assert (row.call_id, row.recording_url) == ("CAL1", "https://api.callrail.com/r/1")
    assert row.transcription_data["text"] == "My roof leaks."
    assert (row.lead_score, row.spam_likelihood, row.sentiment_score) == (80.0, 0.1, 0.5)
    assert list(row.semantic_tags or ()) == ["roof", "leak"]
    assert (row.gemini_model_used, row.speech_model_used) == ("gemini-2.5-flash", "chirp_3")
    assert (row.processing_time_ms, row.processed_at) == (5000, NOW)
    assert row.content_embedding is not None
    assert [float(v) for v in row.content_embedding] == VECTOR


def told_of_one_request() -> list[tuple[type[Document], dict[str, Any]]]:
    """What all stages say of two events of one call."""
    records: list[tuple[type[Document], dict[str, Any]]] = []
    for rank, kind in enumerate(("post_call", "call_modified")):
        at = RECEIVED_AT + timedelta(minutes=rank)
        document = call(kind=kind, event=str(rank), rank=rank, received_at=at)
        document["lead"]["name"] = f"Zoe {rank}"
        if rank:
            document["lead"]["call"]["duration_seconds"] = None
        later = scored(heard(document, f"text {rank}"), 80 + rank)
        records += [
            (Inbound, document),
            (Decided, decided(document, "received", (f"early-{rank}",))),
            (Transcribed, heard(document, f"text {rank}")),
            (Analyzed, later),
            (Decided, decided(later, "analyzed", (f"late-{rank}",) if rank else ())),
        ]
    return records


async def row_after(desk: Desk, thing: str, order: tuple[int, ...] | list[int]) -> dict[str, Any]:
    records = told_of_one_request()
    for number in order:
        kind, document = records[number]
        named = codec.loads(codec.dumps(document).replace(document["envelope"]["request_id"].encode(), thing.encode()))
        await desk.handle(kind, named, offset=number)
    found = asdict(await desk.store.get_request(SCOPE, thing))
    return {name: value for name, value in found.items() if name not in ("request_id", "created_at")}


async def test_any_permutation_of_the_stages_of_an_event_gives_the_same_row(desk: Desk) -> None:
    rows = [
        await row_after(desk, identity.derive("thing", number), permutation)
        for number, permutation in enumerate(itertools.permutations(range(5)))
    ]
    assert all(row == rows[0] for row in rows)
    assert rows[0]["audio_duration_seconds"] == 61.2
    assert list(rows[0]["semantic_tags"]) == ["roof", "leak"]


async def test_any_order_of_the_records_of_several_events_gives_the_same_row(desk: Desk) -> None:
    chance, order = random.Random(20260302), list(range(10))
    expected = await row_after(desk, identity.derive("thing", "first"), order)
    assert (expected["caller_name"], expected["lead_score"]) == ("Zoe 1", 81.0)
    assert expected["transcription_data"]["text"] == "text 1"
    assert list(expected["semantic_tags"]) == ["roof", "leak", "late-1"]
    for number in range(80):
        chance.shuffle(order)
        assert await row_after(desk, identity.derive("thing", number), order) == expected, order


async def test_a_second_arrival_is_a_duplicate_counted_once_per_place(desk: Desk) -> None:
    assert await desk.handle(Inbound, call(), offset=1) == ()
    first = await desk.handle(Inbound, call(), offset=2)
    again = await desk.handle(Inbound, call(), offset=2)
    other = await desk.handle(Inbound, call(), offset=2, partition=1)
    assert first == again
    for published in (*first, *other):
        ended = codec.loads(published.value)
        assert (published.topic, ended["state"], ended["phase"]) == ("outcomes", "duplicate", "received")
        await desk.handle(Outcome, ended)
        await desk.handle(Outcome, ended)
    counts = await desk.store.count(SCOPE)
    assert (counts["arrivals"], counts["outcomes.duplicate"]) == (3, 2)


async def test_the_first_arrival_handled_again_is_no_duplicate(desk: Desk) -> None:
    assert await desk.handle(Inbound, call(), offset=1) == ()
    assert await desk.handle(Inbound, call(), offset=1) == ()


async def test_a_record_that_comes_back_through_a_retry_topic_is_the_same_arrival(desk: Desk) -> None:
    assert await desk.handle(Inbound, call(), topic="inbound.calls", partition=3, offset=7) == ()
    back = (
        ("failure_topic", b"inbound.calls"),
        ("failure_partition", b"3"),
        ("failure_offset", b"7"),
        ("retry_for", b"leadbus.recorder"),
    )
    assert await desk.handle(Inbound, call(), topic="inbound.calls", partition=3, offset=99, headers=back) == ()
    assert (await desk.store.count(SCOPE))["arrivals"] == 1


async def test_headers_that_are_no_place_are_data_and_no_crash(desk: Desk) -> None:
    odd = (("failure_topic", b"inbound.calls"), ("failure_partition", b"-"), ("failure_offset", b"7.5"))
    assert await desk.handle(Inbound, call(), headers=odd) == ()


async def test_a_final_state_is_kept_once_and_the_first_one_stays(desk: Desk) -> None:
    await desk.handle(Outcome, outcome(call()))
    await desk.handle(Outcome, outcome(call()))
    await desk.handle(Outcome, outcome(call(), state="superseded"))
    [kept] = await desk.store.list_outcomes(SCOPE)
    assert kept.state == "delivered"


async def test_an_embedding_that_is_missing_leaves_the_rest_of_the_row(desk: Desk) -> None:
    document = call()
    await desk.handle(Analyzed, scored(document, ref="f" * 64))
    row = await desk.store.get_request(SCOPE, document["envelope"]["request_id"])
    assert row.content_embedding is None
    assert row.ai_analysis["embedding"]["ref"] == "f" * 64


async def test_object_storage_that_is_away_is_waited_for(desk: Desk) -> None:
    desk.shelf.away = 1
    with pytest.raises(RetryAfter, match="objects_unavailable"):
        await desk.handle(Analyzed, scored(call(), ref="f" * 64))


async def test_the_time_of_processing_is_that_of_the_record_however_often_it_is_read(
    desk: Desk, clock: StillClock
) -> None:
    document = call()
    for _ in range(2):
        await desk.handle(Analyzed, scored(document), timestamp=NOW)
        clock.time += timedelta(hours=1)
    row = await desk.store.get_request(SCOPE, document["envelope"]["request_id"])
    assert row.processed_at == NOW


async def test_an_unparsed_event_has_a_row_too(desk: Desk) -> None:
    document = call(unparsed="not JSON")
    await desk.handle(Inbound, document)
    assert (await desk.store.get_request(SCOPE, document["envelope"]["request_id"])).source == "form"


async def test_two_tenants_requests_do_not_meet(desk: Desk) -> None:
    await go_live(desk.store, intake("lakeside"))
    await desk.handle(Inbound, call())
    await desk.handle(Inbound, call(tenant="lakeside"))
    for tenant in (TENANT, "lakeside"):
        assert (await desk.store.count(Scope(tenant)))["requests"] == 1
