"""Speech-to-Text V2: knows the transcripts of the sandbox's recordings by their audio, and says so when it does not.

Recognize (10 MB, 60 s) and StreamingRecognize (configuration first, then audio of at most 25,600 bytes a message)
answer one result per turn, with word times and speaker labels when asked. As at the vendor, a recording with one
speaker per channel is heard on channel 1 only, unless channels are recognized apart or diarization is asked for.
BatchRecognize is not served. Source: Speech-to-Text V2 reference; Chirp 3 page for regions and features.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from datetime import timedelta
from typing import Any, Final

import grpc
from google.cloud.speech_v2.types import cloud_speech as cs
from google.longrunning import operations_pb2  # type: ignore[import-untyped,unused-ignore]

from ops.sandbox.recordings import Recording, Segment, looks_like_audio
from ops.sandbox.refusal import GrpcRefused, invalid, resource_parts
from ops.sandbox.world import JsonObject, World

HONEST_TRANSCRIPT: Final = "This is the leadbus sandbox: it does not know this recording, so it cannot transcribe it."
STREAM_MESSAGE_MAX_BYTES: Final = 25_600
CONTENT_MAX_BYTES: Final = 10 * 1024 * 1024
CHIRP_3_REGIONS: Final = frozenset(
    ("us", "eu", "asia-northeast1", "asia-southeast1", "asia-south1", "europe-west2", "europe-west3",
     "northamerica-northeast1")
)  # fmt: skip
_OTHER_MODELS: Final = ("chirp_2", "long", "short", "telephony", "telephony_short")
_SPEAKER_LABELS: Final = {"agent": "1", "caller": "2"}
_CONFIDENCE: Final = 0.94
_KEPT: Final = 10_000


class _Served:
    """Stands in for a proto-plus type where the message is a plain protobuf one."""

    serialize = staticmethod(operations_pb2.Operation.SerializeToString)


class Speech:
    """State: transcriptions per project."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._done: dict[str, deque[JsonObject]] = {}
        self._requests = 0

    def methods(self, method: Callable[..., Any]) -> dict[str, Any]:
        """The RPCs of the service, made with the given constructor."""
        streaming = (cs.StreamingRecognizeRequest, cs.StreamingRecognizeResponse)
        return {
            "Recognize": method(self.recognize, cs.RecognizeRequest, cs.RecognizeResponse, "recognizer"),
            "StreamingRecognize": method(self.streaming_recognize, *streaming, "recognizer", streaming=True),
            "BatchRecognize": method(self.batch_recognize, cs.BatchRecognizeRequest, _Served, "recognizer"),
        }

    def accounts(self) -> JsonObject:
        return {project: {"transcriptions": list(done)} for project, done in self._done.items()}

    def forget(self) -> None:
        self._done.clear()

    def recognize(self, request: Any) -> Any:
        """One answer for audio in the request."""
        project = self._check(request.recognizer, request.config)
        if request.uri:
            raise invalid("the sandbox cannot read gs:// objects: send the audio in content")
        if len(request.content) > CONTENT_MAX_BYTES:
            raise invalid("Request payload size exceeds the limit: 10485760 bytes.")
        limit_s = self._world.limits.speech_recognize_max_s
        recording = self._recording(request.content, limit_s, "use batch or streaming recognition for longer audio")
        results = list(_results(cs.SpeechRecognitionResult, recording, request.config))
        metadata = self._account(project, "Recognize", recording, request.config, len(request.content))
        return cs.RecognizeResponse(results=results, metadata=metadata)

    async def streaming_recognize(
        self, requests: AsyncIterator[Any], check_routing: Callable[[str], None]
    ) -> list[Any]:
        """Final results, one answer each, after the whole stream was read; the last carries the billing."""
        config: Any = None
        project, size, digest, head = "", 0, hashlib.sha256(), b""
        async for message in requests:
            if config is None:
                if "streaming_config" not in message or message.audio:
                    raise invalid("the first message must carry streaming_config and no audio")
                config = message.streaming_config.config
                check_routing(message.recognizer)
                project = self._check(message.recognizer, config)
                if config.model == "chirp_3" and config.features.enable_word_time_offsets:
                    raise invalid("chirp_3 does not support enable_word_time_offsets in streaming recognition")
                continue
            if "streaming_config" in message:
                raise invalid("only the first message may carry streaming_config")
            if len(message.audio) > STREAM_MESSAGE_MAX_BYTES:
                raise invalid(f"Audio chunk can be of a maximum of {STREAM_MESSAGE_MAX_BYTES} bytes")
            size += len(message.audio)
            digest.update(message.audio)
            head = (head + message.audio)[:16] if len(head) < 16 else head
        if config is None:
            raise invalid("the stream ended before a streaming_config came")
        recording = self._known(digest.hexdigest(), head, size)
        if recording is not None and recording.duration_s > self._world.limits.speech_stream_max_s:
            raise GrpcRefused(grpc.StatusCode.ABORTED, "the stream is longer than 5 minutes")
        answers = [
            cs.StreamingRecognizeResponse(results=[result])
            for result in _results(cs.StreamingRecognitionResult, recording, config)
        ]
        metadata = self._account(project, "StreamingRecognize", recording, config, size)
        answers.append(cs.StreamingRecognizeResponse(metadata=metadata))
        return answers

    def batch_recognize(self, request: Any) -> Any:
        """Not served."""
        raise GrpcRefused(
            grpc.StatusCode.UNIMPLEMENTED, "the sandbox serves Recognize and StreamingRecognize, not BatchRecognize"
        )

    def _check(self, recognizer: str, config: Any) -> str:
        """The project, when recognizer, model, region and configuration go together."""
        project, location, name = resource_parts(recognizer, "projects/{}/locations/{}/recognizers/{}")
        if name != "_":
            raise GrpcRefused(grpc.StatusCode.NOT_FOUND, f"Unable to find Recognizer {recognizer}.")
        if config.model == "chirp_3":
            if location not in CHIRP_3_REGIONS:
                raise invalid(f'The model "chirp_3" does not exist in the location named "{location}".')
        elif config.model not in _OTHER_MODELS:
            raise invalid(f'The model "{config.model}" does not exist in the location named "{location}".')
        if "auto_decoding_config" not in config and "explicit_decoding_config" not in config:
            raise invalid("config must name auto_decoding_config or explicit_decoding_config")
        codes = list(config.language_codes)
        if not codes or len(codes) > 3 or not all(re.fullmatch(r"auto|[a-z]{2,3}(-\w+)*", code) for code in codes):
            raise invalid("language_codes must name one to three languages, or auto")
        return project

    def _recording(self, content: bytes, limit_s: float, advice: str) -> Recording | None:
        recording = self._known(hashlib.sha256(content).hexdigest(), content[:16], len(content))
        if recording is not None and recording.duration_s > limit_s:
            raise invalid(f"Audio is longer than {limit_s:g} seconds: {advice}.")
        return recording

    def _known(self, sha256_hex: str, head: bytes, size: int) -> Recording | None:
        """The recording, or None for audio that the sandbox does not know; refused when it is no audio."""
        if size == 0:
            raise invalid("the request holds no audio")
        recording = self._world.recordings.by_content(sha256_hex)
        if recording is None and not looks_like_audio(head):
            raise invalid("The audio encoding could not be detected: the data is not in a supported format.")
        return recording

    def _account(self, project: str, rpc: str, recording: Recording | None, config: Any, size: int) -> Any:
        self._requests += 1
        channels = _channels_heard(recording, config)
        billed_s = (math.ceil(recording.duration_s) if recording is not None else 1) * max(1, len(channels))
        self._done.setdefault(project, deque(maxlen=_KEPT)).append(
            {
                "recording": recording.name if recording is not None else None, "rpc": rpc, "model": config.model,
                "bytes": size, "billed_seconds": billed_s, "channels_heard": channels,
            }
        )  # fmt: skip
        return cs.RecognitionResponseMetadata(
            request_id=f"sandbox-{self._requests}", total_billed_duration=timedelta(seconds=billed_s)
        )


