"""Which endpoint a key belongs to: loaded from the live bundles of the store, polled, swapped whole.

Promises: a look-up is one hash and one dictionary; a refresh replaces the map at once, so no request sees half of it;
a bundle that cannot be read keeps the last good one of its tenant. While a live tenant has never been read, `complete`
is False, and a key that is not known must be answered 503, because it may be that tenant's.
Fails never by itself: troubles of the store are logged and tried again; `loaded` tells whether there is a map at all.
"""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from pydantic import ValidationError
from structlog.typing import FilteringBoundLogger

from connectors.store.seam import StoreError
from gateway.reading.contact import DEFAULT_REGION, known_region
from gateway.signatures import Verifier
from gateway.sources.seam import Source
from schemas.bundle import LiveBundle
from schemas.tenant import Endpoint, IntakeBundle

POLL_SECONDS = 2.0


class BundleReader(Protocol):
    """The part of the store that the gateway reads (connectors.store.seam.StoreAdmin)."""

    async def list_live(self) -> Sequence[LiveBundle]: ...

    async def get_bundle_half(self, tenant_id: str, half: Literal["intake", "rules"], digest: str) -> Any: ...


@dataclass(frozen=True, slots=True)
class Entry:
    """One endpoint, ready to take requests."""

    tenant_id: str
    suspended: bool
    endpoint: Endpoint
    source: Source
    verifier: Verifier | None
    regions: Mapping[str | None, str] = field(default_factory=dict)

    def region(self, office: str | None) -> str:
        """The region by which phones without country code are read: `values.country` of the office, else US."""
        return self.regions.get(office, DEFAULT_REGION)


@dataclass(frozen=True, slots=True)
class _Loaded:
    intake: str
    sequence: int
    bundle: IntakeBundle


class EndpointMap:
    """SHA-256 of an endpoint key to its entry."""

    def __init__(self, store: BundleReader, sources: Mapping[str, Source], log: FilteringBoundLogger) -> None:
        self._store = store
        self._sources = sources
        self._log = log
        self._verifiers = {name: Verifier(s.signature) if s.signature else None for name, s in sources.items()}
        self._tenants: dict[str, _Loaded] = {}
        self._failed: dict[str, str] = {}
        self._entries: Mapping[str, Entry] = {}
        self.loaded = False
        self.complete = False

    def find(self, source: str, key: str) -> Entry | None:
        """The enabled endpoint of that key, if it is of that source."""
        entry = self._entries.get(hashlib.sha256(key.encode(errors="replace")).hexdigest())
        if entry is None or entry.source.name != source or not entry.endpoint.enabled:
            return None
        return entry

    async def run(self, poll_seconds: float = POLL_SECONDS) -> None:
        """Refresh for ever."""
        while True:
            try:
                await self.refresh()
            except Exception as error:  # noqa: BLE001
                self._log.error("tenant map not refreshed", error=type(error).__name__)
            await asyncio.sleep(poll_seconds)

    async def refresh(self) -> None:
        """Read what has changed and swap the map."""
        try:
            live = {bundle.tenant_id: bundle for bundle in await self._store.list_live()}
        except StoreError as error:
            self._log.warning("tenant map not refreshed", error=type(error).__name__)
            return
        tenants = {tenant: kept for tenant, kept in self._tenants.items() if tenant in live}
        for tenant, bundle in live.items():
            kept = tenants.get(tenant)
            if kept is None or (kept.intake != bundle.intake and kept.sequence <= bundle.sequence):
                read = await self._read(bundle)
                if read is not None:
                    tenants[tenant] = read
        if tenants != self._tenants or not self.loaded:
            self._entries = self._build(tenants)
            self._tenants = tenants
        self.complete = len(tenants) == len(live)
        self.loaded = True

    async def _read(self, live: LiveBundle) -> _Loaded | None:
        try:
            half = await self._store.get_bundle_half(live.tenant_id, "intake", live.intake)
            bundle = IntakeBundle.model_validate(half)
            if bundle.tenant != live.tenant_id:
                raise ValueError("the bundle names another tenant")
        except (StoreError, ValidationError, ValueError) as error:
            if self._failed.get(live.tenant_id) != live.intake:
                self._failed[live.tenant_id] = live.intake
                self._log.error("bundle not read", tenant=live.tenant_id, bundle=live.intake, error=_brief(error))
            return None
        self._failed.pop(live.tenant_id, None)
        return _Loaded(live.intake, live.sequence, bundle)

    def _build(self, tenants: Mapping[str, _Loaded]) -> Mapping[str, Entry]:
        entries: dict[str, Entry] = {}
        for tenant, loaded in sorted(tenants.items()):
            bundle = loaded.bundle
            regions: dict[str | None, str] = {
                office.id: region for office in bundle.offices if (region := known_region(office.values.get("country")))
            }
            for endpoint in bundle.endpoints:
                source = self._sources.get(endpoint.source)
                if source is None or endpoint.key_sha256 in entries:
                    why = "unknown source" if source is None else "its key is another endpoint's"
                    self._log.error("endpoint left out", tenant=tenant, endpoint=endpoint.id, error=why)
                    continue
                if source.signature and not endpoint.secrets:
                    self._log.warning("endpoint has no signing secret", tenant=tenant, endpoint=endpoint.id)
                verifier = self._verifiers[source.name]
                suspended = bundle.status == "suspended"
                entries[endpoint.key_sha256] = Entry(tenant, suspended, endpoint, source, verifier, regions)
        return entries


def _brief(error: Exception) -> str:
    """What is wrong with a bundle, without its values."""
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_input=False)[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return type(error).__name__
