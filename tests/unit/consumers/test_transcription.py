"""The transcription daemon: every call goes on, with a transcript or with the reason why it has none."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from connectors.recordings.seam import RecordingGone, RecordingRefused, RecordingUnavailable, TooLarge
from connectors.speech.seam import NotAudio, SpeechMisconfigured, SpeechQuota, SpeechUnavailable
from connectors.store.seam import FullStore, Scope
from consumers import transcription
from consumers.runtime.seam import Failure, Park, Publication, RetryAfter
from consumers.transcription import PATIENCE, Transcription
from schemas import codec
from schemas.documents import Inbound
from tests.unit.consumers.house import (
    NOW,
    TENANT,
    Ear,
    Shelf,
    StillClock,
    Tape,
    call,
    go_live,
    inbound,
    intake,
    only,
    record_of,
    tenants_of,
)

Hear = Callable[..., Any]


class Desk:
    """The daemon with its parts."""

    def __init__(self, handler: Transcription, tape: Tape, ear: Ear, shelf: Shelf) -> None:
        self.tape, self.ear, self.shelf = tape, ear, shelf
        self.spec = transcription.spec(handler)

    async def handle(self, document: dict[str, Any], **of: Any) -> tuple[Publication, ...]:
        return tuple(await self.spec.handler(record_of(Inbound, document, topic="inbound.calls", **of)))

    async def transcript(self, document: dict[str, Any], **of: Any) -> dict[str, Any]:
        found: dict[str, Any] = only(await self.handle(document, **of))["transcript"]
        return found


async def desk_of(store: FullStore, clock: StillClock, shelf: Shelf | None = None) -> Desk:
    tape, ear, shelf = Tape(), Ear(), shelf or Shelf()
    handler = Transcription(await tenants_of(store), tape, ear, shelf, store, clock, model="chirp_3")
    return Desk(handler, tape, ear, shelf)


@pytest.fixture
async def desk(store: FullStore, clock: StillClock) -> Desk:
    return await desk_of(store, clock)


async def test_a_call_is_transcribed_with_text_words_and_cost(desk: Desk) -> None:
    [published] = await desk.handle(call())
    document = codec.loads(published.value)
    found = document["transcript"]
    assert published.topic == "transcribed"
    assert published.key == document["envelope"]["request_id"].encode()
    assert (found["state"], found["text"], found["reason"]) == ("done", "1: Hello, my roof leaks (1).", None)
    assert (found["cost_usd"], found["billed_seconds"], found["audio_seconds"]) == (0.0008, 3.0, 3.0)
    assert codec.loads(desk.shelf.kept[TENANT, found["words_ref"]]) == [["Hello,", 0.5, 0.9, "1"]]
    assert desk.ear.heard == [b"RIFF audio"]


async def test_the_recording_is_fetched_with_the_tenants_secret_reference(desk: Desk) -> None:
    await desk.handle(call())
    assert desk.tape.opened == [("https://api.callrail.com/r/1", "secret://CALLRAIL_API_KEY")]


async def test_the_offices_own_secret_goes_before_the_tenants(bare_store: FullStore, clock: StillClock) -> None:
    office = {"id": "main", "name": "Main", "callrail_api_key": "secret://MAIN_KEY"}
    await go_live(bare_store, intake(offices=[office]))
    desk = await desk_of(bare_store, clock)
    await desk.handle(call(office_id="main"))
    assert [secret for _, secret in desk.tape.opened] == ["secret://MAIN_KEY"]


@pytest.mark.parametrize("document", [call(recording=None), inbound()])
async def test_without_a_recording_the_call_goes_on(desk: Desk, document: dict[str, Any]) -> None:
    found = await desk.transcript(document)
    assert (found["state"], found["reason"]) == ("none", "no_recording")
    assert desk.tape.opened == []


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (RecordingGone("404"), "recording_gone"),
        (RecordingRefused("403"), "recording_refused"),
        (TooLarge("big"), "recording_too_large"),
    ],
)
async def test_a_recording_that_cannot_be_had_is_named_and_the_call_goes_on(
    desk: Desk, error: Exception, reason: str
) -> None:
    desk.tape.error = error
    found = await desk.transcript(call())
    assert (found["state"], found["reason"]) == ("unavailable", reason)
    assert desk.ear.heard == []


async def test_bytes_that_are_not_audio_are_named_and_the_call_goes_on(desk: Desk) -> None:
    desk.ear.error = NotAudio("noise")
    found = await desk.transcript(call())
    assert (found["state"], found["reason"], found["cost_usd"]) == ("unavailable", "not_audio", 0.0)


async def test_a_full_vendor_is_tried_again_after_its_own_delay(desk: Desk) -> None:
    desk.ear.error = SpeechQuota("full", delay=47.0)
    with pytest.raises(RetryAfter) as caught:
        await desk.handle(call())
    assert (caught.value.reason, caught.value.delay) == ("speech_quota", 47.0)


async def test_a_passing_fault_of_the_vendor_is_tried_again(desk: Desk) -> None:
    desk.ear.error = SpeechUnavailable("503")
    with pytest.raises(RetryAfter, match="speech_unavailable"):
        await desk.handle(call())


async def test_a_recording_that_is_not_there_yet_is_tried_again_after_the_vendors_delay(desk: Desk) -> None:
    desk.tape.error = RecordingUnavailable("503", delay=33.0)
    with pytest.raises(RetryAfter) as caught:
        await desk.handle(call(), attempt=PATIENCE - 1)
    assert (caught.value.reason, caught.value.delay) == ("recording_unavailable", 33.0)


async def test_after_enough_rounds_the_call_goes_on_without_its_recording(desk: Desk) -> None:
    desk.tape.error = RecordingUnavailable("503")
    found = await desk.transcript(call(), attempt=PATIENCE)
    assert (found["state"], found["reason"]) == ("unavailable", "recording_unavailable")


async def test_a_wrong_region_or_permission_waits_for_a_person(desk: Desk) -> None:
    desk.ear.error = SpeechMisconfigured("no such region")
    with pytest.raises(Park, match="speech_misconfigured"):
        await desk.handle(call())


async def test_a_call_that_is_still_running_ends_as_superseded(desk: Desk) -> None:
    document = call(interim=True, kind="pre_call")
    [published] = await desk.handle(document)
    ended = codec.loads(published.value)
    assert published.topic == "outcomes"
    assert (ended["state"], ended["phase"], ended["step_id"], ended["last"]) == ("superseded", "analyzed", "", True)
    assert "pre_call" in ended["reason"]
    assert desk.tape.opened == []


async def test_an_unparsed_event_is_left_to_routing(desk: Desk) -> None:
    assert await desk.handle(call(unparsed="not JSON")) == ()


async def test_the_same_audio_is_paid_for_once(desk: Desk) -> None:
    first = await desk.transcript(call(event="1"))
    again = await desk.transcript(call(event="2", thing="2"))
    assert len(desk.ear.heard) == 1
    assert (first["reused"], first["cost_usd"]) == (False, 0.0008)
    assert (again["reused"], again["cost_usd"]) == (True, 0.0)
    assert again["text"] == first["text"]
    assert again["words_ref"] == first["words_ref"]


async def test_the_event_that_paid_says_the_same_cost_when_it_is_told_again(desk: Desk) -> None:
    first, again = await desk.transcript(call()), await desk.transcript(call())
    assert (again["reused"], again["cost_usd"]) == (False, first["cost_usd"])
    assert len(desk.ear.heard) == 1


async def test_another_model_or_language_is_another_piece_of_work(
    store: FullStore, clock: StillClock, desk: Desk
) -> None:
    await desk.transcript(call())
    other = Transcription(await tenants_of(store), desk.tape, desk.ear, desk.shelf, store, clock, model="chirp_4")
    await transcription.spec(other).handler(record_of(Inbound, call()))
    assert len(desk.ear.heard) == 2


async def test_of_two_racing_workers_both_tell_what_was_stored_first(store: FullStore, clock: StillClock) -> None:
    shelf = Shelf()
    desks = [await desk_of(store, clock, shelf) for _ in range(2)]
    met = asyncio.Barrier(2)
    for number, each in enumerate(desks):
        each.ear.heard = [b""] * number  # so that they hear different words
        each.ear.meeting = met.wait
    found = await asyncio.gather(*(each.transcript(call()) for each in desks))
    assert [len(each.ear.heard) for each in desks] == [1, 2]
    assert found[0]["text"] == found[1]["text"]
    assert found[0]["cost_usd"] == found[1]["cost_usd"] > 0
    assert (await store.count(Scope(TENANT)))["paid_results"] == 1


async def test_a_storage_that_goes_away_after_the_paying_costs_nothing_more(desk: Desk, clock: StillClock) -> None:
    desk.shelf.away = 100
    found = await desk.transcript(call())
    assert (found["state"], found["words_ref"]) == ("done", None)
    desk.shelf.away = 0
    assert (await desk.transcript(call()))["text"] == found["text"]
    assert len(desk.ear.heard) == 1
    assert clock.slept != []


async def test_a_storage_that_is_away_for_a_moment_is_waited_for(desk: Desk) -> None:
    desk.shelf.away = 2
    assert (await desk.transcript(call()))["words_ref"] is not None


async def test_a_dead_letter_ends_the_analyzed_phase(desk: Desk) -> None:
    failure = Failure("handler_failed", "ValueError", 0, NOW)
    ended = only(desk.spec.on_dead(record_of(Inbound, call()), failure))
    assert (ended["state"], ended["phase"], ended["reason"]) == ("dead", "analyzed", "transcription: handler_failed")
