"""What each stage says of a request, as a row for the store. Pure.

Promise: merged by their revisions, the rows of a request give the same whatever order the records come in: what two
stages of one event both tell of (tags, duration) is taken from the later stage.
"""

from collections.abc import Sequence
from datetime import datetime
from enum import IntEnum
from typing import Any

from connectors.store.seam import RequestRow
from schemas.decision import Decided
from schemas.documents import Analyzed, Inbound, Transcribed
from schemas.envelope import Envelope, Phase
from schemas.lead import Lead


class Stage(IntEnum):
    """Who tells a fact of an event; the later stage knows better."""

    INBOUND = 0
    RECEIVED = 1
    TRANSCRIBED = 2
    ANALYZED = 3
    DECIDED = 4


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


def analyzed_row(document: Analyzed, vector: Sequence[float] | None, at: datetime) -> RequestRow:
    """What the analysis adds; `at` is when it was told."""
    analysis, envelope = document.analysis, document.envelope
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
