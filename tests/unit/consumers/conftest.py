"""A migrated store on a file of the test's own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from connectors.store.opening import open_store
from connectors.store.seam import FullStore
from tests.unit.consumers.house import StillClock, go_live, intake


@pytest.fixture
async def bare_store(tmp_path: Path) -> AsyncIterator[FullStore]:
    """Without tenants."""
    opened = open_store(f"sqlite:///{tmp_path / 'store.db'}")
    await opened.migrate()
    yield opened
    await opened.close()


@pytest.fixture
async def store(bare_store: FullStore) -> FullStore:
    """With the tenant `acme`."""
    await go_live(bare_store, intake())
    return bare_store


@pytest.fixture
def clock() -> StillClock:
    return StillClock()
