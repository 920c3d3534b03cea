"""The migrations of a dialect: numbered .sql files under `migrations/`, in order, as single statements.

A file named in `OPTIONAL` is a probe: a database that cannot do it goes without, and is asked again at the next
migration. Comments are `--` to the end of the line and are taken out, because Spanner refuses them; no statement has
`--` or `;` inside a literal.
"""

import re
from dataclasses import dataclass
from importlib.resources import files
from typing import Final, Literal

from connectors.store import capabilities

OPTIONAL: Final = frozenset({capabilities.VECTOR_INDEX, capabilities.GRAPH, capabilities.ACCESS})


@dataclass(frozen=True, slots=True)
class Script:
    """One migration."""

    name: str
    """`0001_core`: number and feature."""
    statements: tuple[str, ...]

    @property
    def optional(self) -> bool:
        """Whether a database that cannot do it goes without."""
        return self.name.partition("_")[2] in OPTIONAL


def scripts(dialect: Literal["sqlite", "spanner"]) -> tuple[Script, ...]:
    """All migrations of a dialect, oldest first."""
    folder = files("connectors.store") / "migrations" / dialect
    found = sorted((entry for entry in folder.iterdir() if entry.name.endswith(".sql")), key=lambda entry: entry.name)
    return tuple(Script(entry.name.removesuffix(".sql"), statements(entry.read_text("utf-8"))) for entry in found)


def statements(text: str) -> tuple[str, ...]:
    """The statements of a script, without comments and blank ends."""
    bare = re.sub(r"--[^\n]*", "", text)
    return tuple(part.strip() for part in bare.split(";") if part.strip())
