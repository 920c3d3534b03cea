"""What a source is: how a vendor signs (as data), its event kinds (as data), and how a body reads (one pure function).

A source lives in one module of this package as the constant `SOURCE`; the registry finds it. `normalize` gets a `Hook`
and returns the events of one POST. It uses no clock, no network and no settings besides what the hook holds, so the
same bytes always give the same events. It answers a body it cannot use with one of four errors:

    SourceError
     ├─ Unreadable    authentic but not understood: kept as an unparsed event, answered 202
     ├─ NotALead      authentic, understood, and nobody's lead (a ping, an agent's words): 200, nothing is published
     ├─ Misdirected   the body names another tenant's company: 403, nothing is published
     └─ Refused       a browser's form that its sender can mend: 400 or 415, nothing is published
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from connectors.reading.lead import LeadDraft
from schemas.lead import Mode
from schemas.tenant import Endpoint
from schemas.topics import INBOUND_MESSAGES

__all__ = [
    "EventKind",
    "Hook",
    "LeadDraft",
    "Misdirected",
    "Normalized",
    "NotALead",
    "Proof",
    "Refused",
    "Sample",
    "SharedToken",
    "SignatureScheme",
    "Source",
    "SourceError",
    "TrialAnswer",
    "Unreadable",
]


class SourceError(Exception):
    """The root; `reason` is a short code for metrics and documents, without anything from the body."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Unreadable(SourceError):
    """The body cannot be understood."""


class NotALead(SourceError):
    """The vendor tells of something that is nobody's lead; counted under its reason."""


class Misdirected(SourceError):
    """The body belongs to another company than the endpoint's."""


class Refused(SourceError):
    """The sender must change the request; `detail` tells a person what."""

    def __init__(self, reason: str, detail: str, *, status: Literal[400, 415] = 400) -> None:
        super().__init__(reason)
        self.detail = detail
        self.status = status


@dataclass(frozen=True, slots=True)
class SignatureScheme:
    """How a vendor signs with a keyed digest (HMAC).

    `template` is the signed text, with `{body}` for the raw bytes, `{pair:NAME}` for a part of the signature header
    written as `NAME=value,NAME=value`, `{header:NAME}` for the text of another header, `{url}` for the URL that the
    vendor called (our public one, with its query), and `{params}` for a form's parameters, sorted and joined without
    separators (Twilio).
    """

    header: str
    algorithm: Literal["sha1", "sha256", "sha512"]
    encoding: Literal["hex", "base64"]
    prefix: str = ""
    """Literal text before the digest, such as `sha256=`."""
    template: str = "{body}"
    digest_pair: str | None = None
    """The name under which the digest stands, where the header is a list of pairs."""
    many: bool = False
    """Whether the header is a list of digests with blanks between, any of which may fit; others are skipped."""
    key: Literal["text", "base64"] = "text"
    """How the secret is written; `key_prefix` goes before it and is no part of it."""
    key_prefix: str = ""
    optional: bool = False
    """Whether the vendor may be set up to send without one: an endpoint without secrets then goes by its URL alone."""
    timestamp: str | None = None
    """Where the time of signing is: `pair:NAME` or `header:NAME`."""
    timestamp_unit: Literal["s", "ms", "iso"] = "s"
    tolerance_seconds: float | None = None
    """How far that time may be from ours, both ways; None where the vendor names none."""


@dataclass(frozen=True, slots=True)
class SharedToken:
    """A vendor that signs nothing and repeats a token that was agreed on.

    In the body it is put out of sight before anything is kept.
    """

    place: str
    """`header:NAME` or `body:NAME` (a field at the top of a JSON body)."""
    optional: bool = False
    """As in SignatureScheme."""


Proof = SignatureScheme | SharedToken


@dataclass(frozen=True, slots=True)
class TrialAnswer:
    """What a vendor wants to read when it tries a URL with GET, if `token` is the endpoint's key."""

    token: str
    text: str


@dataclass(frozen=True, slots=True)
class EventKind:
    """One kind of event a vendor tells of. `rank` orders the kinds of one request where there is no sequence."""

    rank: int = 0
    interim: bool = False
    topic: str = INBOUND_MESSAGES
    """INBOUND_THIN where the body holds ids only: `connectors/hydration/` has what fetches the rest."""


@dataclass(frozen=True, slots=True)
class Hook:
    """One authentic POST. Header names are lower-case; `received_at` was stamped once by the gateway."""

    body: bytes
    content_type: str
    headers: Mapping[str, str]
    query: str
    event: str | None
    """The path segment after the endpoint key."""
    endpoint: Endpoint
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Normalized:
    """One event. `vendor_event` and `vendor_thing` are the vendor's identities of the event and of its request."""

    event_kind: str
    vendor_event: str
    vendor_thing: str
    mode: Mode
    lead: LeadDraft
    sequence: int | None = None
    rank: int = 0
    interim: bool = False
    occurred_at: datetime | None = None
    replaces: str | None = None
    """The vendor's identity of the thing that this one replaces."""
    test: bool = False
    topic: str = INBOUND_MESSAGES
    fields: Mapping[str, Any] = field(default_factory=dict)
    """The body as a tree: what `endpoint.fields` and `office_by` point into."""
    taken: frozenset[str] = frozenset()
    """Top-level names of `fields` that the lead tells already; the rest goes to `lead.extra`."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A request that a vendor would send; the conformance suite posts it to every source that the registry finds."""

    body: bytes
    content_type: str
    received_at: datetime
    event: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    secret: str | None = None
    url: str = ""
    """The URL that was called, where it is signed."""
    events: int = 1
    """How many events the body tells of."""


@dataclass(frozen=True, slots=True)
class Source:
    """One vendor."""

    name: str
    """The path segment and `endpoint.source`."""
    title: str
    mode: Mode
    normalize: Callable[[Hook], Sequence[Normalized]]
    kinds: Mapping[str, EventKind]
    samples: tuple[Sample, ...]
    signature: Proof | None = None
    """None for browsers, which cannot keep a secret; the generic source has its own in the tenant's endpoint."""
    trial: Callable[[Mapping[str, str]], TrialAnswer | None] | None = None
    """Reads the query of a GET by which the vendor tries a URL; None where that is none."""
    setup: tuple[str, ...] = ()
    """What a tenant's admin does at the vendor, step by step; `{url}` is the endpoint's URL."""
    sends: str = ""
    """A sentence or two for the source's page: what arrives, how often, and whether the vendor sends again."""
    public: bool = False
    """Posted by browsers: answered with a redirect or a page where HTML is accepted."""
