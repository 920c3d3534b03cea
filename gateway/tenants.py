"""Which endpoint a key belongs to: loaded from the live bundles of the store, polled, swapped whole.

Promises: a look-up is one hash and one dictionary; a refresh replaces the map at once, so no request sees half of it;
a bundle that cannot be read keeps the last good one of its tenant. While a live tenant has never been read, `complete`
is False, and a key that is not known must be answered 503, because it may be that tenant's.
Fails never by itself: troubles of the store are logged and tried again; `loaded` tells whether there is a map at all.
"""

import asyncio
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from structlog.typing import FilteringBoundLogger

from connectors.bundles.live import BundleReader, LiveBundles
from connectors.reading.contact import DEFAULT_REGION, known_region
from connectors.store.seam import StoreError
from gateway.signatures import Verifier, verifier_for
from gateway.sources.seam import SignatureScheme, Source
from schemas.bundle import LiveBundle
from schemas.tenant import Endpoint, IntakeBundle

POLL_SECONDS = 2.0


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


class EndpointMap:
    """SHA-256 of an endpoint key to its entry."""

    def __init__(self, store: BundleReader, sources: Mapping[str, Source], log: FilteringBoundLogger) -> None:
        self._bundles: LiveBundles[IntakeBundle] = LiveBundles(store, "intake", _of_its_tenant, log=log)
        self._sources = sources
        self._log = log
        self._verifiers = {name: verifier_for(s.signature) if s.signature else None for name, s in sources.items()}
        self._built: Mapping[str, str] | None = None
        self._entries: Mapping[str, Entry] = {}

    @property
    def loaded(self) -> bool:
        """Whether there is a map at all."""
        return self._bundles.loaded

    @property
    def complete(self) -> bool:
        """Whether every live tenant's endpoints are in it."""
        return self._bundles.complete

    def find(self, source: str, key: str) -> Entry | None:
        """The enabled endpoint of that key, if it is of that source."""
        entry = self._entries.get(key_digest(key))
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
            await self._bundles.refresh()
        except StoreError as error:
            self._log.warning("tenant map not refreshed", error=type(error).__name__)
        versions = self._bundles.versions()
        if versions != self._built:
            self._entries = self._build(self._bundles.all())
            self._built = versions

    def _verifier(self, endpoint: Endpoint) -> Verifier | None:
        """The source's, or the one that the tenant described."""
        if endpoint.signing is None:
            return self._verifiers[endpoint.source]
        return verifier_for(SignatureScheme(**endpoint.signing.model_dump()))

    def _build(self, tenants: Mapping[str, IntakeBundle]) -> Mapping[str, Entry]:
        entries: dict[str, Entry] = {}
        for tenant, bundle in sorted(tenants.items()):
            regions: dict[str | None, str] = {
                office.id: region for office in bundle.offices if (region := known_region(office.values.get("country")))
            }
            for endpoint in bundle.endpoints:
                source = self._sources.get(endpoint.source)
                if source is None or endpoint.key_sha256 in entries:
                    why = "unknown source" if source is None else "its key is another endpoint's"
                    self._log.error("endpoint left out", tenant=tenant, endpoint=endpoint.id, error=why)
                    continue
                verifier = self._verifier(endpoint)
                if verifier is not None and not endpoint.secrets:
                    self._log.warning("endpoint has no signing secret", tenant=tenant, endpoint=endpoint.id)
                suspended = bundle.status == "suspended"
                entries[endpoint.key_sha256] = Entry(tenant, suspended, endpoint, source, verifier, regions)
        return entries


def key_digest(key: str) -> str:
    """How an endpoint key is known: its SHA-256, as hex."""
    return hashlib.sha256(key.encode(errors="replace")).hexdigest()


def _of_its_tenant(live: LiveBundle, bundle: IntakeBundle) -> IntakeBundle:
    if bundle.tenant != live.tenant_id:
        raise ValueError("the bundle names another tenant")
    return bundle
