"""A tenant's own tests: what a rule set must decide about known leads, in files beside the rules.

    fixtures/leak-call.json     a lead in short: mode, kind, source, office, lead, transcript, analysis, received_at
    tests/leads_test.yaml       tests: [{name, fixture, phase, expect: {rule, action, tags, connectors}}]

A fixture is made into the document that the daemons would see, with identities of its own; what an expectation does
not name is not compared. The clock is the fixture's `received_at`. Reads files like `loader`; a broken test file or
fixture is a failed result, never an exception.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path as FilePath
from typing import Annotated, Any

from pydantic import Field, StringConstraints, ValidationError

from rules.decide import decide
from rules.engine import CompiledBundle
from rules.facts import facts_of
from rules.findings import Finding
from rules.parsed import Unreadable
from rules.schema_findings import validated
from rules.strict_yaml import read
from schemas import codec, identity
from schemas.base import FileModel, Json, Slug
from schemas.decision import Action, Decision
from schemas.envelope import Envelope, Phase, Revision
from schemas.lead import Mode

FixtureName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]


class Fixture(FileModel):
    """A lead in short; sections as the documents have them."""

    mode: Mode
    kind: str
    source: str
    office: Slug | None = None
    received_at: datetime = datetime(2026, 3, 2, 16, 0, tzinfo=UTC)
    lead: dict[str, Json] = Field(default_factory=dict)
    transcript: dict[str, Json] | None = None
    analysis: dict[str, Json] | None = None


class Expectation(FileModel):
    """What the decision must be; what is left out may be anything."""

    rule: Slug | None = None
    action: Action | None = None
    tags: tuple[Slug, ...] | None = None
    connectors: tuple[Slug, ...] | None = None
    """Of the steps, in order."""


class TenantTest(FileModel):
    """One test."""

    name: str
    fixture: FixtureName
    phase: Phase = Phase.ANALYZED
    expect: Expectation


class TenantTestFile(FileModel):
    """`tests/*_test.yaml`."""

    tests: tuple[TenantTest, ...]


@dataclass(frozen=True, slots=True)
class TestResult:
    """One test; `problems` says in words what is not as expected."""

    __test__ = False

    file: str
    name: str
    problems: tuple[str, ...]


def run_tests(root: FilePath, bundle: CompiledBundle) -> list[TestResult]:
    """The results of all tests of a folder, in the order of the files."""
    return [result for file in sorted((root / "tests").glob("*_test.yaml")) for result in _file(root, file, bundle)]


def document_of(fixture: Fixture, tenant: str) -> dict[str, Any]:
    """The document that the fixture stands for."""
    thing = codec.digest(fixture.model_dump(mode="json"))
    event = identity.event_id(tenant, fixture.source, thing)
    request = identity.request_id(tenant, fixture.source, thing)
    contact = identity.contact_id(
        tenant, phone_e164=fixture.lead.get("phone"), email=fixture.lead.get("email"), request=request
    )
    envelope = Envelope(
        tenant_id=tenant,
        office_id=fixture.office,
        endpoint_id=fixture.source,
        source=fixture.source,
        event_kind=fixture.kind,
        mode=fixture.mode,
        event_id=event,
        request_id=request,
        contact_id=contact,
        revision=Revision(received_at=fixture.received_at, event_id=event),
        received_at=fixture.received_at,
        test=True,
    )
    sections = {"lead": fixture.lead, "transcript": fixture.transcript, "analysis": fixture.analysis}
    return {"envelope": envelope.model_dump(mode="json"), **{k: v for k, v in sections.items() if v is not None}}


def _file(root: FilePath, file: FilePath, bundle: CompiledBundle) -> Iterator[TestResult]:
    name = file.relative_to(root).as_posix()
    findings: list[Finding] = []
    try:
        parsed = read(file.read_bytes(), name)
    except Unreadable as unreadable:
        yield TestResult(name, "(the file)", (str(unreadable.finding),))
        return
    checked = validated(TenantTestFile, parsed, parsed.value, (), findings)
    if checked is None:
        yield TestResult(name, "(the file)", tuple(map(str, findings)))
        return
    for test in checked.tests:
        yield TestResult(name, test.name, tuple(_problems(root, test, bundle)))


def _problems(root: FilePath, test: TenantTest, bundle: CompiledBundle) -> Iterator[str]:
    findings: list[Finding] = []
    source = root / "fixtures" / f"{test.fixture}.json"
    if not source.is_file():
        yield f"There is no fixture fixtures/{test.fixture}.json."
        return
    try:
        parsed = read(source.read_bytes(), f"fixtures/{test.fixture}.json")
        fixture = validated(Fixture, parsed, parsed.value, (), findings)
        if fixture is None:
            yield from map(str, findings)
            return
        document = document_of(fixture, bundle.intake.tenant)
        decision = decide(bundle, facts_of(document, bundle.intake), document, test.phase).decision
    except Unreadable as unreadable:
        yield str(unreadable.finding)
        return
    except ValidationError as error:
        yield f"fixtures/{test.fixture}.json: {error.error_count()} fields do not fit a lead."
        return
    yield from _differences(test.expect, decision)


def _differences(expected: Expectation, decision: Decision) -> Iterator[str]:
    got: dict[str, Any] = {
        "rule": decision.rule_id,
        "action": decision.action.value,
        "tags": list(decision.tags),
        "connectors": [step.connector_id for step in decision.steps],
    }
    for name, wanted in expected.model_dump(mode="json", exclude_none=True).items():
        if got[name] != wanted:
            yield f"{name}: expected {json.dumps(wanted)}, got {json.dumps(got[name])}"
