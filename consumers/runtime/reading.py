"""From a raw record to a typed one.

Promise: whatever the bytes are, the answer is a Record, Poison with a reason that names no value, or Park when a newer
version of this daemon is needed to read it.
"""

from datetime import UTC, datetime

from pydantic import ValidationError

from consumers.runtime.client import Arrival
from consumers.runtime.failures import attempt_of
from consumers.runtime.seam import D, DaemonSpec, Park, Place, Poison, Record
from schemas import codec
from schemas.headers import EVENT_ID, REQUEST_ID, SCHEMA, TENANT, RecordHeaders

REQUIRED = (TENANT, REQUEST_ID, EVENT_ID, SCHEMA)
NEWER_SCHEMA = "newer_schema"


def read_record(spec: DaemonSpec[D], arrival: Arrival, headers: RecordHeaders) -> Record[D]:
    """The record as the daemon's handler sees it; raises Poison or Park."""
    missing = [name for name in REQUIRED if not headers.get(name)]
    if missing:
        raise Poison("header_missing", f"no readable header {', '.join(missing)}")
    if arrival.value is None:
        raise Poison("null_value", "the record has no value")
    document_type = spec.topics[arrival.partition.topic]
    major = headers.schema_major
    if major is None:
        raise Poison("header_missing", f"the header {SCHEMA} names no version")
    ours = int(document_type.schema_version.partition(".")[0])
    if major > ours:
        raise Park(NEWER_SCHEMA, f"version {major} of the document, this daemon reads up to {ours}")
    try:
        value = codec.loads(arrival.value)
    except ValueError:
        raise Poison("not_json", "the value is not JSON") from None
    try:
        document = document_type.model_validate(value)
    except ValidationError as error:
        raise Poison("schema", _places_of(error)) from None
    if document.envelope.tenant_id != headers.get(TENANT):
        raise Poison("tenant_mismatch", "header and envelope name different tenants")
    return Record(
        place=Place(arrival.partition.topic, arrival.partition.number, arrival.offset),
        key=arrival.key,
        value=arrival.value,
        headers=headers,
        document=document,
        json=value,
        timestamp=_moment(arrival.timestamp_ms),
        attempt=attempt_of(headers),
    )


def _places_of(error: ValidationError) -> str:
    # Where and what kind, never the value: it may be somebody's name.
    found = [f"{'.'.join(str(part) for part in item['loc'])}: {item['type']}" for item in error.errors()[:5]]
    more = error.error_count() - len(found)
    return "; ".join(found) + (f"; and {more} more" if more > 0 else "")


def _moment(milliseconds: int | None) -> datetime | None:
    return None if milliseconds is None or milliseconds < 0 else datetime.fromtimestamp(milliseconds / 1000, UTC)
