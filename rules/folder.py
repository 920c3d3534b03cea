"""A tenant folder in memory: the two halves of its bundle, their hashes, and where everything stands in the files.

Pure values. Paths into a folder begin with the part they lie in: ("tenant", …), ("offices", 0, …), ("rules", 3, …),
("crm", "hubspot", …), ("pools", "downtown", …), ("lists", "zips").
"""

from dataclasses import dataclass, field

from rules.findings import Place
from rules.parsed import Parsed, Path
from schemas import bundle
from schemas.rulefile import RulesBundle
from schemas.tenant import IntakeBundle


@dataclass(slots=True)
class Positions:
    """From a path into the folder to file, line and column."""

    roots: dict[Path, tuple[Parsed, Path]] = field(default_factory=dict)
    """Path into the folder to the file it came from, and the path inside that file."""

    def place(self, *path: str | int, key: bool = False) -> Place:
        """The nearest known place of a path; of its key when `key` is set."""
        for length in range(len(path), 0, -1):
            if root := self.roots.get(path[:length]):
                parsed, inside = root
                return parsed.where((*inside, *path[length:]), key=key)
        return Place("tenant.yaml")


@dataclass(frozen=True, slots=True)
class Hashes:
    """The names of the two halves, as the store and the decisions know them."""

    intake: str
    rules: str


@dataclass(frozen=True, slots=True)
class TenantFolder:
    """What a tenant's files say."""

    intake: IntakeBundle
    rules: RulesBundle
    positions: Positions

    @property
    def hashes(self) -> Hashes:
        """Content hashes of the halves; any change of meaning changes one of them, comments and blanks do not."""
        return Hashes(bundle.content_hash(self.intake), bundle.content_hash(self.rules))
