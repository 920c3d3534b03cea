"""A parsed file: its JSON value, and for every node the place where it stands.

Paths are tuples of keys and list positions, as pydantic reports them, so that a schema error finds its line.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from rules.findings import Finding, Place

Path = tuple[str | int, ...]
Spot = tuple[int, int]
"""Line and column, from 1."""

MAX_BYTES = 1_048_576
"""A file of rules for people is far smaller; larger ones are generated, or an attack on the parser."""
MAX_DEPTH = 100
"""The engine stops at 128 nested operators; what no person can read is refused earlier."""
MAX_INTEGER = 2**53 - 1
"""Beyond it other JSON readers round: such a number is an id and has to be text."""


class Unreadable(Exception):
    """The text is not in the strict form; `finding` says where and why."""

    def __init__(self, finding: Finding) -> None:
        self.finding = finding
        super().__init__(str(finding))


@dataclass(slots=True)
class Parsed:
    """The value of a file and the places of its nodes."""

    file: str
    value: Any = None
    values: dict[Path, Spot] = field(default_factory=dict)
    keys: dict[Path, Spot] = field(default_factory=dict)

    def where(self, path: Sequence[str | int], *, key: bool = False) -> Place:
        """The place of a node; of its key when `key` is set and it has one.

        Steps that the file does not have are skipped: pydantic puts names of unions and models into its paths, and a
        missing field is reported at the object that lacks it.
        """
        at = self.nearest(path)
        spot = self.keys.get(at) if key else None
        line, column = spot or self.values.get(at, (1, 1))
        return Place(self.file, line, column)

    def nearest(self, path: Sequence[str | int]) -> Path:
        """The longest path of a node that the steps lead to."""
        at: Path = ()
        for step in path:
            if (deeper := (*at, step)) in self.values:
                at = deeper
        return at
