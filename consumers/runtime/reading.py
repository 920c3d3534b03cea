"""From a raw record to a typed one.

Promise: whatever the bytes are, the answer is a Record, Poison with a reason that names no value, or Park when a newer
version of this daemon is needed to read it.

What the headers tell is looked at before the handler is called: that they are there, and which version the document is
of. The value is decoded when the handler asks for `json`, and made a document when it asks for `document`; what is bad
about it is raised there, as `Unreadable`, and ends the record as if it had never come to the handler. So a handler pays
for what it looks at, and only a handler that looks at nothing takes no notice of poison.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from consumers.runtime.client import Arrival
from consumers.runtime.failures import attempt_of
from consumers.runtime.seam import D, DaemonSpec, Park, Place, Poison, Record
from schemas import codec
from schemas.headers import EVENT_ID, REQUEST_ID, SCHEMA, TENANT, RecordHeaders
from schemas.topics import OVERFLOW_SUFFIX

REQUIRED = (TENANT, REQUEST_ID, EVENT_ID, SCHEMA)
NEWER_SCHEMA = "newer_schema"


class Unreadable(Poison):
    """The value cannot be read."""


def read_record(spec: DaemonSpec[D], arrival: Arrival, headers: RecordHeaders) -> Record[D]:
    """The record as the daemon's handler sees it; raises Poison or Park."""
    values = headers.values
    if not all(map(values.get, REQUIRED)):
        missing = [name for name in REQUIRED if not values.get(name)]
        raise Poison("header_missing", f"no readable header {', '.join(missing)}")
    if arrival.value is None:
        raise Poison("null_value", "the record has no value")
    document_type = document_type_of(spec, arrival.partition.topic)
    if not values[SCHEMA].endswith(f"/{document_type.schema_version}"):
        _look_at_version(headers, document_type.schema_version)
    return _RecordToRead(arrival, headers, document_type)


def document_type_of(spec: DaemonSpec[D], topic: str) -> type[D]:
    """The type of a topic's documents; an overflow topic holds what its topic does."""
    return spec.topics.get(topic) or spec.topics[topic.removesuffix(OVERFLOW_SUFFIX)]


class _RecordToRead(Record[D]):
    """A Record that is read when it is looked at."""

    __slots__ = ("_arrival", "_document", "_document_type", "_headers", "_json")
    # What a record shows cannot be set, it has no setter; what it has read is kept.
    __setattr__ = object.__setattr__

    def __init__(self, arrival: Arrival, headers: RecordHeaders, document_type: type[D]) -> None:
        self._arrival = arrival
        self._headers = headers
        self._document_type = document_type
        self._json: Mapping[str, Any] | None = None
        self._document: D | None = None

    @property
    def place(self) -> Place:
        return Place(*self._arrival.partition, self._arrival.offset)

    @property
    def key(self) -> bytes | None:
        return self._arrival.key

    @property
    def value(self) -> bytes:
        return self._arrival.value or b""

    @property
    def headers(self) -> RecordHeaders:
        return self._headers

    @property
    def json(self) -> Mapping[str, Any]:
        if self._json is None:
            self._json = _json_of(self.value, self._headers)
        return self._json

    @property
    def document(self) -> D:
        if self._document is None:
            try:
                self._document = self._document_type.model_validate(self.json)
            except ValidationError as error:
                raise Unreadable("schema", _places_of(error)) from None
        return self._document

    @property
    def timestamp(self) -> datetime | None:
        milliseconds = self._arrival.timestamp_ms
        return None if milliseconds is None or milliseconds < 0 else datetime.fromtimestamp(milliseconds / 1000, UTC)

    @property
    def attempt(self) -> int:
        return attempt_of(self._headers)


def _look_at_version(headers: RecordHeaders, known: str) -> None:
    major = headers.schema_major
    if major is None:
        raise Poison("header_missing", f"the header {SCHEMA} names no version")
    ours = int(known.partition(".")[0])
    if major > ours:
        raise Park(NEWER_SCHEMA, f"version {major} of the document, this daemon reads up to {ours}", update=True)


def _json_of(value: bytes, headers: RecordHeaders) -> Mapping[str, Any]:
    try:
        json = codec.loads(value)
    except ValueError:
        raise Unreadable("not_json", "the value is not JSON") from None
    try:
        tenant = json["envelope"]["tenant_id"]
    except (TypeError, LookupError):
        raise Unreadable("schema", "envelope.tenant_id: missing") from None
    if tenant != headers.get(TENANT):
        raise Unreadable("tenant_mismatch", "header and envelope name different tenants")
    return json  # type: ignore[no-any-return]


def _places_of(error: ValidationError) -> str:
    # Where and what kind, never the value: it may be somebody's name.
    found = [f"{'.'.join(str(part) for part in item['loc'])}: {item['type']}" for item in error.errors()[:5]]
    more = error.error_count() - len(found)
    return "; ".join(found) + (f"; and {more} more" if more > 0 else "")
