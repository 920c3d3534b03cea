"""Chooses how a recording is sent: which method, in which pieces, with which features. Pure.

    up to 60 s and 10 MB     Recognize, with word times and, on a single channel, diarization
    up to 5 minutes          StreamingRecognize, in chunks; it refuses word times for chirp_3
    longer                   several streams, cut at a frame or sample border
    length unknown           one stream (Ogg, FLAC, MP4 …: their headers are not read here)

Cutting costs: a word that straddles a border may be lost or doubled, and after a cut an MP3 decoder may need a frame or
two to settle. BatchRecognize would take hours of audio in one go and can tell speakers apart, but it reads gs://
objects only. More than one channel, or an unknown number, is recognized apart per channel: the default mode hears
channel 1 alone, and one party of the call would disappear in silence.
Source of the limits: Speech-to-Text, "Quotas and limits"; Chirp 3 page for the features.
"""

import math
from dataclasses import dataclass
from typing import Literal

from connectors.speech.survey import AudioFacts


@dataclass(frozen=True, slots=True)
class Limits:
    """The vendor's limits; `stream_s` keeps a margin below five minutes for what an encoder pads."""

    recognize_s: float = 60.0
    recognize_bytes: int = 10_000_000
    stream_s: float = 285.0
    chunk_bytes: int = 15_360
    """The reference says 15 KB a message, the live service refuses more than 25,600 bytes: this satisfies both."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of the file: `length` bytes from `offset`, sent after `prefix`; times in seconds, None unknown."""

    offset: int
    length: int
    start_s: float
    seconds: float | None
    prefix: bytes = b""


@dataclass(frozen=True, slots=True)
class Features:
    """What is asked for besides the words; punctuation is always on, the profanity filter always off."""

    word_times: bool
    diarization: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """`features` in order of preference: the next is tried where a region refuses one."""

    method: Literal["recognize", "stream"]
    pieces: tuple[Piece, ...]
    separate_channels: bool
    features: tuple[Features, ...]


def plan(facts: AudioFacts, limits: Limits) -> Plan:
    """How to send a recording whose container is known."""
    separate = facts.channels != 1
    whole = Piece(0, facts.size, 0.0, facts.seconds)
    plain = Features(word_times=False, diarization=False)
    if facts.seconds is None:
        return Plan("stream", (whole,), separate, (plain,))
    if facts.seconds <= limits.recognize_s and facts.size <= limits.recognize_bytes:
        timed = Features(word_times=True, diarization=False)
        told_apart = () if separate else (Features(word_times=True, diarization=True),)
        return Plan("recognize", (whole,), separate, (*told_apart, timed, plain))
    if facts.seconds <= limits.stream_s:
        return Plan("stream", (whole,), separate, (plain,))
    return Plan("stream", _cut(facts, math.ceil(facts.seconds / limits.stream_s)), separate, (plain,))


def _cut(facts: AudioFacts, count: int) -> tuple[Piece, ...]:
    """About equal pieces."""
    seconds = facts.seconds or 0.0
    borders = [seconds * n / count for n in range(1, count)]
    if facts.wav is not None:
        return _cut_wav(facts, borders)
    # The latest border before each wish keeps every piece but the last below its share; a second more does not harm.
    starts = [facts.cuts[0], *(max(cut for cut in facts.cuts if cut[1] <= border) for border in borders)]
    ends = [*starts[1:], (facts.size, seconds)]
    return tuple(Piece(a[0], b[0] - a[0], a[1], b[1] - a[1]) for a, b in zip(starts, ends, strict=True))


def _cut_wav(facts: AudioFacts, borders: list[float]) -> tuple[Piece, ...]:
    header = facts.wav
    if header is None:
        return ()
    samples = int((facts.seconds or 0.0) * header.byte_rate) // header.block * header.block
    starts = [0, *(int(border * header.byte_rate) // header.block * header.block for border in borders)]
    ends = [*starts[1:], samples]
    return tuple(
        Piece(header.data_offset + a, b - a, a / header.byte_rate, (b - a) / header.byte_rate, header.for_data(b - a))
        for a, b in zip(starts, ends, strict=True)
    )
