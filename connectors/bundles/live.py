"""Which bundle each tenant runs, kept up to date from the store.

`LiveBundles` polls the store's pointers and builds what a process needs of every half that changed. It promises that
a half that cannot be read leaves the last good one in place, for that tenant alone, and says so; that an older sequence
never replaces a newer one; and that it is not `loaded` before the first complete look.
"""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any, Generic, Literal, TypeVar

import structlog
from pydantic import ValidationError

from connectors.store.seam import NotFound, StoreAdmin, StoreError
from schemas.bundle import LiveBundle
from schemas.rulefile import RulesBundle
from schemas.tenant import IntakeBundle

H = TypeVar("H")


class LiveBundles(Generic[H]):
    """The current value of one half for every tenant, as built by a listener."""

    def __init__(
        self,
        store: StoreAdmin,
        half: Literal["intake", "rules"],
        build: Callable[[LiveBundle, Any], H],
        *,
        poll_seconds: float = 2.0,
    ) -> None:
        self._store = store
        self._half = half
        self._model = IntakeBundle if half == "intake" else RulesBundle
        self._build = build
        self._poll_seconds = poll_seconds
        self._current: dict[str, tuple[LiveBundle, H]] = {}
        self._refused: dict[str, str] = {}
        self._task: asyncio.Task[None] | None = None
        self._log = structlog.get_logger("leadbus.bundles")
        self.loaded = False

    def get(self, tenant_id: str) -> H | None:
        """What the tenant runs now; None for a tenant that is not known."""
        entry = self._current.get(tenant_id)
        return entry[1] if entry else None

    def all(self) -> dict[str, H]:
        """Every tenant's current value."""
        return {tenant: value for tenant, (_, value) in self._current.items()}

    def versions(self) -> dict[str, str]:
        """Tenant to the hash it runs."""
        return {tenant: getattr(live, self._half) for tenant, (live, _) in self._current.items()}

    async def refresh(self) -> bool:
        """Look once; True when something changed. Raises a StoreError when the store does not answer."""
        changed = False
        lives = await self._store.list_live()
        for live in lives:
            known = self._current.get(live.tenant_id)
            digest = getattr(live, self._half)
            if known and (known[0].sequence >= live.sequence or getattr(known[0], self._half) == digest):
                continue
            if self._refused.get(live.tenant_id) == digest:
                continue
            try:
                body = await self._store.get_bundle_half(live.tenant_id, self._half, digest)
                self._current[live.tenant_id] = (live, self._build(live, self._model.model_validate(body)))
                self._refused.pop(live.tenant_id, None)
                changed = True
                self._log.info("bundle_live", tenant=live.tenant_id, half=self._half, hash=digest[:12])
            except (NotFound, ValidationError, ValueError) as error:
                self._refused[live.tenant_id] = digest
                self._log.error(
                    "bundle_refused",
                    tenant=live.tenant_id,
                    half=self._half,
                    hash=digest[:12],
                    error=type(error).__name__,
                    keeps=getattr(known[0], self._half)[:12] if known else None,
                )
        gone = set(self._current) - {live.tenant_id for live in lives}
        for tenant in gone:
            del self._current[tenant]
            changed = True
        self.loaded = True
        return changed

    async def start(self) -> None:
        """Look once, then keep looking. A store that is away at the start is waited for."""
        with contextlib.suppress(StoreError):
            await self.refresh()
        self._task = asyncio.create_task(self._poll(), name=f"bundles-{self._half}")

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(self._poll_seconds)
            try:
                await self.refresh()
            except StoreError as error:
                self._log.warning("bundles_unreachable", half=self._half, error=type(error).__name__)

    async def stop(self) -> None:
        """Stop looking."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
