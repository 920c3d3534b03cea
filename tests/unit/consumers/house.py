"""Small documents, records and parts for the tests of the document daemons. The store is the real one, on a file."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors.bundles.live import LiveBundles
from connectors.llm.seam import Answer, Prompt, TokenUsage, Vector
from connectors.recordings.seam import ObjectMissing, ObjectsUnavailable, Recording
from connectors.speech.seam import Recognition, Utterance, Word
from connectors.store.seam import FullStore
from consumers.runtime.seam import Place, Publication, Record
from schemas import codec, identity
from schemas.bundle import LiveBundle, as_json, content_hash
from schemas.documents import Document
from schemas.headers import RecordHeaders, document_headers
from schemas.rulefile import RulesBundle
from schemas.tenant import IntakeBundle

TENANT = "acme"
RECEIVED_AT = datetime(2026, 3, 2, 16, 14, 22, tzinfo=UTC)
NOW = RECEIVED_AT + timedelta(seconds=5)
FUTURE: Mapping[str, Any] = {"weather": {"sky": "blue", "list": [1, {"a": None}]}}
"""A section that no version of today knows."""


class StillClock:
    """Time stands until it is moved; sleeping moves it and takes none."""

    def __init__(self, now: datetime = NOW) -> None:
        self.time = now
        self.slept: list[float] = []

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return self.time.timestamp()

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += timedelta(seconds=seconds)


def intake(tenant: str = TENANT, **changes: Any) -> IntakeBundle:
    values: dict[str, Any] = {
        "tenant": tenant,
        "name": "Acme Roofing",
        "endpoints": [{"id": "form", "source": "form", "key_sha256": "0" * 64}],
        "connectors": [
            {"id": "hubspot", "kind": "hubspot", "secret": "secret://HUBSPOT_TOKEN"},
            {"id": "pipedrive", "kind": "pipedrive"},
            {"id": "mailbox", "kind": "email"},
            {"id": "paper", "kind": "hubspot", "mode": "record"},
            {"id": "tester", "kind": "hubspot", "accept_test": True},
        ],
        "offices": [{"id": "main", "name": "Main"}],
        "recordings": {"secret": "secret://CALLRAIL_API_KEY"},
    }
    return IntakeBundle.model_validate(values | changes)


async def go_live(store: FullStore, half: IntakeBundle, rules: RulesBundle | None = None, *, sequence: int = 1) -> None:
    """Put a tenant's halves into the store and point at them."""
    from ops.tenants import tenant_row

    rules = rules or RulesBundle(tenant=half.tenant, rules=())
    await store.put_tenant(tenant_row(half), [])
    await store.put_bundle_half(half.tenant, "intake", content_hash(half), as_json(half))
    await store.put_bundle_half(half.tenant, "rules", content_hash(rules), as_json(rules))
    await store.set_live(
        LiveBundle(tenant_id=half.tenant, intake=content_hash(half), rules=content_hash(rules), sequence=sequence)
    )


async def tenants_of(store: FullStore) -> LiveBundles[IntakeBundle]:
    bundles: LiveBundles[IntakeBundle] = LiveBundles(store, "intake", lambda live, half: half)
    await bundles.refresh()
    return bundles


def envelope(
    *,
    tenant: str = TENANT,
    thing: str = "1",
    event: str = "1",
    kind: str = "form_submission",
    mode: str = "form",
    rank: int = 0,
    received_at: datetime = RECEIVED_AT,
    **more: Any,
) -> dict[str, Any]:
    event_id = identity.event_id(tenant, "form", event)
    request_id = identity.request_id(tenant, "form", thing)
    return {
        "tenant_id": tenant,
        "office_id": None,
        "endpoint_id": "form",
        "source": "form",
        "event_kind": kind,
        "mode": mode,
        "event_id": event_id,
        "request_id": request_id,
        "contact_id": identity.contact_id(tenant, phone_e164="+13125550142", email=None, request=request_id),
        "revision": {"rank": rank, "received_at": received_at.isoformat(), "event_id": event_id},
        "received_at": received_at.isoformat(),
    } | more


def inbound(*, lead: Mapping[str, Any] | None = None, unparsed: str | None = None, **of: Any) -> dict[str, Any]:
    document: dict[str, Any] = {
        "envelope": envelope(**of),
        "lead": dict(lead or {"name": "Zoe Marchand", "phone": "+13125550142", "message": "My roof leaks."}),
        "raw": {
            "content_type": "application/json",
            "sha256": "a" * 64,
            "size": 2,
            "encoding": "utf-8",
            "body": "{}",
        },
    }
    return document | ({"unparsed": {"reason": unparsed}} if unparsed else {})


def call(*, recording: str | None = "https://api.callrail.com/r/1", **of: Any) -> dict[str, Any]:
    lead = {"phone": "+13125550142", "call": {"call_id": "CAL1", "duration_seconds": 63.0, "recording_url": recording}}
    return inbound(**{"lead": lead, "mode": "phone_call", "kind": "post_call"} | of)


