"""Small documents for the tests of the rules, and folders to load."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rules.decide import Proposal, decide
from rules.engine import CompiledBundle, compile_bundle
from rules.facts import facts_of
from rules.loader import load_folder
from schemas import identity
from schemas.documents import Analysis, AnalysisState, Inbound, RawBody, Transcript, TranscriptState, grow
from schemas.envelope import Envelope, Phase, Revision
from schemas.lead import Lead, Mode

TENANTS = Path(__file__).parents[3] / "rules" / "tenants"
# A Monday, 09:14 in Denver, 10:14 in Chicago.
RECEIVED_AT = datetime(2026, 3, 2, 16, 14, 22, tzinfo=UTC)

FOLDER: Mapping[str, str] = {
    "tenant.yaml": """\
tenant: acme
name: Acme
endpoints:
  - id: form
    source: form
    key_sha256: 0000000000000000000000000000000000000000000000000000000000000000
    office: main
connectors:
  - id: hubspot
    kind: hubspot
  - id: mailbox
    kind: email
""",
    "offices.yaml": """\
offices:
  - id: main
    name: Main
    time_zone: America/Chicago
    mailbox: main@acme.example.test
""",
    "crm/hubspot.yaml": """\
connector: hubspot
mappings:
  lead:
    contact:
      identity: contact
      fields:
        email: {path: lead.email}
""",
    "pools/team.yaml": """\
pool: team
members:
  - {id: ana, weight: 2}
  - {id: ben}
""",
    "lists/zips.csv": "value\n60601\n01067\n",
    "rules/acme.rules.yaml": """\
rules:
  - id: near
    title: Near
    why: The address is near.
    phase: received
    when: {in_list: [{var: lead.postal_code}, zips]}
    then:
      - {do: create_lead, connector: hubspot, mapping: lead}
  - id: rest
    title: Rest
    why: Everything else.
    phase: received
    fallback: true
    when: true
    then:
      - {do: hold, reason: far away}
""",
}


def write_folder(root: Path, **changes: str | None) -> Path:
    """A small tenant folder; `changes` replace files, or remove them with None. Slashes are written as `__`."""
    files: dict[str, str | None] = {**FOLDER, **{name.replace("__", "/"): text for name, text in changes.items()}}
    return write_files(root, files)


def write_files(root: Path, files: Mapping[str, str | None]) -> Path:
    """Files by their relative path."""
    for name, text in files.items():
        if text is not None:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text, encoding="utf-8")
    return root


def acme(root: Path, rules: str) -> CompiledBundle:
    """The small tenant, compiled with these rules."""
    return compiled(write_files(root, {**FOLDER, "rules/acme.rules.yaml": rules}))


def compiled(root: Path) -> CompiledBundle:
    """A folder, loaded and compiled."""
    folder = load_folder(root)
    return compile_bundle(folder.intake, folder.rules)


def inbound(
    tenant: str = "acme",
    *,
    office: str | None = "main",
    mode: Mode = Mode.FORM,
    kind: str = "form_submission",
    source: str = "form",
    thing: str = "1",
    event: str = "1",
    received_at: datetime = RECEIVED_AT,
    occurred_at: datetime | None = None,
    **lead: Any,
) -> dict[str, Any]:
    """An `Inbound` record as JSON."""
    event_id = identity.event_id(tenant, source, event)
    request = identity.request_id(tenant, source, thing)
    contact = identity.contact_id(tenant, phone_e164=lead.get("phone"), email=lead.get("email"), request=request)
    document = Inbound(
        envelope=Envelope(
            tenant_id=tenant,
            office_id=office,
            endpoint_id="form",
            source=source,
            event_kind=kind,
            mode=mode,
            event_id=event_id,
            request_id=request,
            contact_id=contact,
            revision=Revision(received_at=received_at, event_id=event_id),
            received_at=received_at,
            occurred_at=occurred_at,
        ),
        lead=Lead.model_validate(lead),
        raw=RawBody(content_type="application/json", sha256="0" * 64, size=2, encoding="utf-8", body="{}"),
    )
    return document.model_dump(mode="json")


def analyzed(document: dict[str, Any], *, words: str | None = None, **analysis: Any) -> dict[str, Any]:
    """The record as `analyzed` has it; `words` is what was said in a call."""
    sections: dict[str, Any] = {"analysis": Analysis(state=AnalysisState.DONE, **analysis)}
    if words is not None:
        sections["transcript"] = Transcript(state=TranscriptState.DONE, text=words, language="en-US")
    return grow(document, **sections)


def propose(bundle: CompiledBundle, document: dict[str, Any], phase: Phase, generation: int = 0) -> Proposal:
    """Facts and decision in one go."""
    return decide(bundle, facts_of(document, bundle.intake), document, phase, generation)


def call(tenant: str, office: str | None, **lead: Any) -> dict[str, Any]:
    """A finished phone call."""
    details = {"call_id": "CAL1", "duration_seconds": 41, "recording_url": "https://api.callrail.com/v3/a/1/r.json"}
    person = {"name": "Zoe Marchand", "phone": "+13125550142", "call": details}
    return inbound(tenant, office=office, mode=Mode.PHONE_CALL, kind="post_call", source="callrail", **person | lead)
