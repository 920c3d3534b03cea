"""Compiled rules: the first one whose condition is met.

The live rules of a phase are one `if` chain, which the engine walks several times faster than single rules. When the
chain breaks at a rule that cannot be evaluated (a number compared with a word, a budget spent), the rules are asked
one by one, so that the broken one counts as its `on_error` says and the others decide as if it were alone.

A `CompiledBundle` is immutable and may be used by any number of threads: it holds rules, never a `Session`, which is
bound to its thread. It cannot be pickled; the bundle's hashes name its source. `Uncompilable` means that the bundle
was made for another version, or was never checked.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from datalogic_py import CompileError, DataHandle, DataLogicError
from datalogic_py import Rule as EngineRule

from rules.catalogue import OPEN
from rules.expressions import reads
from rules.folder import Hashes
from rules.operators import make_engine
from schemas import bundle, codec
from schemas.envelope import Phase
from schemas.rulefile import Rule, RulesBundle
from schemas.tenant import IntakeBundle


class Uncompilable(Exception):
    """A condition is not understood by this engine; the message names rule and operator."""


@dataclass(frozen=True, slots=True)
class Match:
    """The rule that won, and the rules before it that could not be evaluated (rule id to a fixed code)."""

    rule: Rule
    errors: Mapping[str, str] = field(default_factory=dict)
    failed: bool = False
    """The rule itself could not be evaluated, and its `on_error` is `hold`."""


@dataclass(frozen=True, slots=True)
class _Phase:
    rules: tuple[Rule, ...]
    chain: EngineRule
    conditions: tuple[EngineRule, ...]


@dataclass(frozen=True, slots=True)
class CompiledBundle:
    """Both halves of a bundle, ready to decide."""

    intake: IntakeBundle
    rules: RulesBundle
    hashes: Hashes
    _phases: Mapping[Phase, _Phase]
    _open_reads: tuple[tuple[str, ...], ...]

    def decides(self, phase: Phase) -> bool:
        """Whether there are rules for this phase; without, its events pass without a decision."""
        return phase in self._phases

    def first_match(self, facts: Mapping[str, Any], phase: Phase) -> Match | None:
        """The first live rule of the phase that is met; None when there is none, which a checked bundle rules out."""
        compiled = self._phases.get(phase)
        if compiled is None:
            return None
        data = DataHandle(codec.dumps(self._with_open_names(facts)).decode())
        try:
            index = compiled.chain.evaluate_data(data)
        except DataLogicError:
            return _one_by_one(compiled, data)
        return Match(compiled.rules[index]) if index >= 0 else None

    def _with_open_names(self, facts: Mapping[str, Any]) -> Mapping[str, Any]:
        """The facts, with null for names in open objects that a rule reads and this event does not have."""
        completed = dict(facts)
        for *parents, name in self._open_reads:
            inside = completed
            for parent in parents:
                below = inside.get(parent)
                inside[parent] = inside = dict(below) if isinstance(below, Mapping) else {}
            inside.setdefault(name, None)
        return completed


def compile_bundle(intake: IntakeBundle, rules: RulesBundle) -> CompiledBundle:
    """Both halves compiled. Raises `Uncompilable`."""
    engine = make_engine(rules.lists)
    phases = {}
    for phase in (Phase.RECEIVED, Phase.ANALYZED):
        live = tuple(rule for rule in rules.rules if rule.phase is phase and rule.mode == "live")
        if not live:
            continue
        conditions = [condition(rule) for rule in live]
        compiled = []
        for rule, expression in zip(live, conditions, strict=True):
            try:
                compiled.append(engine.compile_checked(expression))
            except CompileError as error:
                told = "; ".join(diagnostic["message"] for diagnostic in error.diagnostics)
                raise Uncompilable(f"rule {rule.id}: {told}") from error
            except DataLogicError as error:
                raise Uncompilable(f"rule {rule.id}: {error_code(error)}") from error
        chain = engine.compile({"if": [part for n, c in enumerate(conditions) for part in (c, n)] + [-1]})
        phases[phase] = _Phase(live, chain, tuple(compiled))
    names = {path for rule in rules.rules for path in reads(rule.when) if path.startswith(tuple(f"{o}." for o in OPEN))}
    hashes = Hashes(bundle.content_hash(intake), bundle.content_hash(rules))
    return CompiledBundle(intake, rules, hashes, phases, tuple(tuple(name.split(".")) for name in sorted(names)))


def condition(rule: Rule) -> Any:
    """Everything that must hold for a rule: its kinds, its dates, and what it says itself."""
    parts: list[Any] = []
    if rule.kinds:
        kinds = list(rule.kinds)
        parts.append({"or": [{"in": [{"var": f"event.{name}"}, kinds]} for name in ("mode", "kind")]})
    if rule.valid_from:
        parts.append({">=": [{"var": "event.time"}, rule.valid_from.isoformat()]})
    if rule.valid_until:
        parts.append({"<": [{"var": "event.time"}, rule.valid_until.isoformat()]})
    return {"and": [*parts, rule.when]} if parts else rule.when


def _one_by_one(compiled: _Phase, data: DataHandle) -> Match | None:
    errors: dict[str, str] = {}
    for rule, expression in zip(compiled.rules, compiled.conditions, strict=True):
        try:
            met = _truthy(expression.evaluate_data(data))
        except DataLogicError as error:
            errors[rule.id] = error_code(error)
            if rule.on_error == "hold":
                return Match(rule, errors, failed=True)
            continue
        if met:
            return Match(rule, errors)
    return None


def error_code(error: DataLogicError) -> str:
    """The engine's tag and operator: never its message, which repeats values."""
    operator = f" in {error.operator}" if error.operator else ""
    return f"{error.error_type}{operator}"


def _truthy(value: Any) -> bool:
    # The chain asks the engine, this asks Python: they agree on everything that JSON has (a test compares them).
    return bool(value)
