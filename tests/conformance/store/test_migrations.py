"""The schema comes into being once, whoever asks first."""

import asyncio

import pytest

from connectors.store.opening import open_store
from connectors.store.scripts import scripts, statements
from connectors.store.seam import Invalid, Scope, Unavailable

from .conftest import NewUrl


async def test_migrating_twice_applies_each_migration_once(new_url: NewUrl) -> None:
    store = open_store(new_url(), create=True)
    first, second = await store.migrate(), await store.migrate()
    await store.ping()
    await store.close()
    assert first[0] == "0001_core"
    assert not set(first) & set(second)


async def test_racing_migrations_end_in_one_schema(new_url: NewUrl) -> None:
    url = new_url()
    stores = [open_store(url, create=True) for _ in range(4)]
    news = await asyncio.gather(*(store.migrate() for store in stores))
    assert sorted(name for names in news for name in names).count("0001_core") == 1
    for store in stores:
        assert await store.list_tenants() == []
        await store.close()


async def test_a_store_that_was_never_migrated_is_unavailable_and_says_what_to_do(new_url: NewUrl) -> None:
    store = open_store(new_url(), create=True)
    for call in (store.ping(), store.get_tenant(Scope("t")), store.list_live()):
        with pytest.raises(Unavailable, match=r"migrate|file"):
            await call
    await store.close()


async def test_a_closed_store_is_unavailable(new_url: NewUrl) -> None:
    store = open_store(new_url(), create=True)
    await store.migrate()
    await store.close()
    await store.close()
    with pytest.raises(Unavailable):
        await store.list_tenants()
    with pytest.raises(Unavailable):
        await store.mark_released(Scope("t"), "p")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "sqlite:",
        "sqlite:///",
        "sqlite:///:memory:",
        "spanner://p/i",
        "spanner://p/i/d/x",
        "postgres://x/y/z",
        "/tmp/file.db",
    ],
)
def test_a_url_that_names_no_store_is_invalid(url: str) -> None:
    with pytest.raises(Invalid):
        open_store(url)


def test_migrations_are_numbered_without_gaps_and_those_that_some_databases_refuse_are_optional() -> None:
    for dialect in ("sqlite", "spanner"):
        found = scripts(dialect)
        assert [int(script.name[:4]) for script in found] == list(range(1, len(found) + 1))
        assert [script.name[5:] for script in found if not script.optional] == ["core", "parked"]


def test_every_required_statement_for_spanner_may_be_repeated() -> None:
    required = [script for script in scripts("spanner") if not script.optional]
    assert all(" IF NOT EXISTS " in statement for script in required for statement in script.statements)


def test_comments_are_taken_out_of_scripts() -> None:
    assert statements("-- a; b\nSELECT 1; -- c\n\nSELECT 2 ;\n-- d") == ("SELECT 1", "SELECT 2")
