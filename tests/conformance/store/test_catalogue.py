"""The walls between tenants that can be seen in the text: every statement and key carries the tenant."""

import re
from pathlib import Path

import pytest

import connectors.store
from connectors.store.spanner import catalogue as spanner
from connectors.store.sqlite import catalogue as sqlite

SQLITE = {name: sql for name, sql in vars(sqlite.Scoped).items() if isinstance(sql, str) and name.isupper()}
SPANNER = {name: query.sql for name, query in vars(spanner.Scoped).items() if isinstance(query, spanner.Query)}
STATEMENTS = [pytest.param(sql, id=f"sqlite {name}") for name, sql in SQLITE.items()] + [
    pytest.param(sql, id=f"spanner {name}") for name, sql in SPANNER.items()
]


@pytest.mark.parametrize("sql", STATEMENTS)
def test_every_statement_of_a_tenant_compares_or_writes_tenant_id(sql: str) -> None:
    for part in re.split(r"\bUNION ALL\b", sql):
        if "INSERT INTO" in part:
            columns, values = re.search(r"\(([^)]*)\)\s*VALUES\s*\(([^)]*)\)", part).groups()  # type: ignore[union-attr]
            assert columns.split(",")[0].strip() == "tenant_id"
            assert values.split(",")[0].strip() == ":tenant_id"
            if "ON CONFLICT" in part:
                assert "ON CONFLICT (tenant_id" in part
        else:
            assert len(re.findall(r"\bFROM\b|\bUPDATE\b", part)) == 1
            assert re.search(r"WHERE\s+tenant_id = [:@]tenant_id\b", part)
            assert not re.search(r"tenant_id = [:@]tenant_id\s+OR\b", part)


def test_every_key_on_spanner_begins_with_the_tenant() -> None:
    tables = [table for table in vars(spanner.Tables).values() if isinstance(table, spanner.Table)]
    assert len(tables) > 12
    assert all(table.key[0] == "tenant_id" for table in tables)
    assert all("tenant_id" in query.parameters for query in vars(spanner.Scoped).values() if hasattr(query, "sql"))


def test_both_dialects_erase_every_table_that_a_tenant_has() -> None:
    folder = Path(connectors.store.__path__[0]) / "migrations"
    for dialect, erase in (("sqlite", sqlite.Admin.ERASE), ("spanner", [q.sql for q in spanner.Admin.ERASE])):
        ddl = (folder / dialect / "0001_core.sql").read_text("utf-8")
        tables = set(re.findall(r"CREATE TABLE (?:IF NOT EXISTS )?(\w+)", ddl))
        erased = {re.search(r"DELETE FROM (\w+) WHERE tenant_id = [:@]tenant_id$", sql).group(1) for sql in erase}  # type: ignore[union-attr]
        assert erased == tables


def test_sql_stands_in_the_catalogues_alone() -> None:
    folder = Path(connectors.store.__path__[0])
    words = re.compile(r"\"\s*(SELECT|INSERT|UPDATE|DELETE FROM|WITH|CREATE TABLE)\s")
    guilty = [str(path) for path in folder.rglob("*.py") if words.search(path.read_text("utf-8"))]
    assert {Path(path).name for path in guilty} <= {"catalogue.py"}
