"""Single requests to Speech-to-Text V2: one Recognize, or one stream from its configuration to its end.

Keeps a channel pool per location, and one apart for streams, which hold a channel for minutes. A stream is sent in
messages with a pause of ten milliseconds at least: without it grpc hides the server's status behind INTERNAL. Raises
the client library's errors as they come; nothing is tried again here.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

from google.cloud.speech_v2.services.speech import SpeechAsyncClient
from google.cloud.speech_v2.services.speech.transports import SpeechGrpcAsyncIOTransport
from google.cloud.speech_v2.types import cloud_speech as cs

from connectors.google_channels import ChannelPool, GoogleChannels
from connectors.speech.plan import Features, Piece
from connectors.speech.results import Heard, heard
from connectors.speech.spool import Spool

_PAUSE_SECONDS = 0.01
_ANSWER_SECONDS = 60.0
_STREAM_SECONDS = 300.0


class SpeechRequests:
    """Requests of one project; `chunk_bytes` is the size of a stream's messages."""

    def __init__(self, channels: GoogleChannels, *, project: str, pool_size: int, chunk_bytes: int) -> None:
        self._channels = channels
        self._project = project
        self._pool_size = pool_size
        self._chunk_bytes = chunk_bytes
        self._pools: dict[tuple[str, str], ChannelPool[SpeechAsyncClient]] = {}

    async def call(self, config: Any, piece: Piece, spool: Spool, place: str) -> Heard:
        """Recognize: the piece in one request."""
        content = piece.prefix + await spool.read(piece.offset, piece.length)
        request = cs.RecognizeRequest(recognizer=self._recognizer(place), config=config, content=content)
        async with self._pool("call", place).client() as client:
            answer: Any = await client.recognize(request=request, timeout=_ANSWER_SECONDS)
        return heard(answer.results, [answer.metadata], start_s=piece.start_s)

    async def stream(self, config: Any, piece: Piece, spool: Spool, place: str, *, speed: float | None) -> Heard:
        """StreamingRecognize: the piece in chunks, `speed` seconds of audio a second, None as fast as it is taken."""
        recognizer = self._recognizer(place)
        sending = (piece.seconds or _STREAM_SECONDS) / speed if speed else 0.0
        results: list[Any] = []
        metadata: list[Any] = []
        async with self._pool("stream", place).client() as client:
            stream: Any = await client.streaming_recognize(
                requests=self._messages(config, piece, spool, recognizer, speed),
                metadata=(("x-goog-request-params", f"recognizer={quote(recognizer, safe='')}"),),
                timeout=_ANSWER_SECONDS + sending,
            )
            try:
                async for answer in stream:
                    results.extend(result for result in answer.results if result.is_final)
                    metadata.append(answer.metadata)
            finally:
                stream.cancel()
        return heard(results, metadata, start_s=piece.start_s)

    async def close(self) -> None:
        """Close the channels."""
        await asyncio.gather(*(pool.close() for pool in self._pools.values()))

    async def _messages(
        self, config: Any, piece: Piece, spool: Spool, recognizer: str, speed: float | None
    ) -> AsyncIterator[Any]:
        streaming = cs.StreamingRecognitionConfig(config=config)
        yield cs.StreamingRecognizeRequest(recognizer=recognizer, streaming_config=streaming)
        prefix, at, end = piece.prefix, piece.offset, piece.offset + piece.length
        while at < end:
            chunk = await spool.read(at, min(self._chunk_bytes - len(prefix), end - at))
            at += len(chunk)
            sounds = len(chunk) / piece.length * (piece.seconds or 0.0)
            await asyncio.sleep(max(_PAUSE_SECONDS, sounds / speed if speed else 0.0))
            yield cs.StreamingRecognizeRequest(audio=prefix + chunk)
            prefix = b""

    def _recognizer(self, place: str) -> str:
        return f"projects/{self._project}/locations/{place}/recognizers/_"

    def _pool(self, use: str, place: str) -> ChannelPool[SpeechAsyncClient]:
        pool = self._pools.get((use, place))
        if pool is None:
            host = "speech.googleapis.com" if place == "global" else f"{place}-speech.googleapis.com"
            pool = ChannelPool(lambda: self._channels.open(host), _client, size=self._pool_size)
            self._pools[use, place] = pool
        return pool


def recognition_config(model: str, features: Features, *, separate: bool, languages: tuple[str, ...]) -> Any:
    """A `RecognitionConfig`: punctuation on, profanity kept, channels apart where there may be several."""
    modes = cs.RecognitionFeatures.MultiChannelMode
    asked = cs.RecognitionFeatures(
        enable_automatic_punctuation=True,
        profanity_filter=False,
        enable_word_time_offsets=features.word_times,
        multi_channel_mode=modes.SEPARATE_RECOGNITION_PER_CHANNEL if separate else modes(0),
    )
    if features.diarization:
        asked.diarization_config = cs.SpeakerDiarizationConfig()
    return cs.RecognitionConfig(
        auto_decoding_config=cs.AutoDetectDecodingConfig(),
        model=model,
        language_codes=list(languages),
        features=asked,
    )


def _client(channel: Any) -> SpeechAsyncClient:
    return SpeechAsyncClient(transport=SpeechGrpcAsyncIOTransport(channel=channel))
