"""The connectors of a process: one per (tenant, connector, configuration), built when first needed, closed when idle.

A changed setting or a rotated secret is another configuration: the next order gets a new connector, and the old one is
closed when its last order is done. `using` raises `ConfigBroken` when the tenant's settings or secret cannot work.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

from connectors.crm.registry import Opening, Registration, registrations, warm
from connectors.crm.seam import ConfigBroken, CrmConnector
from connectors.crm.slots import Slots
from connectors.crm.transports import Transports
from connectors.settings import ConnectionSettings
from connectors.tracing import current_span, traced
from schemas import codec
from schemas.decision import ConnectorKind
from schemas.tenant import Connector

IDLE_SECONDS = 300.0

_Key = tuple[str, str, str]


@dataclass(slots=True)
class _Kept:
    connector: CrmConnector
    users: int
    used_at: float


class ConnectorPool:
    """`monotonic` gives seconds that never go backwards, `now` the time in UTC. Used from one event loop."""

    def __init__(
        self,
        settings: ConnectionSettings,
        *,
        monotonic: Callable[[], float],
        now: Callable[[], datetime],
        idle_seconds: float = IDLE_SECONDS,
    ) -> None:
        self._settings = settings
        self._monotonic = monotonic
        self._now = now
        self._idle = idle_seconds
        self._transports = Transports(settings)
        self._kinds = registrations()
        self._kept: dict[_Key, _Kept] = {}
        self._swept_at = monotonic()

    @property
    def kinds(self) -> frozenset[ConnectorKind]:
        """Kinds that can be opened here."""
        return frozenset(self._kinds)

    def upserts(self, kind: ConnectorKind) -> bool | None:
        """Whether the kind writes by external id (`CrmConnector.upserts`); None for an unknown kind.

        Known without building a connector, because the ledger must choose between row and claim before that.
        """
        registration = self._kinds.get(kind)
        return None if registration is None else registration.upserts

    def warm(self, kinds: Iterable[ConnectorKind]) -> None:
        """Import the vendors' libraries before the first order (0.3 to 0.8 s each); call it at start, it blocks."""
        for kind in kinds:
            if kind in self._kinds:
                warm(self._kinds[kind])

    @asynccontextmanager
    async def using(self, tenant_id: str, connector: Connector, secret: str | None) -> AsyncIterator[CrmConnector]:
        """The tenant's connector for the time of one piece of work."""
        await self._sweep_when_due()
        key = _key(tenant_id, connector, secret)
        kept = self._kept.get(key)
        if kept is None:
            kept = self._kept[key] = _Kept(self._build(tenant_id, connector, secret), 0, 0.0)
        kept.users += 1
        try:
            yield kept.connector if current_span() is None else traced(kept.connector, f"crm.{connector.kind.value}")
        finally:
            kept.users -= 1
            kept.used_at = self._monotonic()

    async def close_idle(self) -> int:
        """Close connectors that nobody has used for a while, or whose configuration was replaced; how many."""
        now = self._monotonic()
        self._swept_at = now
        newest: dict[tuple[str, str], float] = {}
        for (tenant, connector, _), kept in self._kept.items():
            newest[tenant, connector] = max(newest.get((tenant, connector), 0.0), kept.used_at)
        ended = [
            key
            for key, kept in self._kept.items()
            if kept.users == 0 and (now - kept.used_at >= self._idle or kept.used_at < newest[key[0], key[1]])
        ]
        gone = [self._kept.pop(key).connector for key in ended]
        for connector_gone in gone:
            await connector_gone.close()
        return len(gone)

    async def close(self) -> None:
        """Close everything. Work under way ends with an error of its own."""
        gone = [kept.connector for kept in self._kept.values()]
        self._kept.clear()
        await asyncio.gather(*(connector.close() for connector in gone), return_exceptions=True)
        await self._transports.close()

    async def _sweep_when_due(self) -> None:
        if self._monotonic() - self._swept_at >= self._idle / 4:
            await self.close_idle()

    def _build(self, tenant_id: str, connector: Connector, secret: str | None) -> CrmConnector:
        registration: Registration | None = self._kinds.get(connector.kind)
        if registration is None:
            known = ", ".join(sorted(kind.value for kind in self._kinds))
            raise ConfigBroken(
                f"connector {connector.id}: kind {connector.kind.value} is not served; there are {known}"
            )
        return registration.open(
            Opening(
                tenant_id=tenant_id,
                connector_id=connector.id,
                raw_settings=connector.settings,
                secret=secret,
                connections=self._settings,
                transports=self._transports,
                slots=Slots(self._transports.threads),
                now=self._now,
            )
        )


def _key(tenant_id: str, connector: Connector, secret: str | None) -> _Key:
    wanted = {"kind": connector.kind.value, "settings": connector.settings, "secret": secret}
    return tenant_id, connector.id, codec.digest(wanted)
