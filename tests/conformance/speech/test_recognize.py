"""What the recognizer hears, through Google's own client against the sandbox's speech service."""

import pytest

from connectors.prices import speech_cost
from connectors.speech.plan import Limits
from tests.conformance.speech.conftest import Speech
from tests.conformance.speech.recorded import NAMES, audio, chunks, reference

UNDER_A_MINUTE = [name for name in NAMES if name != "roof-leak"]


@pytest.mark.parametrize("name", NAMES)
async def test_every_recording_is_heard_word_for_word(speech: Speech, name: str) -> None:
    heard = await speech.recognizer().recognize(chunks(audio(f"{name}.mp3")))

    assert [u.text for u in heard.utterances] == [segment["text"] for segment in reference(name)["segments"]]
    assert heard.language == reference(name)["language"]
    assert heard.model == "chirp_3"


@pytest.mark.parametrize("name", UNDER_A_MINUTE)
async def test_words_have_times_up_to_a_minute(speech: Speech, name: str) -> None:
    heard = await speech.recognizer().recognize(chunks(audio(f"{name}.mp3")))

    said = [
        (word["word"], word["start_s"], word["end_s"])
        for segment in reference(name)["segments"]
        for word in segment["words"]
    ]
    assert [(w.text, w.start_s, w.end_s) for u in heard.utterances for w in u.words] == said


async def test_both_parties_of_a_call_are_heard_and_told_apart(speech: Speech) -> None:
    heard = await speech.recognizer().recognize(chunks(audio("dental-implant.mp3")))

    numbers = {"agent": 1, "caller": 2}
    said_on = [numbers[segment["speaker"]] for segment in reference("dental-implant")["segments"]]
    assert [u.channel for u in heard.utterances] == said_on
    assert {u.speaker for u in heard.utterances} == {"channel-1", "channel-2"}


async def test_a_single_channel_is_diarized(speech: Speech) -> None:
    heard = await speech.recognizer().recognize(chunks(audio("seo-spam.mp3")))

    assert [u.speaker for u in heard.utterances] == ["2"]
    assert heard.utterances[0].channel is None


async def test_a_wav_is_heard_like_its_mp3(speech: Speech) -> None:
    wav = await speech.recognizer().recognize(chunks(audio("voicemail-short.wav")))
    mp3 = await speech.recognizer().recognize(chunks(audio("voicemail-short.mp3")))

    assert wav.utterances == mp3.utterances


async def test_every_channel_is_billed(speech: Speech) -> None:
    heard = await speech.recognizer().recognize(chunks(audio("angry-customer.mp3")))

    assert heard.billed_seconds == pytest.approx(2 * reference("angry-customer")["duration_s"], abs=1.5)
    assert heard.cost_usd == pytest.approx(speech_cost(heard.billed_seconds))


async def test_more_than_a_minute_is_streamed_and_speakers_take_turns(speech: Speech) -> None:
    heard = await speech.recognizer().recognize(chunks(audio("roof-leak.mp3")))

    assert [t["rpc"] for t in speech.transcriptions()] == ["StreamingRecognize"]
    ends = [segment["end_s"] for segment in reference("roof-leak")["segments"]]
    assert [u.end_s for u in heard.utterances] == pytest.approx(ends)
    assert [u.start_s for u in heard.utterances] == pytest.approx([0.0, *ends[:-1]])


async def test_a_recording_longer_than_a_stream_is_sent_whole_in_several(speech: Speech) -> None:
    recording = audio("roof-leak.mp3")
    heard = await speech.recognizer(limits=Limits(recognize_s=10.0, stream_s=20.0)).recognize(chunks(recording))

    done = speech.transcriptions()
    assert [t["rpc"] for t in done] == ["StreamingRecognize"] * 4
    assert sum(int(str(t["bytes"])) for t in done) == len(recording)
    # The sandbox knows whole recordings only, and says of each piece that it does not know it.
    assert len(heard.utterances) == 4
    assert [u.start_s for u in heard.utterances] == pytest.approx([0.0, 16.1, 32.2, 48.3], abs=1.1)


async def test_the_pieces_of_a_wav_are_each_a_wav(speech: Speech) -> None:
    limits = Limits(recognize_s=1.0, stream_s=2.0)
    heard = await speech.recognizer(limits=limits).recognize(chunks(audio("voicemail-short.wav")))

    # What does not begin like audio, the sandbox refuses.
    assert len(heard.utterances) == len(speech.transcriptions()) == 4


async def test_the_same_recognizer_hears_many_recordings_at_once(speech: Speech) -> None:
    import asyncio

    recognizer = speech.recognizer()
    heard = await asyncio.gather(
        *(recognizer.recognize(chunks(audio(f"{name}.mp3"))) for name in UNDER_A_MINUTE for _ in range(4))
    )

    first_words = [found.utterances[0].text for found in heard]
    assert first_words == [reference(n)["segments"][0]["text"] for n in UNDER_A_MINUTE for _ in range(4)]
