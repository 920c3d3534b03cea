"""What a store's database can do beyond the core schema, found out by applying the migrations that need it."""

from collections.abc import Iterable
from dataclasses import dataclass

VECTOR_INDEX = "vector"
GRAPH = "graph"
ACCESS = "access"


@dataclass(frozen=True, slots=True)
class Capabilities:
    """Each is true when its migration could be applied to this database."""

    vector_index: bool = False
    """Approximate search through a vector index; exact search is always there."""
    graph: bool = False
    """The property graph; the same answers are always there by joins."""
    access: bool = False
    """Database roles."""

    @classmethod
    def of(cls, applied: Iterable[str]) -> "Capabilities":
        """From the names of the applied migrations, such as `0002_vector`."""
        features = {name.partition("_")[2] for name in applied}
        return cls(vector_index=VECTOR_INDEX in features, graph=GRAPH in features, access=ACCESS in features)
