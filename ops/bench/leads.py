"""Analyzed documents for the rules daemon: what the example tenants' own fixtures say, with fresh identities.

Each tenant's fixtures are taken in turn, so every tenant's rules (spam, urgent, enrich, …) decide about their share.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ops.bench.records import RECEIVED_AT, Row
from schemas import codec, identity
from schemas.documents import Analyzed
from schemas.headers import document_headers

TENANTS = Path(__file__).resolve().parents[2] / "rules" / "tenants"


def fixtures(tenants: Path = TENANTS) -> list[tuple[str, dict[str, Any]]]:
    """Tenant and fixture, every tenant's in turn; those that hold an analysis."""
    found = []
    for folder in sorted(tenants.iterdir()):
        for path in sorted((folder / "fixtures").glob("*.json")):
            fixture = json.loads(path.read_text(encoding="utf-8"))
            if "analysis" in fixture:
                found.append((folder.name, fixture))
    return found


def analyzed_rows(count: int, series: str, samples: Sequence[tuple[str, dict[str, Any]]]) -> Iterator[Row]:
    """`count` documents for the topic `analyzed`; another `series` gives other identities."""
    for number in range(count):
        tenant, fixture = samples[number % len(samples)]
        yield _row(tenant, fixture, f"{series}-{number}")


def _row(tenant: str, fixture: dict[str, Any], thing: str) -> Row:
    source = str(fixture.get("source", "form"))
    request, event = identity.request_id(tenant, source, thing), identity.event_id(tenant, source, thing)
    document: dict[str, Any] = {
        "envelope": {
            "tenant_id": tenant,
            "office_id": fixture.get("office"),
            "endpoint_id": source,
            "source": source,
            "event_kind": fixture.get("kind", "form_submission"),
            "mode": fixture.get("mode", "form"),
            "event_id": event,
            "request_id": request,
            "contact_id": identity.contact_id(tenant, phone_e164=None, email=None, request=request),
            "revision": {"received_at": RECEIVED_AT, "event_id": event},
            "received_at": RECEIVED_AT,
        },
        "lead": fixture.get("lead", {}),
        "raw": {"content_type": "application/json", "sha256": "0" * 64, "size": 0},
        **{name: fixture[name] for name in ("transcript", "analysis") if name in fixture},
    }
    # What is measured must not end as a dead letter for a fault of the measurement.
    Analyzed.model_validate(document)
    headers = document_headers(
        tenant=tenant,
        request_id=request,
        event_id=event,
        schema=Analyzed.schema_name,
        version=Analyzed.schema_version,
    )
    return request.encode(), codec.dumps(document), headers
