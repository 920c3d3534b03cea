"""Reading headers and planning requests: pure, without a server."""

import random
from itertools import pairwise

import pytest

from connectors.speech.audio_header import container_of, mpeg_frame, wav_header
from connectors.speech.plan import Limits, plan
from connectors.speech.survey import AudioFacts, Survey
from tests.conformance.speech.recorded import NAMES, audio, reference


def facts_of(data: bytes, size: int = 8_192) -> AudioFacts:
    survey = Survey()
    for at in range(0, len(data), size):
        survey.feed(data[at : at + size])
    return survey.facts()


@pytest.mark.parametrize("name", NAMES)
def test_an_mp3_tells_its_length_and_channels(name: str) -> None:
    facts = facts_of(audio(f"{name}.mp3"))

    assert facts.seconds == pytest.approx(reference(name)["duration_s"], abs=0.3)
    assert facts.channels == len(reference(name)["channels"])
    assert facts.sample_rate == 8_000


def test_a_wav_tells_its_length_and_channels() -> None:
    facts = facts_of(audio("voicemail-short.wav"))

    assert facts.seconds == pytest.approx(reference("voicemail-short")["duration_s"], abs=0.01)
    assert (facts.container, facts.channels, facts.sample_rate) == ("wav", 1, 8_000)


@pytest.mark.parametrize("size", [1, 7, 333, 100_000])
def test_how_a_recording_is_chunked_does_not_matter(size: int) -> None:
    recording = audio("cita-dental.mp3")

    assert facts_of(recording, size) == facts_of(recording)


def test_a_tag_before_the_first_frame_is_passed_over() -> None:
    recording = audio("voicemail-short.mp3")
    tag = b"ID3\x04\x00\x00" + bytes([0, 0, 2, 10]) + b"\xff\xe3" * 133

    tagged = facts_of(tag + recording)

    assert tagged.seconds == facts_of(recording).seconds
    assert tagged.cuts[0][0] == len(tag)


def test_a_recording_cut_short_has_the_length_of_what_is_there() -> None:
    recording = audio("dental-implant.mp3")

    assert facts_of(recording[: len(recording) // 2]).seconds == pytest.approx(39.19 / 2, abs=0.3)


def test_a_wav_whose_writer_could_not_seek_back_is_measured_by_its_bytes() -> None:
    wav = bytearray(audio("voicemail-short.wav"))
    wav[40:44] = b"\xff\xff\xff\xff"

    assert facts_of(bytes(wav)).seconds == pytest.approx(6.02, abs=0.01)


def test_other_containers_are_known_by_name_alone() -> None:
    for head in (b"OggS" + bytes(20), b"fLaC" + bytes(20), b"\x00\x00\x00\x20ftypM4A " + bytes(12)):
        assert facts_of(head) == AudioFacts("other", len(head))


def test_noise_is_never_audio_of_known_length() -> None:
    dice = random.Random(7)
    for _ in range(300):
        noise = dice.randbytes(dice.randrange(2_000))
        facts = facts_of(noise)
        assert facts.container is None or facts.size == len(noise)
        assert mpeg_frame(noise[:3]) is None


def test_a_frame_is_as_long_as_the_standard_says() -> None:
    # MPEG-1 layer III, 128 kbit/s, 44.1 kHz, stereo, padded: 144 x 128000 / 44100 + 1 bytes, 1152 samples.
    frame = mpeg_frame(bytes([0xFF, 0xFB, 0x92, 0x00]))

    assert frame is not None
    assert (frame.length, frame.sample_rate, frame.channels) == (418, 44_100, 2)
    assert frame.seconds == pytest.approx(1_152 / 44_100)


def test_up_to_a_minute_is_one_request_with_word_times() -> None:
    chosen = plan(facts_of(audio("angry-customer.mp3")), Limits())

    assert (chosen.method, len(chosen.pieces), chosen.separate_channels) == ("recognize", 1, True)
    assert chosen.features[0].word_times
    assert not any(features.diarization for features in chosen.features)


def test_a_single_channel_is_diarized_first() -> None:
    chosen = plan(facts_of(audio("seo-spam.mp3")), Limits())

    assert not chosen.separate_channels
    assert [(f.word_times, f.diarization) for f in chosen.features] == [(True, True), (True, False), (False, False)]


def test_a_short_recording_of_too_many_bytes_is_streamed() -> None:
    chosen = plan(facts_of(audio("voicemail-short.wav")), Limits(recognize_bytes=90_000))

    assert chosen.method == "stream"
    assert not any(features.word_times for features in chosen.features)


def test_a_recording_of_unknown_length_is_one_stream_with_channels_apart() -> None:
    chosen = plan(AudioFacts("other", 50_000), Limits())

    assert (chosen.method, len(chosen.pieces), chosen.separate_channels) == ("stream", 1, True)


@pytest.mark.parametrize("name", ["roof-leak.mp3", "voicemail-short.wav"])
def test_pieces_cover_the_recording_without_gap_or_overlap(name: str) -> None:
    recording = audio(name)
    facts = facts_of(recording)
    assert facts.seconds is not None
    pieces = plan(facts, Limits(recognize_s=1.0, stream_s=facts.seconds / 3.5)).pieces

    assert len(pieces) == 4
    for before, after in pairwise(pieces):
        assert after.offset == before.offset + before.length
        assert after.start_s == pytest.approx(before.start_s + (before.seconds or 0))
    assert pieces[-1].offset + pieces[-1].length == len(recording)
    for piece in pieces:
        begin = piece.prefix + recording[piece.offset : piece.offset + 64]
        assert container_of(begin) == facts.container


def test_a_piece_of_a_wav_says_its_own_length() -> None:
    recording = audio("voicemail-short.wav")
    piece = plan(facts_of(recording), Limits(recognize_s=1.0, stream_s=3.5)).pieces[1]

    header = wav_header(piece.prefix)

    assert header is not None
    assert header.data_size == piece.length
    assert header.data_offset == len(piece.prefix)
