"""The recordings that the sandbox knows: audio bytes, and what was said in them.

Found by the sha256 of the audio content, as a speech service would find nothing else to go by. Two-party
recordings keep one speaker per channel. Also tells whether bytes look like audio at all, by their header.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

_AUDIO_SUFFIXES = {".mp3": "audio/mpeg", ".wav": "audio/wav"}


@dataclass(frozen=True)
class Word:
    """One spoken word; times in seconds from the start of the recording."""

    text: str
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Segment:
    """One turn of one speaker, on one channel (1 is the first)."""

    speaker: str
    channel: int
    start_s: float
    end_s: float
    text: str
    words: tuple[Word, ...]


@dataclass(frozen=True)
class Recording:
    """What was said in a recording. language is a BCP-47 code."""

    name: str
    language: str
    duration_s: float
    channels: Mapping[int, str]
    segments: tuple[Segment, ...]

    @property
    def transcript(self) -> str:
        """All turns in order of time, one line each."""
        return "\n".join(segment.text for segment in self.segments)


@dataclass(frozen=True)
class AudioFile:
    """The bytes of one recording in one format."""

    content: bytes
    content_type: str
    recording: Recording


class RecordingIndex:
    """All recordings, by content and by file name (`roof-leak.mp3`; without suffix the MP3 is meant)."""

    def __init__(self, audio_files: Mapping[str, AudioFile]) -> None:
        self._by_name = dict(audio_files)
        self._by_sha = {hashlib.sha256(f.content).hexdigest(): f.recording for f in audio_files.values()}

    @classmethod
    def load(cls) -> RecordingIndex:
        """Read the recordings that come with this package."""
        folder = files("ops.sandbox") / "calls"
        recordings: dict[str, Recording] = {}
        audio_files: dict[str, AudioFile] = {}
        entries = sorted(folder.iterdir(), key=lambda entry: entry.name)
        for entry in entries:
            if entry.name.endswith(".json"):
                recording = _parse(json.loads(entry.read_text(encoding="utf-8")))
                recordings[recording.name] = recording
        for entry in entries:
            stem, dot, suffix = entry.name.rpartition(".")
            content_type = _AUDIO_SUFFIXES.get(dot + suffix)
            if content_type is not None:
                audio_files[entry.name] = AudioFile(entry.read_bytes(), content_type, recordings[stem])
        return cls(audio_files)

    def names(self) -> list[str]:
        """Names of all recordings, without suffix."""
        return sorted({audio.recording.name for audio in self._by_name.values()})

    def by_name(self, name: str) -> AudioFile | None:
        return self._by_name.get(name) or self._by_name.get(f"{name}.mp3")

    def by_content(self, sha256_hex: str) -> Recording | None:
        """The recording whose audio has this sha256 (lower-case hex), or None when it is not one of ours."""
        return self._by_sha.get(sha256_hex)


def looks_like_audio(head: bytes) -> bool:
    """Whether the first bytes are the header of WAV, MP3, Ogg, FLAC or MP4 audio."""
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        return True
    if head[:3] == b"ID3" or head[:4] in (b"OggS", b"fLaC") or head[4:8] == b"ftyp":
        return True
    return len(head) >= 2 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0


def _parse(data: Any) -> Recording:
    channels = {int(number): str(speaker) for number, speaker in data["channels"].items()}
    channel_of = {speaker: number for number, speaker in channels.items()}
    segments = tuple(
        Segment(
            speaker=s["speaker"],
            channel=channel_of[s["speaker"]],
            start_s=s["start_s"],
            end_s=s["end_s"],
            text=s["text"],
            words=tuple(Word(w["word"], w["start_s"], w["end_s"]) for w in s["words"]),
        )
        for s in data["segments"]
    )
    return Recording(data["name"], data["language"], data["duration_s"], channels, segments)
