"""The store under test: every test that asks for `store` runs against SQLite and against the Spanner emulator.

A test gets a tenant of its own (`scope`), so that tests share a database without seeing each other.
"""

import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from connectors.store.opening import open_store
from connectors.store.seam import FullStore, OfficeRow, Scope, TenantRow

IMPLEMENTATIONS = ["sqlite", pytest.param("spanner", marks=pytest.mark.spanner)]

NewUrl = Callable[[], str]


def tenant_name() -> str:
    return f"t-{uuid.uuid4().hex[:20]}"


@pytest.fixture(params=IMPLEMENTATIONS)
def new_url(request: pytest.FixtureRequest, tmp_path: Path) -> NewUrl:
    """Makes URLs of stores that are not there yet."""
    if request.param == "sqlite":
        return lambda: f"sqlite:///{tmp_path}/{uuid.uuid4().hex}.db"
    host = request.getfixturevalue("spanner_emulator")
    return lambda: f"spanner://leadbus-test/conformance/d{uuid.uuid4().hex[:20]}?emulator={host}"


@pytest.fixture
def url(new_url: NewUrl, request: pytest.FixtureRequest) -> str:
    """A store for this test: a file of its own, or the database that all tests share on the emulator."""
    made = new_url()
    if made.startswith("sqlite"):
        return made
    return f"spanner://leadbus-test/conformance/shared?emulator={request.getfixturevalue('spanner_emulator')}"


@pytest.fixture
async def store(url: str) -> AsyncIterator[FullStore]:
    opened = open_store(url, create=True)
    await opened.migrate()
    yield opened
    await opened.close()


@pytest.fixture
async def scope(store: FullStore) -> Scope:
    """A tenant with the offices `north` and `south`."""
    return await new_scope(store)


@pytest.fixture
async def other(store: FullStore) -> Scope:
    """Another tenant with offices of the same ids."""
    return await new_scope(store)


async def new_scope(store: FullStore) -> Scope:
    tenant_id = tenant_name()
    offices = [OfficeRow("north", "North"), OfficeRow("south", "South")]
    await store.put_tenant(TenantRow(tenant_id, "Acme"), offices)
    return Scope(tenant_id)
