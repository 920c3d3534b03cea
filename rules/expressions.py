"""Walking a JSONLogic expression: which facts it reads, where, and which operators it uses.

Items of `some`, `filter` and their like have a scope of their own: paths inside are relative to the item and are not
facts. Paths must be written out; a computed one is reported as `None`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rules.parsed import Path

ITERATORS = frozenset(("some", "all", "none", "filter", "map", "reduce", "sort", "group_by"))
READERS = frozenset(("var", "val", "exists", "missing", "missing_some"))


@dataclass(frozen=True, slots=True)
class Use:
    """One operator call: its name, its arguments as a list, where it stands, and whether it is inside an item."""

    operator: str
    arguments: tuple[Any, ...]
    at: Path
    in_item: bool


def uses(expression: Any, at: Path = (), *, in_item: bool = False) -> Iterator[Use]:
    """Every operator call, outermost first."""
    if isinstance(expression, list):
        for number, part in enumerate(expression):
            yield from uses(part, (*at, number), in_item=in_item)
    elif isinstance(expression, dict):
        for operator, written in expression.items():
            arguments = tuple(written) if isinstance(written, list) else (written,)
            yield Use(operator, arguments, (*at, operator), in_item)
            for number, argument in enumerate(arguments):
                deeper = (*at, operator, number) if isinstance(written, list) else (*at, operator)
                inside = in_item or (operator in ITERATORS and number > 0)
                yield from uses(argument, deeper, in_item=inside)


def path_of(use: Use) -> str | None:
    """The fact that a `var` or `val` reads, dotted; None when it is computed, or lies in an item's scope."""
    if use.operator not in ("var", "val") or use.in_item or not use.arguments:
        return None
    if use.operator == "var":
        return use.arguments[0] if isinstance(use.arguments[0], str) else None
    if not all(isinstance(part, str) for part in use.arguments):
        return None
    return ".".join(use.arguments)


def reads(expression: Any) -> set[str]:
    """All facts that an expression reads."""
    return {path for use in uses(expression) if (path := path_of(use))}
