"""Topics, headers, tenant files and bundles keep their promises."""

from typing import Any

import pytest
from pydantic import ValidationError

from schemas import codec, topics
from schemas.bundle import as_json, content_hash
from schemas.decision import ConnectorKind
from schemas.headers import RecordHeaders, document_headers
from schemas.tenant import IntakeBundle

TENANT: dict[str, Any] = {
    "tenant": "acme",
    "name": "Acme",
    "endpoints": [{"id": "form", "source": "form", "key_sha256": "0" * 64, "office": "main"}],
    "connectors": [{"id": "crm", "kind": "hubspot", "secret": "secret://TOKEN"}],
    "offices": [{"id": "main", "name": "Main", "time_zone": "America/Chicago"}],
}


def test_every_connector_kind_has_a_topic_and_every_inbound_topic_an_overflow() -> None:
    names = {topic.name for topic in topics.table()}
    kinds = set(ConnectorKind) - {ConnectorKind.OTHER}
    assert {f"deliver.{kind.value}" for kind in kinds} <= names
    assert {topics.overflow(t) for t in (topics.INBOUND_CALLS, topics.INBOUND_MESSAGES, topics.INBOUND_THIN)} <= names
    assert len(names) == len(topics.table())


def test_what_fails_fits_where_failures_go() -> None:
    rows = {topic.name: topic for topic in topics.table()}
    for name in (*topics.RETRY_TIERS, topics.DEAD_LETTERS):
        assert rows[name].max_bytes > topics.LARGEST_RECORD


def test_headers_that_are_not_text_are_data_and_not_a_crash() -> None:
    headers = RecordHeaders.read([("tenant", b"acme"), ("schema", b"\xff\xfe"), ("test", None)])
    assert headers.get("tenant") == "acme"
    assert headers.schema_major is None
    assert headers.raw == (("tenant", b"acme"), ("schema", b"\xff\xfe"), ("test", None))


def test_a_document_says_its_schema_and_major_version() -> None:
    pairs = document_headers(tenant="a", request_id="r", event_id="e", schema="inbound", version="3.1", test=True)
    headers = RecordHeaders.read(pairs)
    assert headers.schema_major == 3
    assert headers.get("test") == "1"
    assert headers.get("traceparent") is None


def test_a_bundle_is_named_by_its_content_and_any_edit_renames_it() -> None:
    bundle = IntakeBundle.model_validate(TENANT)
    again = IntakeBundle.model_validate(codec.loads(codec.dumps(as_json(bundle))))
    assert content_hash(again) == content_hash(bundle)
    edited = IntakeBundle.model_validate(TENANT | {"name": "Acme Ltd"})
    assert content_hash(edited) != content_hash(bundle)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"offices": []}, "unknown office main"),
        ({"offices": [{"id": "main", "name": "M", "time_zone": "Mars/Base"}]}, "IANA name"),
        ({"connectors": [{"id": "crm", "kind": "fax"}]}, "known are"),
        ({"connectors": [{"id": "crm", "kind": "hubspot", "secret": "abc123"}]}, "secret"),
        ({"colour": "red"}, "colour"),
        ({"connectors": [{"id": "x", "kind": "http"}, {"id": "x", "kind": "http"}]}, "more than once"),
    ],
)
def test_a_tenant_file_that_cannot_work_says_what_is_wrong(change: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        IntakeBundle.model_validate(TENANT | change)


def test_json_with_lone_surrogates_or_nan_is_refused() -> None:
    for text in (b'"\\ud800"', b"NaN", b"[1,]", b""):
        with pytest.raises(ValueError):
            codec.loads(text)
