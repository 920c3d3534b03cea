"""The speech server, through the real SpeechAsyncClient."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc.aio
import pytest
from google.api_core import exceptions
from google.cloud.speech_v2 import SpeechAsyncClient
from google.cloud.speech_v2.services.speech.transports import SpeechGrpcAsyncIOTransport
from google.cloud.speech_v2.types import cloud_speech as cs

from ops.sandbox.recordings import AudioFile, RecordingIndex
from ops.sandbox.speech import HONEST_TRANSCRIPT, STREAM_MESSAGE_MAX_BYTES
from tests.unit.sandbox.conftest import Running

RECOGNIZER = "projects/summit/locations/us/recognizers/_"
INDEX = RecordingIndex.load()
SHORTER_THAN_A_MINUTE = [name for name in INDEX.names() if name != "roof-leak"]


@pytest.fixture
def speech(google_channel: grpc.aio.Channel) -> SpeechAsyncClient:
    return SpeechAsyncClient(transport=SpeechGrpcAsyncIOTransport(channel=google_channel))


def audio_of(name: str) -> AudioFile:
    audio = INDEX.by_name(name)
    assert audio is not None
    return audio


def config(**features: Any) -> cs.RecognitionConfig:
    chosen = {"multi_channel_mode": cs.RecognitionFeatures.MultiChannelMode.SEPARATE_RECOGNITION_PER_CHANNEL}
    return cs.RecognitionConfig(
        auto_decoding_config=cs.AutoDetectDecodingConfig(),
        model="chirp_3",
        language_codes=["auto"],
        features=cs.RecognitionFeatures(**(features or chosen)),
    )


async def stream(
    speech: SpeechAsyncClient, content: bytes, size: int = 15_360, pause_s: float = 0.0, **features: Any
) -> list[Any]:
    async def requests() -> AsyncIterator[cs.StreamingRecognizeRequest]:
        first = cs.StreamingRecognitionConfig(config=config(**features))
        yield cs.StreamingRecognizeRequest(recognizer=RECOGNIZER, streaming_config=first)
        for at in range(0, len(content), size):
            yield cs.StreamingRecognizeRequest(audio=content[at : at + size])
            await asyncio.sleep(pause_s)

    return [answer async for answer in await speech.streaming_recognize(requests=requests())]


async def recognize(speech: SpeechAsyncClient, content: bytes, recognizer: str = RECOGNIZER, **features: Any) -> Any:
    request = cs.RecognizeRequest(recognizer=recognizer, config=config(**features), content=content)
    return await speech.recognize(request=request)


def transcript(results: Any) -> str:
    return "\n".join(result.alternatives[0].transcript for result in results)


@pytest.mark.parametrize("name", INDEX.names())
async def test_every_recording_comes_back_as_its_transcript_when_streamed(speech: SpeechAsyncClient, name: str) -> None:
    audio = audio_of(name)
    answers = await stream(speech, audio.content)
    results = [result for answer in answers for result in answer.results]
    assert transcript(results) == audio.recording.transcript
    assert all(result.is_final for result in results)
    assert {result.language_code for result in results} == {audio.recording.language}
    billed = answers[-1].metadata.total_billed_duration.total_seconds()
    assert billed >= audio.recording.duration_s * len(audio.recording.channels)


@pytest.mark.parametrize("name", [*SHORTER_THAN_A_MINUTE, "voicemail-short.wav"])
async def test_recognize_answers_one_result_for_each_turn(speech: SpeechAsyncClient, name: str) -> None:
    audio = audio_of(name)
    answer = await recognize(speech, audio.content)
    assert transcript(answer.results) == audio.recording.transcript
    assert len(answer.results) == len(audio.recording.segments)


async def test_recognize_refuses_more_than_a_minute_of_audio(speech: SpeechAsyncClient) -> None:
    with pytest.raises(exceptions.InvalidArgument, match="longer than 60 seconds"):
        await recognize(speech, audio_of("roof-leak").content)


async def test_words_carry_times_and_speakers_when_asked(speech: SpeechAsyncClient) -> None:
    audio = audio_of("cita-dental")
    answer = await recognize(
        speech,
        audio.content,
        enable_word_time_offsets=True,
        diarization_config=cs.SpeakerDiarizationConfig(min_speaker_count=2, max_speaker_count=2),
    )
    words = [word for result in answer.results for word in result.alternatives[0].words]
    assert words[0].word == "Lakeside"
    assert words[0].start_offset.total_seconds() == pytest.approx(0.4)
    assert {word.speaker_label for word in words} == {"1", "2"}


async def test_without_channels_apart_or_diarization_only_the_first_channel_is_heard(
    running: Running, speech: SpeechAsyncClient
) -> None:
    audio = audio_of("dental-implant")
    answer = await recognize(speech, audio.content, enable_automatic_punctuation=True)
    heard = [segment.text for segment in audio.recording.segments if segment.speaker == "agent"]
    assert transcript(answer.results).split("\n") == heard
    kept = (await running.state("google"))["accounts"]["summit"]["transcriptions"]
    assert kept[-1]["channels_heard"] == [1]


async def test_unknown_audio_is_answered_honestly(speech: SpeechAsyncClient) -> None:
    answer = await recognize(speech, b"ID3\x04" + bytes(4_000))
    assert transcript(answer.results) == HONEST_TRANSCRIPT
    assert answer.results[0].alternatives[0].confidence == 0


@pytest.mark.parametrize("content", [b"<!doctype html><html></html>", b""])
async def test_what_is_not_audio_is_refused(speech: SpeechAsyncClient, content: bytes) -> None:
    with pytest.raises(exceptions.InvalidArgument):
        await recognize(speech, content)


async def test_a_model_outside_its_regions_is_refused(speech: SpeechAsyncClient) -> None:
    recognizer = "projects/summit/locations/us-central1/recognizers/_"
    with pytest.raises(exceptions.InvalidArgument, match="does not exist in the location"):
        await recognize(speech, audio_of("seo-spam").content, recognizer)


async def test_content_above_ten_megabytes_is_refused(speech: SpeechAsyncClient) -> None:
    with pytest.raises(exceptions.InvalidArgument, match="payload size"):
        await recognize(speech, b"ID3" + bytes(10 * 1024 * 1024))


async def test_a_stream_message_above_the_limit_is_refused(speech: SpeechAsyncClient) -> None:
    content = audio_of("roof-leak").content[: STREAM_MESSAGE_MAX_BYTES + 1]
    with pytest.raises(exceptions.InvalidArgument, match="25600"):
        await stream(speech, content, size=STREAM_MESSAGE_MAX_BYTES + 1, pause_s=0.2)


async def test_word_times_on_a_chirp_3_stream_are_refused(speech: SpeechAsyncClient) -> None:
    with pytest.raises(exceptions.InvalidArgument, match="word_time_offsets"):
        await stream(speech, b"ID3", pause_s=0.2, enable_word_time_offsets=True)


async def test_a_call_without_the_routing_header_is_refused(google_channel: grpc.aio.Channel) -> None:
    call = google_channel.unary_unary(
        "/google.cloud.speech.v2.Speech/Recognize",
        request_serializer=cs.RecognizeRequest.serialize,
        response_deserializer=cs.RecognizeResponse.deserialize,
    )
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call(cs.RecognizeRequest(recognizer=RECOGNIZER, config=config(), content=b"ID3"))
    assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert "x-goog-request-params" in str(refused.value.details())


async def test_a_wrong_credential_is_refused(running: Running, speech: SpeechAsyncClient) -> None:
    request = cs.RecognizeRequest(recognizer=RECOGNIZER, config=config(), content=b"ID3")
    with pytest.raises(exceptions.Unauthenticated):
        await speech.recognize(request=request, metadata=[("authorization", "Bearer stolen")])
    assert (await running.state("google"))["rejected"][0]["status"] == "UNAUTHENTICATED"


async def test_batch_recognition_says_that_it_is_not_served(speech: SpeechAsyncClient) -> None:
    with pytest.raises(exceptions.MethodNotImplemented, match="BatchRecognize"):
        await speech.batch_recognize(request=cs.BatchRecognizeRequest(recognizer=RECOGNIZER))


async def test_a_fault_with_a_grpc_code_hits_once(running: Running, speech: SpeechAsyncClient) -> None:
    prefix = "/google.cloud.speech.v2.Speech/Recognize"
    await running.fault(vendor="google", kind="status", status="RESOURCE_EXHAUSTED", path_prefix=prefix)
    content = audio_of("voicemail-short").content
    with pytest.raises(exceptions.ResourceExhausted):
        await recognize(speech, content)
    assert (await recognize(speech, content)).results


async def test_reset_after_effect_keeps_the_transcription_and_loses_the_answer(
    running: Running, speech: SpeechAsyncClient
) -> None:
    await running.fault(vendor="google", kind="reset_after_effect")
    with pytest.raises(exceptions.ServiceUnavailable):
        await recognize(speech, audio_of("voicemail-short").content)
    kept = (await running.state("google"))["accounts"]["summit"]["transcriptions"]
    assert [done["recording"] for done in kept] == ["voicemail-short"]
