"""Conditions and decisions in words, for people who have never seen JSONLogic.

A rendering, not a grammar: what has no words of its own is shown as it is written. Values of a lead never appear,
only what the rule asks for.
"""

from collections.abc import Mapping
from typing import Any

from schemas import codec
from schemas.decision import Action, Decision, Operation, PlannedStep
from schemas.rulefile import Rule

_COMPARED = {
    "==": "is", "===": "is", "!=": "is not", "!==": "is not", ">": "is more than", ">=": "is at least",
    "<": "is less than", "<=": "is at most",
}  # fmt: skip
_SILENT_ROOTS = ("lead", "analysis", "content")
_LONGEST = 300


def clauses_of(rule: Rule) -> list[str]:
    """The top-level conditions of a rule, each in words."""
    when = rule.when
    parts = [f"the event is of kind {_either(rule.kinds)}"] if rule.kinds else []
    if rule.fallback:
        return [*parts, "no other rule matched"]
    if isinstance(when, bool):
        return [*parts, "always" if when else "never"]
    top = when["and"] if set(when) == {"and"} and isinstance(when["and"], list) else [when]
    return [_cut(part) for part in [*parts, *map(words, top)]]


def words(expression: Any) -> str:
    """A condition in words."""
    if not isinstance(expression, Mapping) or len(expression) != 1:
        return _value(expression)
    operator, written = next(iter(expression.items()))
    arguments = written if isinstance(written, list) else [written]
    if operator == "var" and arguments and isinstance(arguments[0], str):
        return _name(arguments[0])
    if operator == "val" and arguments and all(isinstance(a, str) for a in arguments):
        return _name(".".join(arguments))
    if operator in ("and", "or"):
        return f" {operator} ".join(_grouped(a, operator) for a in arguments)
    if operator in _COMPARED and len(arguments) == 2:
        return _comparison(operator, words(arguments[0]), arguments[1])
    if operator in ("<", "<=") and len(arguments) == 3:
        return f"{words(arguments[1])} is between {words(arguments[0])} and {words(arguments[2])}"
    if operator == "!" and len(arguments) == 1:
        return _negated(arguments[0])
    if operator == "!!" and len(arguments) == 1:
        return f"{words(arguments[0])} is given"
    if operator == "in" and len(arguments) == 2:
        if isinstance(arguments[1], list):
            return f"{words(arguments[0])} is {_either(arguments[1])}"
        return f"{words(arguments[1])} contains {words(arguments[0])}"
    if operator == "in_list" and len(arguments) == 2:
        return f"{words(arguments[0])} is in the list {words(arguments[1])}"
    if operator == "mentions" and len(arguments) == 2 and isinstance(arguments[1], list):
        return f"{words(arguments[0])} mentions {_either(arguments[1])}"
    if operator in ("starts_with", "ends_with") and len(arguments) == 2:
        return f"{words(arguments[0])} {operator.replace('_', ' ').replace('starts', 'begins')} {words(arguments[1])}"
    return _cut(codec.dumps(expression).decode())


def explain(decision: Decision) -> str:
    """A decision in words: what was done, which rule, why, what was met, and what comes next."""
    done = {Action.DELIVER: "delivered", Action.FILTER: "filtered", Action.HOLD: "held for a person"}
    lines = [
        f"The event was {done.get(decision.action, decision.action.value)}"
        + (f": {decision.reason}" if decision.reason else "."),
        f"Rule: {decision.rule_title} ({decision.rule_id}), for events {decision.phase.value}.",
        f"Why: {decision.why}",
    ]
    lines += [f"  {'met' if clause.met else 'not met'}: {clause.text}" for clause in decision.clauses]
    lines += [f"Step {n}: {_step(step)}" for n, step in enumerate(decision.steps, start=1)]
    lines += [f"Assigned: {ticket.member} (pool {ticket.pool}, number {ticket.number})" for ticket in decision.tickets]
    if decision.tags:
        lines.append(f"Tags: {', '.join(decision.tags)}")
    lines += [f"Note: {note}" for note in decision.notes]
    lines.append(f"Rules {decision.rules_version[:12]}, engine {decision.engine}.")
    return "\n".join(lines)


def _step(step: PlannedStep) -> str:
    if step.operation is Operation.SEND and step.mail:
        return f"mail “{step.mail.subject}” through {step.connector_id}"
    what = ", ".join(f"{r.object} ({len(r.fields)} fields)" for r in step.records)
    verb = "create or enrich" if step.operation is Operation.CREATE_LEAD else "update"
    return f"{verb} {what} in {step.connector_id}"


def _comparison(operator: str, left: str, right: Any) -> str:
    if right is None and operator in ("==", "==="):
        return f"{left} is not known"
    if right is None and operator in ("!=", "!=="):
        return f"{left} is known"
    if isinstance(right, bool) and operator in ("==", "===", "!=", "!=="):
        return f"{left}: {'yes' if right is (operator in ('==', '===')) else 'no'}"
    return f"{left} {_COMPARED[operator]} {words(right)}"


def _negated(expression: Any) -> str:
    if isinstance(expression, Mapping) and next(iter(expression), None) in ("var", "val"):
        return f"{words(expression)} is not given"
    return f"not ({words(expression)})"


def _grouped(expression: Any, around: str) -> str:
    inner = next(iter(expression), None) if isinstance(expression, Mapping) else None
    text = words(expression)
    return f"({text})" if inner in ("and", "or") and inner != around else text


def _name(path: str) -> str:
    root, _, rest = path.partition(".")
    shown = rest if root in _SILENT_ROOTS and rest else path
    return shown.replace("values.", "").replace("custom.", "").replace("_", " ").replace(".", " ")


def _either(values: Any) -> str:
    shown = [words(value) for value in values]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} or {shown[-1]}" if shown else "nothing"


def _value(value: Any) -> str:
    return value if isinstance(value, str) else codec.dumps(value).decode()


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
