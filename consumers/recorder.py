"""The recorder daemon: reads every stage and keeps the tenant's requests, arrivals and final states in the store.

It owns the accounting: an event that arrives a second time is counted as `duplicate`, and every final state is kept
once per (event, phase, step). It promises that the store's rows are the same whatever order the records come in: what
two stages of one event both tell of (tags, duration) is taken from the later stage.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import Any

import numpy as np

from connectors.recordings.seam import ObjectMissing, Objects
from connectors.store.seam import Arrival, RequestRow, Scope, Store
from consumers.own_parts import patient
from consumers.publishing import outcome
from consumers.runtime.clock import Clock
from consumers.runtime.seam import DaemonSpec, Place, Publication, Record
from schemas import headers, topics
from schemas.decision import Decided
from schemas.delivery import FinalState, Outcome
from schemas.documents import Analyzed, Document, Inbound, Transcribed
from schemas.envelope import Envelope, Phase
from schemas.lead import Lead


class Stage(IntEnum):
    """Who tells a fact of an event; the later stage knows better."""

    INBOUND = 0
    RECEIVED = 1
    TRANSCRIBED = 2
    ANALYZED = 3
    DECIDED = 4


@dataclass(frozen=True, slots=True)
class Recorder:
    """The daemon's handler and the parts it works with."""

    store: Store
    objects: Objects
    clock: Clock

    async def handle(self, record: Record[Document]) -> Sequence[Publication]:
        """One record of any stage."""
        document = record.document
        scope = Scope(document.envelope.tenant_id)
        match document:
            case Inbound():
                return await self._arrived(scope, record, document)
            case Transcribed():
                await self.store.merge_request(scope, transcribed_row(document))
            case Analyzed():
                at = record.timestamp or self.clock.now()
                await self.store.merge_request(scope, await self._analyzed_row(scope, document, at))
            case Decided():
                if document.decision.tags:
                    await self.store.merge_request(scope, decided_row(document))
            case Outcome():
                await self.store.put_outcome(scope, document)
        return ()

    async def _arrived(self, scope: Scope, record: Record[Document], document: Inbound) -> Sequence[Publication]:
        place, envelope = first_place(record), document.envelope
        await self.store.merge_request(scope, inbound_row(document))
        first = await self.store.record_arrival(
            scope,
            Arrival(
                event_id=envelope.event_id,
                request_id=envelope.request_id,
                topic=place.topic,
                partition=place.partition,
                offset=place.offset,
                source=envelope.source,
                event_kind=envelope.event_kind,
                received_at=envelope.received_at,
            ),
        )
        if first:
            return ()
        return (
            outcome(
                record.json["envelope"],
                phase=Phase.RECEIVED,
                state=FinalState.DUPLICATE,
                reason="the same event arrived before; it has one effect",
                at=self.clock.now(),
                step_id=f"arrival:{place.topic}/{place.partition}/{place.offset}",
            ),
        )

    async def _analyzed_row(self, scope: Scope, document: Analyzed, at: datetime) -> RequestRow:
        analysis, envelope = document.analysis, document.envelope
        vector: list[float] | None = None
        if analysis.embedding is not None:
            try:
                packed = await self.objects.get(scope.tenant_id, analysis.embedding.ref)
                vector = [float(v) for v in np.frombuffer(packed, dtype="<f4")]
            except ObjectMissing:
                vector = None  # the row goes without; the reference stays in ai_analysis
        return _row(
            envelope,
            Stage.ANALYZED,
            ai_analysis=analysis.model_dump(mode="json"),
            lead_score=analysis.lead_score,
            spam_likelihood=analysis.spam_likelihood,
            sentiment_score=analysis.sentiment_score,
            content_embedding=vector,
            semantic_tags=analysis.tags or None,
            gemini_model_used=analysis.model,
            processing_time_ms=max(0, round((at - envelope.received_at).total_seconds() * 1000)),
            processed_at=at,
        )


def first_place(record: Record[Document]) -> Place:
    """Where the record lay before any retry: a record that comes back through a retry topic is the same arrival."""
    topic = record.headers.get(headers.FAILURE_TOPIC)
    partition = record.headers.get(headers.FAILURE_PARTITION)
    offset = record.headers.get(headers.FAILURE_OFFSET)
    if topic is None or not (partition or "").isdecimal() or not (offset or "").isdecimal():
        return record.place
    return Place(topic=topic, partition=int(partition or 0), offset=int(offset or 0))


def inbound_row(document: Inbound) -> RequestRow:
    """What the webhook itself says of the request."""
    envelope, lead = document.envelope, document.lead
    call = lead.call
    return _row(
        envelope,
        Stage.INBOUND,
        contact_id=envelope.contact_id,
        communication_mode=envelope.mode.value,
        source=envelope.source,
        test=envelope.test,
        caller_name=lead.name or _full_name(lead),
        caller_phone=lead.phone,
        caller_email=lead.email,
        call_id=call.call_id if call else None,
        recording_url=call.recording_url if call else None,
        audio_duration_seconds=call.duration_seconds if call else None,
        replaces=envelope.replaces,
        received_at=envelope.received_at,
    )


def transcribed_row(document: Transcribed) -> RequestRow:
    """What the transcript adds."""
    transcript = document.transcript
    return _row(
        document.envelope,
        Stage.TRANSCRIBED,
        transcription_data=transcript.model_dump(mode="json"),
        audio_duration_seconds=transcript.audio_seconds,
        speech_model_used=transcript.model,
    )


def decided_row(document: Decided) -> RequestRow:
    """The tags of the rules, with those of the analysis that the rules knew."""
    decision, analysis = document.decision, document.analysis
    tags = dict.fromkeys((*(analysis.tags if analysis else ()), *decision.tags))
    stage = Stage.RECEIVED if decision.phase is Phase.RECEIVED else Stage.DECIDED
    return _row(document.envelope, stage, semantic_tags=tuple(tags))


def _row(envelope: Envelope, stage: Stage, **facts: Any) -> RequestRow:
    return RequestRow(
        request_id=envelope.request_id,
        office_id=envelope.office_id,
        revision=f"{envelope.revision.key()}.{stage}",
        **facts,
    )


def _full_name(lead: Lead) -> str | None:
    return " ".join(part for part in (lead.first_name, lead.last_name) if part) or None


def spec(handler: Recorder) -> DaemonSpec[Document]:
    """The daemon."""
    inbound = (topics.INBOUND_CALLS, topics.INBOUND_MESSAGES)
    return DaemonSpec(
        name="recorder",
        description="Keeps requests, arrivals and final states in the store.",
        topics={
            **dict.fromkeys((*inbound, *map(topics.overflow, inbound)), Inbound),
            topics.TRANSCRIBED: Transcribed,
            topics.ANALYZED: Analyzed,
            topics.DECIDED: Decided,
            topics.OUTCOMES: Outcome,
        },
        publishes={topics.OUTCOMES: Outcome},
        handler=patient(handler.handle),
        slots=100,
        handler_timeout=60.0,
    )
