"""The seam to speech recognition: a recording in, what was said out.

Errors: `NotAudio` (the bytes cannot be transcribed, ever), `SpeechQuota` (wait, the vendor is full),
`SpeechUnavailable` (a passing fault), `SpeechMisconfigured` (region, model or permission is wrong: nothing will work
until it is mended).
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol


class SpeechError(Exception):
    """The root."""


class NotAudio(SpeechError):
    """The vendor cannot decode the bytes."""


class SpeechQuota(SpeechError):
    """Too much at once; wait `delay` seconds."""

    def __init__(self, message: str, *, delay: float = 30.0) -> None:
        super().__init__(message)
        self.delay = delay


class SpeechUnavailable(SpeechError):
    """A passing fault; the same call may succeed later."""


class SpeechMisconfigured(SpeechError):
    """Region, model, permission or credential is wrong."""


@dataclass(frozen=True, slots=True)
class Word:
    """One word; times in seconds."""

    text: str
    start_s: float
    end_s: float
    speaker: str | None = None


@dataclass(frozen=True, slots=True)
class Utterance:
    """What one speaker said in one go; times in seconds."""

    text: str
    start_s: float
    end_s: float
    speaker: str | None = None
    confidence: float | None = None
    channel: int | None = None
    words: tuple[Word, ...] = ()


@dataclass(frozen=True, slots=True)
class Recognition:
    """The answer; no utterances means silence, which is a success."""

    utterances: tuple[Utterance, ...]
    language: str | None
    model: str
    billed_seconds: float
    cost_usd: float


class SpeechToText(Protocol):
    """One recognizer."""

    async def recognize(
        self, audio: AsyncIterator[bytes], *, languages: Sequence[str] = ("auto",), location: str | None = None
    ) -> Recognition:
        """Transcribe a recording handed over in chunks; never holds more of it than the vendor's limits force."""
        ...

    async def close(self) -> None:
        """Close the channels."""
        ...
