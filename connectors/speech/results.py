"""From the vendor's results to utterances: who said what, when. Pure, apart from reading the vendor's messages.

A result is what one channel said in one go. With word times its utterance begins at its first word; without (streams)
it begins where the latest result before it ended, on whichever channel, which is right where people take turns. With
speaker labels a result is split where the speaker changes. Times are shifted by the start of the piece they were heard
in. A speaker is the vendor's label, or `channel-N` where channels were recognized apart.
Source: Speech-to-Text V2, SpeechRecognitionResult and StreamingRecognitionResult.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby
from typing import Any

from connectors.speech.seam import Utterance, Word


@dataclass(frozen=True, slots=True)
class Heard:
    """What one call gave for one piece; `billed_seconds` is None when the vendor did not say."""

    utterances: tuple[Utterance, ...]
    languages: tuple[tuple[str, int], ...]
    """Language code and the characters said in it, per result."""
    billed_seconds: float | None


def heard(results: Iterable[Any], metadata: Iterable[Any], *, start_s: float) -> Heard:
    """Utterances of one piece that begins `start_s` into the recording; empty results are silence."""
    utterances: list[Utterance] = []
    languages: list[tuple[str, int]] = []
    latest_end = 0.0
    for result in sorted(results, key=lambda r: r.result_end_offset):
        best = result.alternatives[0] if result.alternatives else None
        if best is None or not best.transcript.strip():
            continue
        end = result.result_end_offset.total_seconds()
        utterances.extend(_utterances(result, best, start_s=start_s, begins=min(latest_end, end), ends=end))
        latest_end = max(latest_end, end)
        if result.language_code:
            languages.append((result.language_code, len(best.transcript)))
    utterances.sort(key=lambda u: (u.start_s, u.end_s))
    billed = max((m.total_billed_duration.total_seconds() for m in metadata), default=0.0)
    return Heard(tuple(utterances), tuple(languages), billed or None)


def language_of(parts: Sequence[Heard]) -> str | None:
    """The language in which most was said."""
    spoken: dict[str, int] = {}
    for part in parts:
        for code, length in part.languages:
            spoken[code] = spoken.get(code, 0) + length
    return max(spoken, key=lambda code: spoken[code], default=None)


def _utterances(result: Any, best: Any, *, start_s: float, begins: float, ends: float) -> Iterable[Utterance]:
    channel = result.channel_tag or None
    confidence = best.confidence or None
    by_channel = f"channel-{channel}" if channel else None
    # A word without an end was not timed.
    timed = [word for word in best.words if word.end_offset > timedelta(0)]
    if not timed:
        speaker = next((word.speaker_label for word in best.words if word.speaker_label), by_channel)
        yield Utterance(best.transcript.strip(), start_s + begins, start_s + ends, speaker, confidence, channel)
        return
    words = [
        Word(
            word.word,
            start_s + word.start_offset.total_seconds(),
            start_s + word.end_offset.total_seconds(),
            word.speaker_label or by_channel,
        )
        for word in timed
    ]
    turns = [(speaker, tuple(turn)) for speaker, turn in groupby(words, key=lambda word: word.speaker)]
    for speaker, turn in turns:
        # The transcript has the vendor's spacing (Japanese has none); only a split one is put together from words.
        text = best.transcript.strip() if len(turns) == 1 else " ".join(word.text for word in turn)
        yield Utterance(text, turn[0].start_s, turn[-1].end_s, speaker, confidence, channel, turn)
