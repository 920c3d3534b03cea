"""The documents on the topics: each stage publishes what it read plus its own section.

    Inbound      envelope, lead, raw, unparsed          gateway, hydration
    Transcribed  … + transcript                         transcription
    Analyzed     … + analysis                           analysis
    Decided      … + decision (schemas/decision.py)     routing

`grow` adds a section to the JSON that was read, so that sections and fields of a newer version pass through a daemon
of an older one verbatim. Raw bytes travel in `inbound.*` only: later documents keep their digest.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

from pydantic import Field

from schemas.base import Json, OpenEnum, Section, Sha256
from schemas.envelope import Envelope
from schemas.lead import Lead


class RawBody(Section):
    """The webhook's body as it came."""

    content_type: str
    sha256: Sha256
    size: int
    encoding: Literal["utf-8", "base64"] | None = None
    body: str | None = None
    """The bytes, as text in `encoding`; null once the document has left `inbound.*`."""


class Unparsed(Section):
    """Why an authentic body could not be read; such an event ends parked."""

    reason: str


class Document(Section):
    """The common part of every document."""

    schema_name: ClassVar[str] = ""
    schema_version: ClassVar[str] = "1.0"

    envelope: Envelope


class Inbound(Document):
    """What the gateway publishes to `inbound.*`."""

    schema_name: ClassVar[str] = "inbound"

    lead: Lead
    raw: RawBody
    unparsed: Unparsed | None = None


class TranscriptState(OpenEnum):
    """How the transcription ended."""

    DONE = "done"
    NONE = "none"
    UNAVAILABLE = "unavailable"
    OTHER = "other"


class Segment(Section):
    """What one speaker said in one go; times in seconds from the start of the recording."""

    speaker: str | None = None
    start_s: float
    end_s: float
    text: str
    confidence: float | None = None
    channel: int | None = None


class Transcript(Section):
    """What was said. Without a recording, or with one that cannot be read, the state and reason say so."""

    state: TranscriptState
    reason: str | None = None
    """no_recording, recording_gone, not_audio, too_long, refused …; null when done."""
    text: str = ""
    language: str | None = None
    segments: tuple[Segment, ...] = ()
    words_ref: str | None = None
    """Hash under which the words with times lie in object storage."""
    confidence: float | None = None
    model: str | None = None
    audio_sha256: Sha256 | None = None
    audio_seconds: float | None = None
    billed_seconds: float | None = None
    channels: int | None = None
    cost_usd: float = 0.0
    reused: bool = False
    """A paid result for the same input was found, so nothing was spent."""
    seconds: float | None = None

    def as_reused(self) -> Self:
        """The same result found again: nothing was spent."""
        return self.model_copy(update={"reused": True, "cost_usd": 0.0})


class Transcribed(Document):
    """What the transcription daemon publishes to `transcribed`."""

    schema_name: ClassVar[str] = "transcribed"

    lead: Lead
    raw: RawBody
    transcript: Transcript


class AnalysisState(OpenEnum):
    """How the analysis ended."""

    DONE = "done"
    UNSCORED = "unscored"
    SKIPPED = "skipped"
    OTHER = "other"


class Sentiment(OpenEnum):
    """The caller's mood."""

    POSITIVE = "positive"
    NEUTRAL = "neutral"
    NEGATIVE = "negative"
    MIXED = "mixed"
    OTHER = "other"


class Usage(Section):
    """Tokens and money spent on an analysis."""

    prompt_tokens: int = 0
    answer_tokens: int = 0
    thinking_tokens: int = 0
    embedding_tokens: int = 0
    cost_usd: float = 0.0


class Embedding(Section):
    """Where the vector of the content lies, and what it was made with; never mix models in one index."""

    ref: str
    model: str
    dimensions: int
    task: str


class Analysis(Section):
    """What Gemini made of it. Unscored leads go on: every score is null and the reason says why."""

    state: AnalysisState
    reason: str | None = None
    lead_score: int | None = Field(default=None, ge=0, le=100)
    spam_likelihood: float | None = Field(default=None, ge=0, le=1)
    sentiment: Sentiment | None = None
    sentiment_score: float | None = Field(default=None, ge=-1, le=1)
    confidence: float | None = Field(default=None, ge=0, le=1)
    intent: str | None = None
    service: str | None = None
    urgency: str | None = None
    summary: str | None = None
    language: str | None = None
    tags: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    """Short grounds of the score, in the model's words."""
    thinking_ref: str | None = None
    """Hash under which the thinking steps lie in object storage."""
    embedding: Embedding | None = None
    model: str | None = None
    prompt_version: str | None = None
    repaired: bool = False
    """The first answer did not fit the schema; the second did."""
    reused: bool = False
    usage: Usage = Usage()
    seconds: float | None = None

    def as_reused(self) -> Self:
        """The same result found again: nothing was spent."""
        return self.model_copy(update={"reused": True, "usage": Usage()})


class Analyzed(Document):
    """What the analysis daemon publishes to `analyzed`; messages have no transcript section."""

    schema_name: ClassVar[str] = "analyzed"

    lead: Lead
    raw: RawBody
    transcript: Transcript | None = None
    analysis: Analysis


def grow(document: Mapping[str, Json], **sections: Section) -> dict[str, Any]:
    """The document as read, verbatim, with new sections; the raw body is left behind, its digest kept.

    `document` is the parsed JSON of the record, not a model of it: what this version does not know is not touched.
    """
    grown = dict(document)
    raw = grown.get("raw")
    if isinstance(raw, Mapping):
        grown["raw"] = {key: value for key, value in raw.items() if key not in ("body", "encoding")}
    for name, section in sections.items():
        grown[name] = section.model_dump(mode="json")
    return grown
