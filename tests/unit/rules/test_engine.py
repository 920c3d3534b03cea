"""Which rule wins, and what becomes of a rule that cannot be evaluated."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml

from rules.engine import CompiledBundle, Match, Uncompilable, compile_bundle
from rules.facts import facts_of
from rules.operators import make_engine
from schemas.envelope import Phase
from schemas.lead import Mode
from schemas.rulefile import RulesBundle
from tests.unit.rules.documents import acme, analyzed, inbound


def rule(name: str, when: Any, **more: Any) -> dict[str, Any]:
    return {"id": name, "title": name, "why": name, "when": when, "then": [{"do": "tag", "tags": [name]}], **more}


def bundle(root: Path, *rules: dict[str, Any]) -> CompiledBundle:
    fallback = rule("rest", when=True, fallback=True)
    return acme(root, yaml.safe_dump({"rules": [*rules, fallback]}, sort_keys=False))


def winner(compiled: CompiledBundle, document: dict[str, Any]) -> Match:
    match = compiled.first_match(facts_of(document, compiled.intake), Phase.ANALYZED)
    assert match is not None
    return match


def test_the_first_rule_that_matches_wins(tmp_path: Path) -> None:
    compiled = bundle(
        tmp_path,
        rule("low", {">=": [{"var": "analysis.lead_score"}, 10]}, priority=1),
        rule("high", {">=": [{"var": "analysis.lead_score"}, 50]}, priority=2),
    )
    assert winner(compiled, analyzed(inbound(), lead_score=60)).rule.id == "high"
    assert winner(compiled, analyzed(inbound(), lead_score=20)).rule.id == "low"
    assert winner(compiled, analyzed(inbound(), lead_score=5)).rule.id == "rest"


@pytest.mark.parametrize("operator", ["<", "<=", ">", ">="])
def test_an_order_with_null_is_never_met(tmp_path: Path, operator: str) -> None:
    compiled = bundle(tmp_path, rule("scored", {operator: [{"var": "analysis.lead_score"}, 0]}))
    match = winner(compiled, analyzed(inbound()))
    assert match.rule.id == "rest"
    assert match.errors == {}


@pytest.mark.parametrize(
    ("condition", "met"),
    [
        ({"===": [{"var": "lead.email"}, None]}, True),
        ({"starts_with": [{"var": "lead.email"}, "a"]}, False),
        ({"in": ["a", {"var": "lead.message"}]}, False),
        ({"in_list": [{"var": "lead.postal_code"}, "zips"]}, False),
        ({"mentions": [{"var": "content.text"}, ["leak"]]}, False),
        ({"===": [{"var": "lead.extra.never_sent"}, None]}, True),
        ({"===": [{"val": ["lead", "extra", "deep", "name"]}, None]}, True),
    ],
)
def test_facts_that_are_not_known_disturb_no_rule(tmp_path: Path, condition: dict[str, Any], met: bool) -> None:
    match = winner(bundle(tmp_path, rule("it", condition)), analyzed(inbound()))
    assert (match.rule.id == "it") is met
    assert match.errors == {}


def test_a_rule_that_cannot_be_evaluated_does_not_match_and_is_noted(tmp_path: Path) -> None:
    compiled = bundle(
        tmp_path,
        rule("broken", {">": [{"var": "lead.name"}, 5]}),
        rule("next", {"===": [{"var": "lead.name"}, "Zoe"]}),
    )
    match = winner(compiled, analyzed(inbound(name="Zoe")))
    assert match.rule.id == "next"
    assert match.errors == {"broken": "Thrown in >"}


def test_a_rule_may_hold_the_lead_when_it_cannot_be_evaluated(tmp_path: Path) -> None:
    compiled = bundle(tmp_path, rule("broken", {">": [{"var": "lead.name"}, 5]}, on_error="hold"))
    match = winner(compiled, analyzed(inbound(name="Zoe")))
    assert match.rule.id == "broken"
    assert match.failed


def test_a_rule_that_runs_away_ends_at_its_budget(tmp_path: Path) -> None:
    long = {"some": [{"split": [{"var": "lead.message"}, ","]}, {"===": [{"var": ""}, "never"]}]}
    compiled = bundle(tmp_path, rule("long", long))
    match = winner(compiled, analyzed(inbound(message="a," * 30_000)))
    assert match.rule.id == "rest"
    assert match.errors["long"].startswith("BudgetExceeded")


def test_a_rule_is_for_its_kinds_and_dates_only(tmp_path: Path) -> None:
    compiled = bundle(
        tmp_path,
        rule("calls", True, kinds=["phone_call"]),
        rule("posts", True, kinds=["form_submission"], until="2026-03-01T00:00:00Z"),
        rule("later", True, **{"from": "2026-03-02T17:00:00+01:00"}),
    )
    assert winner(compiled, analyzed(inbound(mode=Mode.PHONE_CALL, kind="post_call"))).rule.id == "calls"
    assert winner(compiled, analyzed(inbound())).rule.id == "later"


def test_shadow_rules_decide_nothing(tmp_path: Path) -> None:
    assert winner(bundle(tmp_path, rule("ghost", True, mode="shadow")), analyzed(inbound())).rule.id == "rest"


@pytest.mark.parametrize(
    ("text", "met"),
    [
        ("My roof LEAKS badly", True),
        ("water  coming\nin", True),
        ("leakage", False),
        ("a cleak", False),
        ("", False),
        ("Straße", False),
    ],
)
def test_mentions_finds_whole_words_in_any_case(text: str, met: bool) -> None:
    engine = make_engine({})
    expression = {"mentions": [{"var": "t"}, ["leaks", "water coming in"]]}
    assert engine.compile(expression).evaluate({"t": text}) is met


def test_lists_are_exact_and_know_text_only() -> None:
    engine = make_engine({"zips": ("01067",)})
    condition = engine.compile({"in_list": [{"var": "z"}, "zips"]})
    assert [condition.evaluate({"z": zip_code}) for zip_code in ("01067", "1067", None)] == [True, False, False]
    with pytest.raises(Exception, match="not_text") as error:
        condition.evaluate({"z": 1067})
    assert "1067" not in str(error.value)


@pytest.mark.parametrize("value", [True, False, None, 0, 1, 0.0, -1, "", "0", "x", [], [0]])
def test_chain_and_single_rules_agree_on_what_counts_as_met(value: Any) -> None:
    engine = make_engine({})
    asked = engine.compile({"if": [{"var": "v"}, 1, 0]}).evaluate({"v": value})
    assert asked == (1 if value else 0)


def test_threads_may_share_a_compiled_bundle(tmp_path: Path) -> None:
    compiled = bundle(tmp_path, rule("high", {">=": [{"var": "analysis.lead_score"}, 50]}))
    documents = [analyzed(inbound(), lead_score=score) for score in (10, 90)] * 50
    with ThreadPoolExecutor(4) as threads:
        won = list(threads.map(lambda document: winner(compiled, document).rule.id, documents))
    assert won == ["rest", "high"] * 50


def test_rules_of_another_version_are_refused_by_name(tmp_path: Path) -> None:
    compiled = bundle(tmp_path)
    strange = {**rule("new", {"telepathy": [1]})}
    stored = RulesBundle.model_validate({"tenant": "acme", "rules": [strange]})
    with pytest.raises(Uncompilable, match=r"rule new: .*telepathy"):
        compile_bundle(compiled.intake, stored)


def test_a_phase_without_rules_decides_nothing(tmp_path: Path) -> None:
    compiled = bundle(tmp_path)
    assert compiled.decides(Phase.ANALYZED)
    assert not compiled.decides(Phase.RECEIVED)
    assert compiled.first_match(facts_of(inbound(), compiled.intake), Phase.RECEIVED) is None
