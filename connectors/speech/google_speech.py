"""Speech-to-Text V2 through Google's async client: the real `SpeechToText`.

Spools the recording, reads its header, plans the requests (plan.py) and makes them. Passing faults are
tried again for a few seconds, then raised as errors of the seam. Where a location refuses word times or diarization the
request is made again without, and the location is spared them for an hour. A stream is sent as fast as the vendor takes
it; when the vendor breaks it off, once more in real time, which is what it documents.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from google.api_core.exceptions import GoogleAPICallError

from connectors.google_calls import Patience, Status, patiently, status_of
from connectors.google_channels import GoogleChannels, NoCredentials
from connectors.prices import speech_cost
from connectors.settings import ConnectionSettings
from connectors.speech.google_requests import SpeechRequests, recognition_config
from connectors.speech.plan import Features, Limits, Piece, Plan, plan
from connectors.speech.refusals import BROKEN_OFF, FEATURE_REFUSED, seam_error
from connectors.speech.results import Heard, language_of
from connectors.speech.seam import NotAudio, Recognition, SpeechMisconfigured
from connectors.speech.spool import Spool
from connectors.speech.survey import AudioFacts, Survey

CHIRP_3_LOCATIONS = frozenset(
    {
        "us",
        "eu",
        "asia-northeast1",
        "asia-southeast1",
        "asia-south1",
        "europe-west2",
        "europe-west3",
        "northamerica-northeast1",
    }
)
"""Source: Chirp 3 page, regions."""

CALL_PATIENCE = Patience(
    {Status.UNAVAILABLE: 3, Status.RESOURCE_EXHAUSTED: 2, Status.DEADLINE_EXCEEDED: 1, Status.INTERNAL: 1},
    first_pause=0.2,
    longest_pause=5.0,
    jitter=0.2,
)
STREAM_PATIENCE = Patience(
    {Status.UNAVAILABLE: 2, Status.RESOURCE_EXHAUSTED: 1, Status.INTERNAL: 1},
    first_pause=0.5,
    longest_pause=5.0,
    jitter=0.5,
)
_REAL_TIME = 1.0
_STREAMS_PER_RECORDING = 4
_SPARED_SECONDS = 3600.0


class GoogleSpeech:
    """`stream_speeds`: seconds of audio a second, tried in order; None is as fast as the vendor takes it."""

    def __init__(
        self,
        channels: GoogleChannels,
        *,
        project: str,
        location: str,
        model: str,
        pool_size: int,
        limits: Limits | None = None,
        call_patience: Patience = CALL_PATIENCE,
        stream_patience: Patience = STREAM_PATIENCE,
        stream_speeds: Sequence[float | None] = (None, _REAL_TIME),
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._location = location
        self._model = model
        self._limits = limits or Limits()
        self._requests = SpeechRequests(
            channels, project=project, pool_size=pool_size, chunk_bytes=self._limits.chunk_bytes
        )
        self._call_patience = call_patience
        self._stream_patience = stream_patience
        self._speeds = tuple(stream_speeds)
        self._now = now
        self._spared: dict[tuple[str, Features], float] = {}

    async def recognize(
        self, audio: AsyncIterator[bytes], *, languages: Sequence[str] = ("auto",), location: str | None = None
    ) -> Recognition:
        """See the seam. Errors of `audio` itself pass through."""
        place = location or self._location
        if self._model == "chirp_3" and place not in CHIRP_3_LOCATIONS:
            known = ", ".join(sorted(CHIRP_3_LOCATIONS))
            raise SpeechMisconfigured(f"{self._model} is not offered in location {place!r}; it is in {known}")
        with Spool() as spool:
            survey = Survey()
            async for chunk in audio:
                survey.feed(chunk)
                await spool.append(chunk)
            facts = survey.facts()
            if facts.container is None:
                raise NotAudio("the recording is empty" if not facts.size else "the bytes are no known audio format")
            parts = await self._parts(plan(facts, self._limits), facts, spool, place, tuple(languages))
        billed = sum(part.billed_seconds or 0.0 for part in parts)
        return Recognition(
            tuple(utterance for part in parts for utterance in part.utterances),
            language_of(parts),
            self._model,
            billed,
            speech_cost(billed),
        )

    async def close(self) -> None:
        """Close the channels."""
        await self._requests.close()

    async def _parts(
        self, how: Plan, facts: AudioFacts, spool: Spool, place: str, languages: tuple[str, ...]
    ) -> list[Heard]:
        """What was heard in each piece, in order; the first error of one ends the others."""
        streams = asyncio.Semaphore(_STREAMS_PER_RECORDING)

        async def part(piece: Piece) -> Heard:
            async with streams:
                try:
                    found = await self._with_features(how, piece, spool, place, languages)
                except (GoogleAPICallError, NoCredentials) as error:
                    raise seam_error(error, facts) from error
            if found.billed_seconds is None:
                channels = (facts.channels or 1) if how.separate_channels else 1
                return Heard(found.utterances, found.languages, (piece.seconds or 0.0) * channels)
            return found

        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(part(piece)) for piece in how.pieces]
        except ExceptionGroup as errors:
            first = errors.exceptions[0]
            raise first from first.__cause__
        return [task.result() for task in tasks]

    async def _with_features(
        self, how: Plan, piece: Piece, spool: Spool, place: str, languages: tuple[str, ...]
    ) -> Heard:
        """The call with the best features that the location is not known to refuse, then with fewer."""
        refused: list[Features] = []
        wanted = [f for f in how.features[:-1] if self._spared.get((place, f), 0.0) <= self._now()] + [how.features[-1]]
        for features in wanted:
            config = recognition_config(self._model, features, separate=how.separate_channels, languages=languages)
            try:
                if how.method == "recognize":
                    found = await self._call(config, piece, spool, place)
                else:
                    found = await self._stream(config, piece, spool, place)
            except GoogleAPICallError as error:
                if features is wanted[-1] or status_of(error) not in FEATURE_REFUSED:
                    raise
                refused.append(features)
                continue
            # Only a call that went well with less proves that the features were at fault, and not the recording.
            self._spared.update({(place, f): self._now() + _SPARED_SECONDS for f in refused})
            return found
        raise AssertionError("a plan has at least one set of features")

    async def _call(self, config: Any, piece: Piece, spool: Spool, place: str) -> Heard:
        return await patiently(lambda: self._requests.call(config, piece, spool, place), self._call_patience)

    async def _stream(self, config: Any, piece: Piece, spool: Spool, place: str) -> Heard:
        for speed in self._speeds:

            async def attempt(speed: float | None = speed) -> Heard:
                return await self._requests.stream(config, piece, spool, place, speed=speed)

            try:
                return await patiently(attempt, self._stream_patience)
            except GoogleAPICallError as error:
                if status_of(error) not in BROKEN_OFF or speed is self._speeds[-1]:
                    raise
        raise AssertionError("there is at least one speed")


def open_speech(settings: ConnectionSettings) -> GoogleSpeech:
    """The recognizer that the settings describe; connects at first use."""
    return GoogleSpeech(
        GoogleChannels(settings.google_endpoint),
        project=settings.google_project,
        location=settings.speech_location,
        model=settings.speech_model,
        pool_size=settings.speech_channels,
    )
