"""Live bundles: one tenant's bad half is that tenant's trouble, and nothing but `stop` ends the looking."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from connectors.bundles.live import LiveBundles
from connectors.store.opening import open_store
from connectors.store.seam import FullStore, StoreAdmin, Unavailable
from schemas.bundle import LiveBundle, content_hash
from schemas.tenant import IntakeBundle
from tests.unit.consumers.house import TENANT, go_live, intake


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[FullStore]:
    opened = open_store(f"sqlite:///{tmp_path / 'store.db'}")
    await opened.migrate()
    yield opened
    await opened.close()


class FlakyAdmin:
    """The part of a store that bundles use; each answer may be replaced by an error."""

    def __init__(self, store: FullStore) -> None:
        self.store = store
        self.errors: list[Exception] = []
        self.lives: list[LiveBundle] | None = None
        self.asked = 0
        self.answered = asyncio.Event()

    async def list_live(self) -> Sequence[LiveBundle]:
        self.asked += 1
        if self.errors:
            raise self.errors.pop(0)
        self.answered.set()
        return self.lives if self.lives is not None else await self.store.list_live()

    async def get_bundle_half(self, tenant_id: str, half: Any, digest: str) -> Any:
        return await self.store.get_bundle_half(tenant_id, half, digest)


def bundles_of(admin: Any, **of: Any) -> LiveBundles[IntakeBundle]:
    found: StoreAdmin = admin
    return LiveBundles(found, "intake", lambda live, half: half, **of)


def name_in(bundles: LiveBundles[IntakeBundle], tenant: str = TENANT) -> str | None:
    half = bundles.get(tenant)
    return half.name if half else None


async def test_a_published_half_is_seen_by_the_next_look(store: FullStore) -> None:
    bundles = bundles_of(store)
    assert await bundles.refresh() is False
    assert bundles.loaded
    await go_live(store, intake())
    assert await bundles.refresh() is True
    assert name_in(bundles) == "Acme Roofing"
    assert bundles.versions() == {TENANT: content_hash(intake())}
    assert bundles.sequence(TENANT) == 1
    assert await bundles.refresh() is False


async def test_a_half_that_cannot_be_read_leaves_the_last_good_one(store: FullStore) -> None:
    bundles = bundles_of(store)
    await go_live(store, intake())
    await bundles.refresh()
    await store.put_bundle_half(TENANT, "intake", "b" * 64, {"tenant": TENANT, "nonsense": True})
    await store.set_live(LiveBundle(tenant_id=TENANT, intake="b" * 64, rules="c" * 64, sequence=2))
    assert await bundles.refresh() is False
    assert name_in(bundles) == "Acme Roofing"
    await go_live(store, intake(name="Acme again"), sequence=3)
    assert await bundles.refresh() is True
    assert name_in(bundles) == "Acme again"


async def test_one_tenants_bad_half_does_not_keep_the_others_from_theirs(store: FullStore) -> None:
    bundles = bundles_of(store)
    await go_live(store, intake())
    for tenant in ("aaa", "zzz"):
        await go_live(store, intake(tenant))
    await store.set_live(LiveBundle(tenant_id=TENANT, intake="f" * 64, rules="c" * 64, sequence=2))
    await bundles.refresh()
    assert sorted(bundles.all()) == ["aaa", "zzz"]


async def test_a_half_that_comes_late_is_taken_when_it_is_there(store: FullStore) -> None:
    bundles = bundles_of(store)
    late = intake()
    await go_live(store, intake(name="first"))
    await store.set_live(LiveBundle(tenant_id=TENANT, intake=content_hash(late), rules="c" * 64, sequence=2))
    await bundles.refresh()
    assert bundles.get(TENANT) is None
    await store.put_bundle_half(TENANT, "intake", content_hash(late), late.model_dump(mode="json"))
    await bundles.refresh()
    assert name_in(bundles) == "Acme Roofing"


async def test_a_half_that_the_process_cannot_use_is_refused_like_a_bad_one(store: FullStore) -> None:
    def build(live: LiveBundle, half: IntakeBundle) -> str:
        if half.name == "bad":
            raise TypeError("a fault of ours")
        return half.name

    bundles: LiveBundles[str] = LiveBundles(store, "intake", build)
    await go_live(store, intake())
    await bundles.refresh()
    await go_live(store, intake(name="bad"), sequence=2)
    await bundles.refresh()
    assert bundles.get(TENANT) == "Acme Roofing"


async def test_an_older_sequence_is_ignored(store: FullStore) -> None:
    admin = FlakyAdmin(store)
    bundles = bundles_of(admin)
    await go_live(store, intake())
    [old] = await store.list_live()
    await go_live(store, intake(name="newer"), sequence=2)
    await bundles.refresh()
    admin.lives = [old]
    assert await bundles.refresh() is False
    assert name_in(bundles) == "newer"


async def test_the_other_half_changing_rebuilds_nothing_but_moves_the_sequence(store: FullStore) -> None:
    bundles = bundles_of(store)
    await go_live(store, intake())
    await bundles.refresh()
    before = bundles.get(TENANT)
    await store.set_live(LiveBundle(tenant_id=TENANT, intake=content_hash(intake()), rules="d" * 64, sequence=2))
    assert await bundles.refresh() is False
    assert bundles.get(TENANT) is before
    assert bundles.sequence(TENANT) == 2


async def test_a_tenant_that_was_removed_is_gone_and_may_come_back(store: FullStore) -> None:
    bundles = bundles_of(store)
    await go_live(store, intake(), sequence=5)
    await bundles.refresh()
    await store.erase_tenant(TENANT)
    assert await bundles.refresh() is True
    assert bundles.get(TENANT) is None
    assert bundles.sequence(TENANT) is None
    await go_live(store, intake(), sequence=1)
    assert await bundles.refresh() is True
    assert bundles.get(TENANT) is not None


async def test_a_store_that_is_away_at_the_start_is_waited_for(store: FullStore) -> None:
    admin = FlakyAdmin(store)
    admin.errors = [Unavailable("away"), Unavailable("away"), RuntimeError("a fault of ours")]
    await go_live(store, intake())
    bundles = bundles_of(admin, poll_seconds=0.001)
    await bundles.start()
    assert not bundles.loaded
    assert bundles.get(TENANT) is None
    async with asyncio.timeout(10):
        await admin.answered.wait()
        admin.answered.clear()
        await admin.answered.wait()  # the look before is complete
    assert name_in(bundles) == "Acme Roofing"
    await bundles.stop()


async def test_a_store_that_goes_away_later_changes_nothing(store: FullStore) -> None:
    admin = FlakyAdmin(store)
    bundles = bundles_of(admin)
    await go_live(store, intake())
    await bundles.refresh()
    admin.errors = [Unavailable("away")]
    with contextlib.suppress(Unavailable):
        await bundles.refresh()
    assert bundles.loaded
    assert name_in(bundles) == "Acme Roofing"


async def test_stopping_ends_the_looking(store: FullStore) -> None:
    admin = FlakyAdmin(store)
    bundles = bundles_of(admin, poll_seconds=0.0)
    await bundles.start()
    await bundles.stop()
    asked = admin.asked
    for _ in range(5):
        await asyncio.sleep(0)
    assert admin.asked == asked