def with_future(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document as a newer version may write it: a section and, in every section, a field that nobody knows."""
    sections = {name for name, value in document.items() if isinstance(value, Mapping) and name != "results"}
    grown = {name: {**value, **FUTURE} if name in sections else value for name, value in document.items()}
    return {**grown, **FUTURE}


def record_of(
    kind: type[Document],
    document: Mapping[str, Any],
    *,
    topic: str = "inbound.messages",
    partition: int = 0,
    offset: int = 0,
    attempt: int = 0,
    timestamp: datetime | None = None,
    headers: Sequence[tuple[str, bytes]] = (),
) -> Record[Any]:
    told = document["envelope"]
    raw = (
        *document_headers(
            tenant=told["tenant_id"],
            request_id=told["request_id"],
            event_id=told["event_id"],
            schema=kind.schema_name,
            version=kind.schema_version,
        ),
        *headers,
    )
    value = codec.dumps(document)
    return Record(
        place=Place(topic, partition, offset),
        key=told["request_id"].encode(),
        value=value,
        headers=RecordHeaders.read(raw),
        document=kind.model_validate(document),
        json=codec.loads(value),
        timestamp=timestamp,
        attempt=attempt,
    )


def told(publications: Sequence[Publication], topic: str) -> list[dict[str, Any]]:
    """The documents for a topic."""
    return [codec.loads(p.value) for p in publications if p.topic == topic]


def only(publications: Sequence[Publication]) -> dict[str, Any]:
    [publication] = publications
    found: dict[str, Any] = codec.loads(publication.value)
    return found


@dataclass
class Shelf:
    """Objects in memory; `away` makes it unavailable for so many calls."""

    kept: dict[tuple[str, str], bytes] = field(default_factory=dict)
    away: int = 0

    async def put(self, tenant_id: str, data: bytes) -> str:
        if self.away:
            self.away -= 1
            raise ObjectsUnavailable("away")
        ref = codec.sha256(data)
        self.kept[tenant_id, ref] = data
        return ref

    async def get(self, tenant_id: str, ref: str) -> bytes:
        if self.away:
            self.away -= 1
            raise ObjectsUnavailable("away")
        try:
            return self.kept[tenant_id, ref]
        except KeyError:
            raise ObjectMissing(ref) from None


@dataclass
class Tape:
    """Recordings: the same bytes for every URL, or an error."""

    audio: bytes = b"RIFF audio"
    error: Exception | None = None
    opened: list[tuple[str, str | None]] = field(default_factory=list)

    @asynccontextmanager
    async def open(self, tenant: IntakeBundle, url: str, *, secret: str | None) -> AsyncIterator[Recording]:
        self.opened.append((url, secret))
        if self.error is not None:
            raise self.error
        yield Recording("audio/mpeg", len(self.audio), self._chunks())

    async def _chunks(self) -> AsyncIterator[bytes]:
        for start in range(0, len(self.audio), 4):
            yield self.audio[start : start + 4]

    async def close(self) -> None:
        """Nothing is open."""


@dataclass
class Ear:
    """A recognizer that hears the same every time, or fails."""

    error: Exception | None = None
    heard: list[bytes] = field(default_factory=list)
    meeting: Any = None
    """Awaited before the answer: two workers meet here."""

    async def recognize(
        self, audio: AsyncIterator[bytes], *, languages: Sequence[str] = ("auto",), location: str | None = None
    ) -> Recognition:
        self.heard.append(b"".join([chunk async for chunk in audio]))
        if self.meeting is not None:
            await self.meeting()
        if self.error is not None:
            raise self.error
        number = len(self.heard)
        said = Utterance(
            text=f"Hello, my roof leaks ({number}).",
            start_s=0.5,
            end_s=3.0,
            speaker="1",
            confidence=0.9,
            words=(Word("Hello,", 0.5, 0.9, "1"),),
        )
        return Recognition((said,), "en-US", "chirp_3", billed_seconds=3.0, cost_usd=0.0008)

    async def close(self) -> None:
        """Nothing is open."""


GOOD: Mapping[str, Any] = {
    "lead_score": 82,
    "spam_likelihood": 0.02,
    "sentiment": "neutral",
    "sentiment_score": 0.1,
    "confidence": 0.9,
    "intent": "roof repair",
    "urgency": "high",
    "summary": "Wants a roof repaired.",
    "tags": ["roof"],
    "reasons": ["Leak"],
}


def answer(value: Any, *, finish: str = "STOP", text: str | None = None, thoughts: tuple[str, ...] = ()) -> Answer:
    spoken = text if text is not None else codec.dumps(value).decode()
    return Answer(value, spoken, finish, TokenUsage(100, 20, 5, 0.001), "gemini-2.5-flash", thoughts)


@dataclass
class Brain:
    """A model that gives the answers of a list (then the last one again), and one vector."""

    answers: list[Answer | Exception] = field(default_factory=lambda: [answer(dict(GOOD))])
    embedding: Exception | None = None
    prompts: list[Prompt] = field(default_factory=list)
    embedded: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)

    async def generate(self, prompt: Prompt) -> Answer:
        self.prompts.append(prompt)
        given = self.answers[min(len(self.prompts), len(self.answers)) - 1]
        if isinstance(given, Exception):
            raise given
        return given

    async def embed(self, text: str, *, task: str = "SEMANTIC_SIMILARITY", labels: Mapping[str, str]) -> Vector:
        self.embedded.append((text, labels))
        if self.embedding is not None:
            raise self.embedding
        values = (1.0, *([0.0] * 767))
        return Vector(values, "gemini-embedding-001", task, tokens=7, cost_usd=0.000001)

    async def close(self) -> None:
        """Nothing is open."""
