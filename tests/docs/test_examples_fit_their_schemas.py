"""Files and answers that the pages show are read by the models that read the real ones."""

import csv
import html.parser
import io
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import TypeAdapter

from connectors.secrets.resolver import read_mapping
from gateway.signatures import Signed, Verdict, verifier_for
from gateway.sources.seam import Source
from ops.api.tokens import Token
from rules.findings import Finding
from rules.loader import OfficesFile
from rules.strict_yaml import read
from rules.tables import read_offices
from rules.tenant_tests import Fixture, TenantTestFile
from schemas import codec
from schemas.api import Accepted, LeadDetail, Problem
from schemas.rulefile import CrmFile, PoolFile, RuleFile
from schemas.tenant import IntakeBundle, TenantFile
from tests.docs.examples import Example, examples, pages

YAML: dict[str, Any] = {
    "tenant.yaml": TenantFile,
    "offices.yaml": OfficesFile,
    "rules.yaml": RuleFile,
    "crm.yaml": CrmFile,
    "pools.yaml": PoolFile,
    "tests.yaml": TenantTestFile,
}
JSON: dict[str, Any] = {
    "Accepted": Accepted,
    "Problem": Problem,
    "LeadDetail": LeadDetail,
    "fixture": Fixture,
    "tokens.json": tuple[Token, ...],
    "secrets.json": dict[str, str],
}
MARKERS: dict[str, Callable[[str], bool]] = {
    "console": lambda m: m in ("run", "slow", "up", "house") or (m.startswith("not-run (") and m.endswith(")")),
    "python": lambda m: m in ("run", "house") or m.startswith("file "),
    "diff": lambda m: m == "apply",
    "yaml": lambda m: m in YAML,
    "json": lambda m: m in JSON,
    "csv": lambda m: m == "offices.csv",
    "text": lambda m: m in ("", "output", "demo"),
    "html": lambda m: m == "",
}
ALL = [example for page in pages() for example in examples(page)]


def shown(*languages: str) -> list[Any]:
    return [pytest.param(e, id=e.place) for e in ALL if e.language in languages]


def test_every_example_says_how_it_is_proven() -> None:
    wrong = [
        f"{e.place}: ```{e.language} {e.marker}".rstrip()
        for e in ALL
        if e.language not in MARKERS or not MARKERS[e.language](e.marker)
    ]
    assert wrong == [], "see tests/docs/examples.py for the markers"


def test_no_fence_is_indented_or_left_open() -> None:
    for page in pages():
        text = page.read_text(encoding="utf-8")
        fences = [line for line in text.splitlines() if line.lstrip().startswith("```")]
        assert all(line.startswith("```") for line in fences), f"{page.name}: a fence is indented, so nobody checks it"
        assert len(fences) == 2 * len(examples(page)), f"{page.name}: a fence is not closed"


@pytest.mark.parametrize("example", shown("yaml"))
def test_a_file_of_a_tenant_is_read(example: Example) -> None:
    value = read(example.text.encode(), example.place).value
    YAML[example.marker].model_validate(value)


@pytest.mark.parametrize("example", shown("json"))
def test_a_json_file_or_answer_is_read(example: Example) -> None:
    TypeAdapter(JSON[example.marker]).validate_json(example.text)


def test_the_tenant_file_and_the_offices_shown_beside_it_fit_together() -> None:
    by_name = {
        e.marker: codec.loads(codec.dumps(read(e.text.encode(), e.place).value)) for e in ALL if e.language == "yaml"
    }
    IntakeBundle.model_validate({**by_name["tenant.yaml"], **by_name["offices.yaml"]})


@pytest.mark.parametrize("example", shown("csv"))
def test_a_table_is_read_and_says_the_same_as_the_file(example: Example) -> None:
    findings: list[Finding] = []
    table = read_offices(example.text.encode(), "offices.csv", findings)
    assert findings == []
    [office] = OfficesFile.model_validate(table.value).offices
    assert office.values["manager"] == "Daniel"
    assert len(next(csv.reader(io.StringIO(example.text)))) == 6


def test_the_secrets_file_is_one_that_processes_take(tmp_path: Any) -> None:
    [example] = [e for e in ALL if e.marker == "secrets.json"]
    path = tmp_path / "secrets.json"
    path.write_text(example.text)
    assert {address.partition("://")[0] for address in read_mapping(path).values()} == {"gcp", "file", "env"}


def test_the_form_shown_uses_the_names_that_the_gateway_knows() -> None:
    from gateway.sources.form import HONEYPOT, NONCE

    names: set[str] = set()

    class Fields(html.parser.HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            names.update(value for key, value in attrs if key == "name" and value)

    [example] = [e for e in ALL if e.language == "html"]
    Fields().feed(example.text)
    assert {HONEYPOT, NONCE, "name", "email", "phone", "message", "consent_sms", "consent_sms_text"} == names


def test_the_source_shown_verifies_and_reads_its_own_sample() -> None:
    from gateway.sources.seam import Hook
    from schemas.tenant import Endpoint

    [example] = [e for e in ALL if e.marker.startswith("file gateway/sources/")]
    made: dict[str, Any] = {}
    exec(compile(example.text, example.place, "exec"), made)  # noqa: S102
    source = made["SOURCE"]
    assert isinstance(source, Source)
    assert source.signature is not None
    [sample] = source.samples
    verifier, now = verifier_for(source.signature), sample.received_at.timestamp()
    assert verifier.verify(Signed(sample.body, sample.headers), [sample.secret or ""], now).verdict is Verdict.GOOD
    endpoint = Endpoint(id="acme", source="acme", key_sha256="0" * 64)
    hook = Hook(sample.body, sample.content_type, sample.headers, "", None, endpoint, sample.received_at)
    [event] = source.normalize(hook)
    assert event.lead["name"] == "Zoe Marchand"
