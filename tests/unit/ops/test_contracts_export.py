"""The contracts as files: schemas that fit what is really written, and a document that names every topic."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from typer.testing import CliRunner

from connectors.store.seam import Parked, RequestRow
from consumers.specs import offline_specs
from gateway import problems
from ops.api import app as api
from ops.api.answers import detail, summary
from ops.cli.app import app as leadbus
from ops.contracts import document_name, export_contracts
from ops.parked import audited
from rules.loader import load_folder
from schemas import codec, topics
from schemas.api import LeadPage
from schemas.bundle import as_json
from schemas.headers import Release
from tests.unit.schemas.recorded.reading import recorded_events

TENANTS = Path(__file__).parents[3] / "rules" / "tenants"
FAILURES = {*topics.RETRY_TIERS, topics.DEAD_LETTERS}


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("contracts") / "new" / "folder"
    return {path.name: json.loads(path.read_text(encoding="utf-8")) for path in export_contracts(folder)}


def validator(exported: dict[str, Any], name: str) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(exported[f"{name}.schema.json"])


def faults(exported: dict[str, Any], name: str, value: Any) -> list[str]:
    return [f"{error.json_path}: {error.message}" for error in validator(exported, name).iter_errors(value)]


def test_every_schema_is_json_schema_2020_12_and_named_by_its_file(exported: dict[str, Any]) -> None:
    names = [name.removesuffix(".schema.json") for name in exported if name != "asyncapi.json"]
    assert len(names) >= 19
    for name in names:
        schema = exported[f"{name}.schema.json"]
        assert schema["$schema"] == jsonschema.Draft202012Validator.META_SCHEMA["$id"]
        assert schema["$id"] == f"leadbus:{name}"
        jsonschema.Draft202012Validator.check_schema(schema)


def test_recorded_events_fit_the_exported_schemas(exported: dict[str, Any]) -> None:
    for event in recorded_events():
        assert faults(exported, document_name(event.kind), event.value) == [], event.name


def test_an_event_of_the_future_fits_and_one_without_identity_does_not(exported: dict[str, Any]) -> None:
    event = next(event for event in recorded_events() if event.name == "inbound-form")
    future = json.loads(json.dumps(event.value))
    future["lead"]["pronouns"] = "they"
    future["envelope"]["mode"] = "fax"
    assert faults(exported, "inbound-1", future) == []
    del future["envelope"]["event_id"]
    assert faults(exported, "inbound-1", future) == ["$.envelope: 'event_id' is a required property"]


def test_the_example_tenants_files_fit_and_a_typo_does_not(exported: dict[str, Any]) -> None:
    files = {
        "tenant.yaml": "tenant-file",
        "rules/*.yaml": "rule-file",
        "crm/*.yaml": "crm-file",
        "pools/*.yaml": "pool-file",
    }
    checked = []
    for pattern, name in files.items():
        for path in TENANTS.glob(f"*/{pattern}"):
            value = yaml.safe_load(path.read_text(encoding="utf-8"))
            assert faults(exported, name, value) == [], path
            assert faults(exported, name, {**value, "colour": "red"}), path
            checked.append(name)
    assert set(checked) == set(files.values())
    for office in yaml.safe_load((TENANTS / "summit-roofing" / "offices.yaml").read_text())["offices"]:
        assert faults(exported, "offices-office", office) == []


def test_a_file_may_not_say_what_only_a_reader_of_the_future_needs(exported: dict[str, Any]) -> None:
    assert "other" not in json.dumps(exported["tenant-file.schema.json"]["$defs"]["ConnectorKind"]["enum"])
    assert "other" in json.dumps(exported["decided-1.schema.json"]["$defs"]["ConnectorKind"]["anyOf"])


def test_bundles_as_they_are_stored_fit(exported: dict[str, Any]) -> None:
    for folder in sorted(path.parent for path in TENANTS.glob("*/tenant.yaml")):
        loaded = load_folder(folder)
        assert faults(exported, "bundle-intake", as_json(loaded.intake)) == []
        assert faults(exported, "bundle-rules", as_json(loaded.rules)) == []


def test_answers_of_api_and_gateway_fit(exported: dict[str, Any]) -> None:
    row = RequestRow(request_id="0" * 8 + "-0000-5000-8000-" + "0" * 12, communication_mode="form", caller_name="Zoe")
    page = LeadPage(leads=(summary(row, personal=False),))
    assert faults(exported, "api-lead-page", page.model_dump(mode="json")) == []
    assert faults(exported, "api-lead-detail", detail(row, [], [], personal=True).model_dump(mode="json")) == []
    assert (
        faults(exported, "api-problem", codec.loads(bytes(api.problem(404, "No such lead", "Look again.").body))) == []
    )
    refused = problems.problem(401, "bad_signature", "The signature does not fit.")
    assert faults(exported, "api-problem", codec.loads(refused.body)) == []
    assert faults(exported, "api-accepted", codec.loads(problems.accepted([row.request_id]).body)) == []


def operations(document: dict[str, Any], daemon: str, action: str) -> dict[str, str]:
    """Topic to the name of its document."""
    found = {}
    for operation in document["operations"].values():
        name = operation["channel"]["$ref"].removeprefix("#/channels/")
        if operation["action"] == action and name.startswith(f"{daemon}:"):
            channel = document["channels"][name]
            [message] = [
                document["components"]["messages"][m["$ref"].rsplit("/", 1)[1]] for m in channel["messages"].values()
            ]
            found[channel["address"]] = message["payload"]["$ref"].rsplit("/", 1)[1]
    return found


def test_every_topic_that_a_daemon_reads_and_publishes_is_named_with_its_document(exported: dict[str, Any]) -> None:
    document = exported["asyncapi.json"]
    assert document["asyncapi"].startswith("3.")
    for spec in offline_specs():
        reads = {topic: kind.__name__ for topic, kind in spec.topics.items()}
        beyond = {topics.overflow(topic): name for topic, name in reads.items() if topics.has_overflow(topic)}
        assert operations(document, spec.name, "receive") == reads | beyond
        sends = {topic: kind.__name__ for topic, kind in spec.publishes.items()}
        assert operations(document, spec.name, "send") == sends | dict.fromkeys(FAILURES, "Document")


def test_the_retry_daemon_is_described_too(exported: dict[str, Any]) -> None:
    assert operations(exported["asyncapi.json"], "retry", "receive").keys() == topics.RETRY_TIERS.keys()
    assert operations(exported["asyncapi.json"], "retry", "send").keys() == {topics.DEAD_LETTERS}


def test_what_operators_do_is_described_as_it_is_told(exported: dict[str, Any]) -> None:
    assert operations(exported["asyncapi.json"], "operators", "send") == {topics.AUDIT: "AuditEntry"}
    told = Parked("p", "routing", "no_rule", "", "e", "r", "analyzed", b"{}")
    departure = audited("acme", [told], Release.AGAIN, "ana", datetime(2026, 3, 1, tzinfo=UTC))
    name, _, version = dict(departure.headers)["schema"].decode().partition("/")  # type: ignore[union-attr]
    contract, entry = f"{name}-{version.split('.')[0]}", codec.loads(departure.value or b"")
    assert (departure.topic, faults(exported, contract, entry)) == (topics.AUDIT, [])
    payload = exported["asyncapi.json"]["components"]["schemas"]["AuditEntry"]
    assert list(jsonschema.Draft202012Validator(payload).iter_errors(entry)) == []
    assert faults(exported, contract, {**entry, "by": None}) == ["$.by: None is not of type 'string'"]


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for item in value.values():
            yield from references(item)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)


def test_every_reference_leads_somewhere(exported: dict[str, Any]) -> None:
    for name, value in exported.items():
        for reference in references(value):
            found = value
            for part in reference.removeprefix("#/").split("/"):
                assert part in found, f"{name}: {reference}"
                found = found[part]


def test_the_command_says_what_it_wrote(tmp_path: Path) -> None:
    result = CliRunner().invoke(leadbus, ["schemas", "export", str(tmp_path / "out"), "--json"])
    assert result.exit_code == 0
    assert set(json.loads(result.stdout)["written"]) == {str(path) for path in (tmp_path / "out").iterdir()}
