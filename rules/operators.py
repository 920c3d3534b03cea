"""The operators that leadbus adds to the engine, and the engine's configuration.

    in_list [value, name]    the text stands in lists/<name>.csv; exact; null is in no list
    mentions [text, words]   one of the words or phrases stands in the text, as whole words, in any case; null: no

They are pure, see only their arguments, and fail with a fixed code: a message with the value would carry personal
data into logs. Bump `OPERATORS_VERSION` when one of them changes its answer: decisions name it.
"""

import re
from collections.abc import Callable, Collection, Mapping
from functools import lru_cache
from typing import Any, Final

from datalogic_py import Engine

from schemas import codec

OPERATORS_VERSION: Final = 1
ENGINE_NAME: Final = f"datalogic-py 5.9.0 / leadbus operators {OPERATORS_VERSION}"
OPS_BUDGET: Final = 20_000
"""Operations that one evaluation may take; a rule that runs away ends here."""

ARITY: Final[Mapping[str, int]] = {"in_list": 2, "mentions": 2}
"""Our operators and how many arguments they take; the engine does not check that."""

_CONFIG: Final[Mapping[str, Any]] = {
    "loose_equality_errors": False,
    "missing_var": "error",
    "ops_budget": OPS_BUDGET,
    "numeric_coercion": {
        "null_to_zero": False,
        "empty_string_to_zero": False,
        "bool_to_number": False,
        "reject_non_numeric": True,
    },
}
# Without ErrorHandling a rule cannot hide its own errors; without Tensor and Flagd typing errors stay unknown names.
_FAMILIES: Final = ("ExtString", "ExtArray", "ExtObject", "ExtControl", "DateTime")


class OperatorFault(Exception):
    """An operator was called with something it does not take; the message is a fixed code."""


def make_engine(lists: Mapping[str, Collection[str]]) -> Engine:
    """An engine with our operators over a tenant's lists. Threads may share it."""
    return Engine(
        custom_operators={"in_list": _in_list(lists), "mentions": _mentions},
        config=dict(_CONFIG),
        families=list(_FAMILIES),
        strict_operator_names=True,
    )


def _in_list(lists: Mapping[str, Collection[str]]) -> Callable[[str], str]:
    sets = {name: frozenset(values) for name, values in lists.items()}

    def in_list(arguments: str) -> str:
        value, name = _two(arguments)
        if not isinstance(name, str) or name not in sets:
            raise OperatorFault("unknown_list")
        if value is not None and not isinstance(value, str):
            raise OperatorFault("not_text")
        return "true" if value in sets[name] else "false"

    return in_list


def _mentions(arguments: str) -> str:
    text, words = _two(arguments)
    if not isinstance(words, list) or not words or not all(isinstance(w, str) and w.strip() for w in words):
        raise OperatorFault("not_words")
    if text is None:
        return "false"
    if not isinstance(text, str):
        raise OperatorFault("not_text")
    return "true" if _pattern(tuple(words)).search(" ".join(text.casefold().split())) else "false"


@lru_cache(maxsize=1024)
def _pattern(words: tuple[str, ...]) -> re.Pattern[str]:
    # An alternation of literals has no repetition to backtrack over.
    either = "|".join(re.escape(" ".join(word.casefold().split())) for word in words)
    return re.compile(rf"(?<!\w)(?:{either})(?!\w)")


def _two(arguments: str) -> tuple[Any, Any]:
    values = codec.loads(arguments)
    if not isinstance(values, list) or len(values) != 2:
        raise OperatorFault("two_arguments")
    return values[0], values[1]