def _separate(config: Any) -> bool:
    mode = cs.RecognitionFeatures.MultiChannelMode.SEPARATE_RECOGNITION_PER_CHANNEL
    return bool(config.features.multi_channel_mode == mode)


def _channels_heard(recording: Recording | None, config: Any) -> list[int]:
    """Channels that are billed: every one when they are recognized apart, else the first."""
    if recording is None:
        return []
    return sorted(recording.channels) if _separate(config) else [1]


def _results(kind: Any, recording: Recording | None, config: Any) -> Iterable[Any]:
    """One result per turn that is heard, in order of time."""
    streaming = {"is_final": True} if kind is cs.StreamingRecognitionResult else {}
    if recording is None:
        alternative = cs.SpeechRecognitionAlternative(transcript=HONEST_TRANSCRIPT, confidence=0.0)
        yield kind(alternatives=[alternative], **streaming)
        return
    diarized = "diarization_config" in config.features
    for segment in recording.segments:
        if segment.channel != 1 and not diarized and not _separate(config):
            continue
        alternative = cs.SpeechRecognitionAlternative(
            transcript=segment.text, confidence=_CONFIDENCE, words=_words(segment, config, diarized)
        )
        yield kind(
            alternatives=[alternative],
            channel_tag=segment.channel if _separate(config) else 0,
            result_end_offset=timedelta(seconds=segment.end_s),
            language_code=recording.language,
            **streaming,
        )


def _words(segment: Segment, config: Any, diarized: bool) -> list[Any]:
    """Words, when anything about words was asked for."""
    features = config.features
    if not (features.enable_word_time_offsets or features.enable_word_confidence or diarized):
        return []
    words = []
    for word in segment.words:
        info: dict[str, Any] = {"word": word.text}
        if features.enable_word_time_offsets:
            info["start_offset"] = timedelta(seconds=word.start_s)
            info["end_offset"] = timedelta(seconds=word.end_s)
        if features.enable_word_confidence:
            info["confidence"] = _CONFIDENCE
        if diarized:
            info["speaker_label"] = _SPEAKER_LABELS.get(segment.speaker, "1")
        words.append(cs.WordInfo(**info))
    return words
