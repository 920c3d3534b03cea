"""Tests that tenants write beside their rules."""

from pathlib import Path

import pytest

from rules.tenant_tests import run_tests
from tests.unit.rules.documents import FOLDER, TENANTS, compiled, write_files

FIXTURE = '{"mode": "form", "kind": "form_submission", "source": "form", "lead": {"postal_code": "01067"}}'


def results(root: Path, test: str, fixture: str = FIXTURE) -> list[tuple[str, ...]]:
    files = {**FOLDER, "fixtures/near.json": fixture, "tests/a_test.yaml": test}
    return [result.problems for result in run_tests(root, compiled(write_files(root, files)))]


@pytest.mark.parametrize("tenant", ["bright-dental", "northwind-agency", "summit-roofing"])
def test_the_example_tenants_pass_their_own_tests(tenant: str) -> None:
    told = run_tests(TENANTS / tenant, compiled(TENANTS / tenant))
    assert len(told) >= 3
    assert {result.name: result.problems for result in told if result.problems} == {}


def test_what_is_not_as_expected_is_told_in_words(tmp_path: Path) -> None:
    test = "tests: [{name: n, fixture: near, phase: received, expect: {rule: rest, action: hold, tags: []}}]"
    assert results(tmp_path, test) == [
        ('rule: expected "rest", got "near"', 'action: expected "hold", got "deliver"'),
    ]


def test_a_passing_test_has_no_problems(tmp_path: Path) -> None:
    test = "tests: [{name: n, fixture: near, phase: received, expect: {rule: near, connectors: [hubspot]}}]"
    assert results(tmp_path, test) == [()]


@pytest.mark.parametrize(
    ("test", "fixture", "words"),
    [
        ("tests: [{name: n, fixture: far, phase: received, expect: {}}]", FIXTURE, "no fixture fixtures/far.json"),
        ("tests: [{name: n, fixture: near, phase: received, expect: {}}]", "{", "fixtures/near.json:1:2"),
        ("tests: [{name: n, fixture: near, phase: received, expect: {rul: x}}]", FIXTURE, "tests/a_test.yaml:1:60"),
        ("tests: [", FIXTURE, "tests/a_test.yaml:2:1"),
        (
            "tests: [{name: n, fixture: near, phase: received, expect: {}}]",
            FIXTURE.replace('"01067"', "1067"),
            "1 fields do not fit a lead",
        ),
    ],
)
def test_a_broken_test_or_fixture_is_a_failed_result(tmp_path: Path, test: str, fixture: str, words: str) -> None:
    ((problem,),) = results(tmp_path, test, fixture)
    assert words in problem
