"""The store on Cloud Spanner: production's. Passes the same conformance suite as SQLite, against the emulator."""

from connectors.store.spanner.decisions import Decisions
from connectors.store.spanner.engine import CALL_SECONDS, Engine
from connectors.store.spanner.ledger import Ledger
from connectors.store.spanner.outcomes import Outcomes
from connectors.store.spanner.requests import Requests
from connectors.store.spanner.tenants import Tenants


class SpannerStore(Requests, Decisions, Ledger, Outcomes, Tenants):
    """`FullStore` on one database; `emulator` is host:port, or None for what SPANNER_EMULATOR_HOST says.

    A call that has no answer after `call_seconds` is `Unavailable`.
    """

    def __init__(
        self,
        project: str,
        instance: str,
        database: str,
        *,
        emulator: str | None = None,
        create: bool = False,
        call_seconds: float = CALL_SECONDS,
    ) -> None:
        self._engine = Engine(project, instance, database, emulator=emulator, create=create, call_seconds=call_seconds)
