"""Whether everything that an older JSON Schema allowed is still read today: what would break, one line each.

Knows the vocabulary that pydantic writes: `$ref`, `anyOf`, `type`, `enum`, `const`, properties, items and limits.
Allowing more is never a break. A removed property is one even where unknown fields are kept, because nobody reads it.
"""

from collections.abc import Iterator, Mapping
from typing import Any

Schema = Mapping[str, Any]

AT_LEAST = ("minLength", "minItems", "minimum", "exclusiveMinimum")
AT_MOST = ("maxLength", "maxItems", "maximum", "exclusiveMaximum")


def breaks(old: Schema, new: Schema) -> list[str]:
    """What an event that fits `old` may meet in `new`; empty when every such event is still read."""
    return list(_Comparison(old, new).compare(old, new, ""))


class _Comparison:
    def __init__(self, old: Schema, new: Schema) -> None:
        self._old = old
        self._new = new
        self._under_way: set[tuple[str, str]] = set()

    def compare(self, old: Schema, new: Schema, path: str) -> Iterator[str]:
        seen = (str(old.get("$ref", "")), str(new.get("$ref", "")))
        if all(seen) and seen in self._under_way:
            return
        self._under_way.add(seen)
        old, new = _resolved(self._old, old), _resolved(self._new, new)
        branches = list(_branches(self._old, old))
        if branches != [old] or "anyOf" in new:
            yield from self._alternatives(branches, list(_branches(self._new, new)), path)
        else:
            yield from self._single(old, new, path)
        self._under_way.discard(seen)

    def _alternatives(self, old: list[Schema], new: list[Schema], path: str) -> Iterator[str]:
        if gone := _listed(old) - _listed(new) if _listed(new) else set():
            # Beside an open enumeration any text fits, and yet such an event would read as `other`.
            yield f"{path.lstrip('.')}: no longer {', '.join(sorted(gone))}"
            return
        for branch in old:
            tries = [list(self.compare(branch, candidate, path)) for candidate in new]
            if all(tries):
                yield from min(tries, key=len)

    def _single(self, old: Schema, new: Schema, path: str) -> Iterator[str]:
        where = path.lstrip(".") or "the document"
        yield from _values(old, new, where)
        if "type" in new and not _types(old) <= _types(new):
            yield f"{where}: was {_words(old)}, must be {_words(new)}"
            return
        for limit in (*AT_LEAST, *AT_MOST):
            narrower = limit in new and (
                limit not in old or (new[limit] > old[limit] if limit in AT_LEAST else new[limit] < old[limit])
            )
            if narrower:
                yield f"{where}: {limit} {new[limit]} where {old.get(limit, 'nothing')} was asked for"
        if "pattern" in new and new["pattern"] != old.get("pattern"):
            yield f"{where}: must fit another pattern"
        yield from self._members(old, new, path)

    def _members(self, old: Schema, new: Schema, path: str) -> Iterator[str]:
        before, after = old.get("properties", {}), new.get("properties", {})
        for name in sorted(before.keys() - after.keys()):
            yield f"{path}.{name}".lstrip(".") + ": removed"
        for name in sorted(set(new.get("required", ())) - set(old.get("required", ()))):
            yield f"{path}.{name}".lstrip(".") + ": newly required"
        for name in before.keys() & after.keys():
            yield from self.compare(before[name], after[name], f"{path}.{name}")
        if new.get("additionalProperties") is False and old.get("additionalProperties") is not False:
            yield f"{path.lstrip('.') or 'the document'}: unknown fields are refused now"
        for key in ("items", "additionalProperties"):
            if isinstance(new.get(key), Mapping):
                then = old.get(key)
                yield from self.compare(then if isinstance(then, Mapping) else {}, new[key], f"{path}[]")
        for one, other in zip(old.get("prefixItems", ()), new.get("prefixItems", ()), strict=False):
            yield from self.compare(one, other, f"{path}[]")


def _values(old: Schema, new: Schema, where: str) -> Iterator[str]:
    allowed = new["enum"] if "enum" in new else [new["const"]] if "const" in new else None
    if allowed is None:
        return
    known = old["enum"] if "enum" in old else [old["const"]] if "const" in old else None
    if known is None:
        yield f"{where}: takes only {', '.join(map(str, allowed))} now"
    elif gone := [str(value) for value in known if value not in allowed]:
        yield f"{where}: no longer {', '.join(gone)}"


def _listed(branches: list[Schema]) -> set[str]:
    return {str(value) for branch in branches for value in branch.get("enum", ())}


def _resolved(root: Schema, schema: Schema) -> Schema:
    while "$ref" in schema:
        found = root
        for part in schema["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        schema = found
    return schema


def _branches(root: Schema, schema: Schema) -> Iterator[Schema]:
    """The plain schemas behind `anyOf` and `oneOf`."""
    parts = schema.get("anyOf", schema.get("oneOf"))
    if parts is None:
        yield schema
        return
    for part in parts:
        yield from _branches(root, _resolved(root, part))


def _types(schema: Schema) -> frozenset[str]:
    named = schema.get("type")
    if named is None:
        return frozenset(("string", "number", "integer", "boolean", "array", "object", "null"))
    types = frozenset([named] if isinstance(named, str) else named)
    return types | {"integer"} if "number" in types else types


def _words(schema: Schema) -> str:
    return " or ".join(sorted(_types(schema) - ({"integer"} if "number" in _types(schema) else set())))
