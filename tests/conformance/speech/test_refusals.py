"""What the recognizer says when a recording cannot be heard, and who can do what about it."""

from collections.abc import AsyncIterator

import pytest

from connectors.speech.seam import NotAudio, SpeechMisconfigured, SpeechQuota, SpeechUnavailable
from ops.sandbox.faults import Fault
from tests.conformance.speech.conftest import Speech
from tests.conformance.speech.recorded import audio, chunks

VOICEMAIL = audio("voicemail-short.mp3")
PATH = "/google.cloud.speech.v2.Speech/"


def always(status: str) -> Fault:
    return Fault(vendor="google", kind="status", path_prefix=PATH, status=status, times=None)


def once(status: str) -> Fault:
    return Fault(vendor="google", kind="status", path_prefix=PATH, status=status)


@pytest.mark.parametrize(
    "noise",
    [
        b"",
        b"\x00" * 5_000,
        b"<!doctype html><html><body>Please sign in.</body></html>",
        b"\xff\xfb",
        bytes(range(256)) * 9,
    ],
    ids=["nothing", "zeros", "a web page", "half a header", "noise"],
)
async def test_bytes_that_are_no_audio_are_refused_without_asking_the_vendor(speech: Speech, noise: bytes) -> None:
    with pytest.raises(NotAudio):
        await speech.recognizer().recognize(chunks(noise))

    assert speech.calls("Recognize") == speech.calls("StreamingRecognize") == 0


async def test_audio_that_the_vendor_cannot_decode_is_not_audio(speech: Speech) -> None:
    speech.sandbox.add_fault(always("INVALID_ARGUMENT"))

    with pytest.raises(NotAudio, match="INVALID_ARGUMENT"):
        await speech.recognizer().recognize(chunks(VOICEMAIL))


@pytest.mark.parametrize(
    ("status", "error"),
    [
        ("RESOURCE_EXHAUSTED", SpeechQuota),
        ("UNAVAILABLE", SpeechUnavailable),
        ("DEADLINE_EXCEEDED", SpeechUnavailable),
        ("INTERNAL", SpeechUnavailable),
        ("ABORTED", SpeechUnavailable),
        ("PERMISSION_DENIED", SpeechMisconfigured),
        ("UNAUTHENTICATED", SpeechMisconfigured),
        ("NOT_FOUND", SpeechMisconfigured),
    ],
)
@pytest.mark.parametrize("name", ["voicemail-short.mp3", "roof-leak.mp3"], ids=["called", "streamed"])
async def test_a_status_that_stays_becomes_the_error_that_says_what_to_do(
    speech: Speech, name: str, status: str, error: type[Exception]
) -> None:
    speech.sandbox.add_fault(always(status))

    with pytest.raises(error, match=status):
        await speech.recognizer().recognize(chunks(audio(name)))


@pytest.mark.parametrize("status", ["UNAVAILABLE", "INTERNAL", "RESOURCE_EXHAUSTED"])
@pytest.mark.parametrize("name", ["voicemail-short.mp3", "roof-leak.mp3"], ids=["called", "streamed"])
async def test_a_status_that_passes_is_not_noticed(speech: Speech, name: str, status: str) -> None:
    speech.sandbox.add_fault(once(status))

    heard = await speech.recognizer().recognize(chunks(audio(name)))

    assert heard.utterances


async def test_a_stream_that_is_broken_off_is_sent_once_more_at_its_own_pace(speech: Speech) -> None:
    speech.sandbox.add_fault(once("ABORTED"))

    heard = await speech.recognizer().recognize(chunks(audio("roof-leak.mp3")))

    assert len(heard.utterances) == 9
    assert speech.calls("StreamingRecognize") == 2


async def test_a_location_that_refuses_a_feature_is_asked_without_it_from_then_on(speech: Speech) -> None:
    recognizer = speech.recognizer()
    speech.sandbox.add_fault(once("NOT_FOUND"))

    first = await recognizer.recognize(chunks(VOICEMAIL))
    assert speech.calls("Recognize") == 2
    assert first.utterances[0].speaker is None
    assert first.utterances[0].words

    await recognizer.recognize(chunks(VOICEMAIL))
    assert speech.calls("Recognize") == 3


async def test_a_location_without_the_model_is_refused_with_the_list_of_those_that_have_it(speech: Speech) -> None:
    with pytest.raises(SpeechMisconfigured, match="europe-west2"):
        await speech.recognizer().recognize(chunks(VOICEMAIL), location="us-central1")


async def test_a_model_that_the_vendor_does_not_know_is_a_misconfiguration_and_not_bad_audio(speech: Speech) -> None:
    with pytest.raises(SpeechMisconfigured, match="chirp_9"):
        await speech.recognizer(model="chirp_9").recognize(chunks(VOICEMAIL))


async def test_a_source_that_fails_midway_is_not_mistaken_for_the_vendor(speech: Speech) -> None:
    class SourceBroke(Exception):
        pass

    async def broken() -> AsyncIterator[bytes]:
        yield VOICEMAIL[:4_096]
        raise SourceBroke

    with pytest.raises(SourceBroke):
        await speech.recognizer().recognize(broken())

    assert speech.calls("Recognize") == 0
