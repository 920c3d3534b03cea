"""Which bundle each tenant runs, kept up to date from the store.

`LiveBundles` polls the store's pointers and builds what a process needs of every half that changed. It promises that
a half that cannot be read leaves the last good one in place, for that tenant alone, and says so; that an older sequence
never replaces a newer one; that it is not `loaded` before the first complete look; and that only `stop` ends the
looking.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import Any, Generic, Literal, Protocol, TypeVar

import structlog
from pydantic import ValidationError

from connectors.store.seam import NotFound, StoreError
from schemas.bundle import LiveBundle
from schemas.rulefile import RulesBundle
from schemas.tenant import IntakeBundle

H = TypeVar("H")


class BundleReader(Protocol):
    """The part of the store that is read here (connectors.store.seam.StoreAdmin)."""

    async def list_live(self) -> Sequence[LiveBundle]: ...

    async def get_bundle_half(self, tenant_id: str, half: Literal["intake", "rules"], digest: str) -> Any: ...


class LiveBundles(Generic[H]):
    """The current value of one half for every tenant, as built by a listener."""

    def __init__(
        self,
        store: BundleReader,
        half: Literal["intake", "rules"],
        build: Callable[[LiveBundle, Any], H],
        *,
        poll_seconds: float = 2.0,
        log: Any = None,
    ) -> None:
        """`log` takes structlog's place; a process with a logger of its own hands it in."""
        self._store = store
        self._half = half
        self._model = IntakeBundle if half == "intake" else RulesBundle
        self._build = build
        self._poll_seconds = poll_seconds
        self._current: dict[str, tuple[str, H]] = {}
        self._seen: dict[str, int] = {}
        self._refused: dict[str, str] = {}
        self._missing: set[str] = set()
        self._task: asyncio.Task[None] | None = None
        self._log = log or structlog.get_logger("leadbus.bundles")
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
        return {tenant: digest for tenant, (digest, _) in self._current.items()}

    def sequence(self, tenant_id: str) -> int | None:
        """The newest sequence of the tenant that was looked at, its half taken or refused."""
        return self._seen.get(tenant_id)

    @property
    def complete(self) -> bool:
        """Whether every live tenant has a half that could be read."""
        return self.loaded and self._seen.keys() <= self._current.keys()

    async def refresh(self) -> bool:
        """Look once; True when something changed. Raises a StoreError when the store does not answer."""
        changed = False
        lives = await self._store.list_live()
        for live in lives:
            if self._seen.get(live.tenant_id, -1) < live.sequence or live.tenant_id in self._missing:
                changed |= await self._look(live)
        for tenant in set(self._seen) - {live.tenant_id for live in lives}:
            del self._seen[tenant]
            self._missing.discard(tenant)
            self._refused.pop(tenant, None)
            changed |= self._current.pop(tenant, None) is not None
        self.loaded = True
        return changed

    async def _look(self, live: LiveBundle) -> bool:
        """Take the tenant's half if it is another one and can be read; True when it was taken."""
        tenant, digest = live.tenant_id, getattr(live, self._half)
        known = self._current.get(tenant)
        taken = False
        if (known is None or known[0] != digest) and self._refused.get(tenant) != digest:
            try:
                body = await self._store.get_bundle_half(tenant, self._half, digest)
                self._current[tenant] = (digest, self._build(live, self._model.model_validate(body)))
                taken = True
            except StoreError as error:
                if not isinstance(error, NotFound):
                    raise
                if tenant not in self._missing:
                    self._refusal(tenant, digest, error)
                self._seen[tenant] = live.sequence
                self._missing.add(tenant)  # it may only be late: the next look tries again
                return False
            except Exception as error:  # noqa: BLE001  whatever is wrong with one tenant's half, the others go on
                self._refused[tenant] = digest
                self._refusal(tenant, digest, error)
        if taken:
            self._refused.pop(tenant, None)
            self._log.info("bundle_live", tenant=tenant, half=self._half, hash=digest[:12])
        self._missing.discard(tenant)
        self._seen[tenant] = live.sequence
        return taken

    def _refusal(self, tenant: str, digest: str, error: Exception) -> None:
        known = self._current.get(tenant)
        self._log.error(
            "bundle_refused",
            tenant=tenant,
            half=self._half,
            hash=digest[:12],
            error=_brief(error),
            keeps=known[0][:12] if known else None,
        )

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
            except Exception as error:  # noqa: BLE001  looking that ended would freeze every tenant's configuration
                self._log.warning("bundles_unreachable", half=self._half, error=type(error).__name__)

    async def stop(self) -> None:
        """Stop looking."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task


def _brief(error: Exception) -> str:
    """What is wrong with a half, without its values."""
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_input=False)[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return type(error).__name__
