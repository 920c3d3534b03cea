"""What is wrong with the condition of a rule: what the engine sees, and what it lets through.

The engine finds unknown operators and wrong counts of arguments. It does not know the facts, so paths are compared
with the catalogue here; nor our operators' arguments; nor that a clock would make a replay answer otherwise.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from datalogic_py import DataLogicError

from rules.catalogue import FactPath, did_you_mean, known
from rules.expressions import Use, path_of, uses
from rules.findings import Finding, Place, finding
from rules.operators import ARITY, make_engine
from rules.parsed import Path
from schemas import codec
from schemas.envelope import Phase
from schemas.rulefile import Rule

At = Callable[..., Place]


def condition_findings(
    rule: Rule, number: int, at: At, facts: dict[str, FactPath], lists: Mapping[str, tuple[str, ...]]
) -> Iterator[Finding]:
    """Findings for the condition of the rule at place `number` of the bundle."""
    where: Path = ("rules", number, "when")
    yield from _engine(rule.when, where, at)
    for use in uses(rule.when):
        place = at(*where, *use.at, key=True)
        if use.operator in ("var", "val"):
            yield from _path(use, rule, place, facts)
        elif use.operator == "now":
            yield finding(
                place,
                "clock",
                "`now` would give another answer when the event is replayed.",
                "Use `event.time` or the facts under `clock`.",
            )
        elif use.operator in ("missing", "missing_some", "exists"):
            yield finding(
                place,
                "null-fact",
                f"`{use.operator}` cannot tell: every fact is there, null when it is not known.",
                'Compare with null: {"===": [{"var": "lead.email"}, null]}.',
            )
        elif use.operator in ARITY:
            yield from _own_operator(use, place, lists)


def _engine(when: Any, where: Path, at: At) -> Iterator[Finding]:
    try:
        # As text, because the engine then sees the expression as the file has it.
        diagnostics = make_engine({}).check(codec.dumps(when).decode())
    except DataLogicError as error:
        yield finding(at(*where), "engine", f"The condition cannot be read ({error.error_type}).", "Simplify it.")
        return
    for diagnostic in diagnostics:
        path = tuple(_step(part) for part in diagnostic["pointer"].split("/")[1:])
        code = "engine-" + re.sub(r"(?<!^)(?=[A-Z])", "-", diagnostic["code"]).lower()
        operator = diagnostic["operator"]
        place = at(*where, *path, *((operator,) if operator else ()), key=True)
        text = diagnostic["message"]
        fix = "See the list of operators." if "did you mean" not in text else "Correct its name."
        yield finding(place, code, f"{text[:1].upper()}{text[1:].rstrip('.?')}.", fix)


def _path(use: Use, rule: Rule, place: Place, facts: dict[str, FactPath]) -> Iterator[Finding]:
    if use.in_item:
        return
    path = path_of(use)
    if path is None:
        yield finding(
            place,
            "computed-path",
            "The path is computed.",
            'Write it out: {"var": "lead.email"}; facts have fixed names.',
        )
        return
    fact = known(path, facts)
    if fact is None:
        yield finding(place, "unknown-fact", f"There is no fact {path!r}.", did_you_mean(path, facts))
    elif fact.phase is Phase.ANALYZED and rule.phase is Phase.RECEIVED:
        yield finding(
            place,
            "not-yet-known",
            f"{path!r} is always null in phase received: nothing is analyzed yet.",
            "Give the rule `phase: analyzed`, or use another fact.",
        )


def _own_operator(use: Use, place: Place, lists: Mapping[str, tuple[str, ...]]) -> Iterator[Finding]:
    if len(use.arguments) != ARITY[use.operator]:
        yield finding(
            place,
            "argument-count",
            f"`{use.operator}` takes {ARITY[use.operator]} arguments, not {len(use.arguments)}.",
            "Give it a list of that many.",
        )
        return
    second = use.arguments[1]
    if use.operator == "in_list" and not (isinstance(second, str) and second in lists):
        near = get_close_matches(str(second), lists, n=1) if isinstance(second, str) else []
        yield finding(
            place,
            "unknown-list",
            f"There is no list {second!r}." if isinstance(second, str) else "The name of the list has to be text.",
            f"Did you mean {near[0]!r}?" if near else f"Add lists/{second}.csv, or correct the name.",
        )
    if use.operator == "mentions" and not (
        isinstance(second, list) and second and all(isinstance(word, str) and word.strip() for word in second)
    ):
        yield finding(place, "no-words", "`mentions` needs a list of words.", 'Write ["leak", "flooded basement"].')


def _step(part: str) -> str | int:
    return int(part) if part.isdigit() else part.replace("~1", "/").replace("~0", "~")
