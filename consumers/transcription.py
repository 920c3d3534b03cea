"""The transcription daemon: `inbound.calls` in, `transcribed` out.

A call without a recording, or with one that is gone or is not audio, goes on without a transcript and says why. An
event of a call that is still running ends here: what follows it will be analyzed. The same audio is paid for once.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from connectors.bundles.live import LiveBundles
from connectors.recordings.seam import (
    Objects,
    RecordingGone,
    RecordingRefused,
    Recordings,
    RecordingUnavailable,
    TooLarge,
)
from connectors.speech.seam import (
    NotAudio,
    Recognition,
    SpeechMisconfigured,
    SpeechQuota,
    SpeechToText,
    SpeechUnavailable,
    Utterance,
)
from connectors.store.seam import Scope, Store
from consumers.audio import SpooledAudio, spooled
from consumers.own_parts import patient, unnamed
from consumers.paid import kept, paid_once
from consumers.publishing import ends_dead, interim_ended, publication
from consumers.runtime.clock import Clock
from consumers.runtime.seam import DaemonSpec, Park, Publication, Record, RetryAfter
from schemas import codec, topics
from schemas.delivery import Outcome
from schemas.documents import Inbound, Segment, Transcribed, Transcript, TranscriptState, grow
from schemas.tenant import IntakeBundle

PATIENCE = 6
"""Rounds through the retry topics before a lead goes on without its recording."""


@dataclass(frozen=True, slots=True)
class Transcription:
    """The daemon's handler and the parts it works with."""

    tenants: LiveBundles[IntakeBundle]
    recordings: Recordings
    speech: SpeechToText
    objects: Objects
    store: Store
    clock: Clock
    model: str

    async def handle(self, record: Record[Inbound]) -> Sequence[Publication]:
        """One call event."""
        document = record.document
        envelope, call = document.envelope, document.lead.call
        if document.unparsed is not None:
            return ()  # routing parks it
        if envelope.interim:
            return (interim_ended(record, self.clock.now()),)
        tenant = self.tenants.get(envelope.tenant_id)
        if tenant is None:
            raise unnamed(
                "unknown_tenant", "no live bundle names this tenant", loaded=self.tenants.loaded, record=record
            )
        started = self.clock.monotonic()
        if call is None or not call.recording_url:
            transcript = _without("no_recording")
        else:
            transcript = await self._transcribe(tenant, record, call.recording_url)
        transcript = transcript.model_copy(update={"seconds": round(self.clock.monotonic() - started, 3)})
        grown = grow(record.json, transcript=transcript)
        return (publication(topics.TRANSCRIBED, Transcribed, envelope, grown),)

    async def _transcribe(self, tenant: IntakeBundle, record: Record[Inbound], url: str) -> Transcript:
        office = tenant.office(record.document.envelope.office_id)
        secret = (office.callrail_api_key if office else None) or tenant.recordings.secret
        try:
            async with (
                self.recordings.open(tenant, url, secret=secret) as recording,
                spooled(recording.chunks) as audio,
            ):
                return await self._once(tenant, audio, record.document.envelope.event_id)
        except RecordingGone:
            return _without("recording_gone", TranscriptState.UNAVAILABLE)
        except RecordingRefused:
            return _without("recording_refused", TranscriptState.UNAVAILABLE)
        except TooLarge:
            return _without("recording_too_large", TranscriptState.UNAVAILABLE)
        except NotAudio:
            return _without("not_audio", TranscriptState.UNAVAILABLE)
        except RecordingUnavailable as error:
            if record.attempt >= PATIENCE:
                return _without("recording_unavailable", TranscriptState.UNAVAILABLE)
            raise RetryAfter("recording_unavailable", str(error), delay=error.delay or 10.0) from error
        except SpeechQuota as error:
            raise RetryAfter("speech_quota", str(error), delay=error.delay) from error
        except SpeechUnavailable as error:
            raise RetryAfter("speech_unavailable", str(error)) from error
        except SpeechMisconfigured as error:
            raise Park("speech_misconfigured", str(error)) from error

    async def _once(self, tenant: IntakeBundle, audio: SpooledAudio, event_id: str) -> Transcript:
        wanted = codec.digest([audio.sha256, self.model, list(tenant.ai.languages), list(tenant.recordings.channels)])
        return await paid_once(
            self.store,
            Scope(tenant.tenant),
            "transcript",
            wanted,
            Transcript,
            lambda: self._recognize(tenant, audio),
            payer=event_id,
            sleep=self.clock.sleep,
        )

    async def _recognize(self, tenant: IntakeBundle, audio: SpooledAudio) -> Transcript:
        recognition = await self.speech.recognize(audio.chunks(), languages=tenant.ai.languages)
        words = [[w.text, w.start_s, w.end_s, w.speaker or u.speaker] for u in recognition.utterances for w in u.words]
        words_ref = None
        if words:
            data = codec.canonical(words)
            words_ref = await kept(self.objects, tenant.tenant, "words", data, sleep=self.clock.sleep)
        return transcript_of(recognition, audio, words_ref, tenant.recordings.channels)


def transcript_of(
    recognition: Recognition, audio: SpooledAudio, words_ref: str | None, channels: Sequence[str] = ()
) -> Transcript:
    """The section of the document for an answer of the recognizer; `channels` names who speaks on each."""
    said = [replace(u, speaker=_speaker(u, channels)) for u in recognition.utterances]
    confidences = [u.confidence for u in said if u.confidence is not None]
    return Transcript(
        state=TranscriptState.DONE,
        text="\n".join(f"{u.speaker}: {u.text}" if u.speaker else u.text for u in said),
        language=recognition.language,
        segments=tuple(
            Segment(
                speaker=u.speaker,
                start_s=u.start_s,
                end_s=u.end_s,
                text=u.text,
                confidence=u.confidence,
                channel=u.channel,
            )
            for u in said
        ),
        words_ref=words_ref,
        confidence=round(sum(confidences) / len(confidences), 4) if confidences else None,
        model=recognition.model,
        audio_sha256=audio.sha256,
        audio_seconds=max((u.end_s for u in said), default=0.0),
        billed_seconds=recognition.billed_seconds,
        channels=len({u.channel for u in said if u.channel is not None}) or 1,
        cost_usd=recognition.cost_usd,
    )


def _speaker(utterance: Utterance, channels: Sequence[str]) -> str | None:
    if utterance.channel is not None and 0 < utterance.channel <= len(channels):
        return channels[utterance.channel - 1]
    return utterance.speaker


def _without(reason: str, state: TranscriptState = TranscriptState.NONE) -> Transcript:
    return Transcript(state=state, reason=reason)


def spec(handler: Transcription) -> DaemonSpec[Inbound]:
    """The daemon."""
    return DaemonSpec(
        name="transcription",
        description="Fetches the recordings of calls and transcribes them.",
        topics={topics.INBOUND_CALLS: Inbound, topics.overflow(topics.INBOUND_CALLS): Inbound},
        publishes={topics.TRANSCRIBED: Transcribed, topics.OUTCOMES: Outcome},
        handler=patient(handler.handle),
        on_dead=ends_dead("transcription", handler.clock),
        handler_timeout=600.0,
    )
