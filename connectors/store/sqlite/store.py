"""The store on one SQLite file: the laptop's, and that of an installation which one machine can carry.

Passes the same conformance suite as Spanner. Several processes may use the file at once, on a local file system.
"""

from connectors.store.sqlite.decisions import Decisions
from connectors.store.sqlite.engine import Engine
from connectors.store.sqlite.ledger import Ledger
from connectors.store.sqlite.outcomes import Outcomes
from connectors.store.sqlite.requests import Requests
from connectors.store.sqlite.tenants import Tenants


class SqliteStore(Requests, Decisions, Ledger, Outcomes, Tenants):
    """`FullStore` on the file at `path`."""

    def __init__(self, path: str) -> None:
        self._engine = Engine(path)
