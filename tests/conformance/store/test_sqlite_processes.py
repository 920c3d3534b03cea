"""One SQLite file, several processes: nothing is lost, nothing is doubled, nothing is half done."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from connectors.store.opening import open_store
from connectors.store.seam import Conflict, FullStore, NotFound, OfficeRow, RequestRow, Scope, TenantRow, Unavailable

from . import samples

ROOT = Path(__file__).parents[3]
SCOPE = Scope("acme")
EACH = 100

WRITER = """
import asyncio, sys
from connectors.store.opening import open_store
from connectors.store.seam import Draw, Scope
from tests.conformance.store import samples

async def main(url, me, each):
    store, scope = open_store(url), Scope("acme")
    mine = 0
    async def one(n):
        nonlocal mine
        await store.record_arrival(scope, samples.arrival(f"{me} {n}", offset=n))
        claim = await store.claim_order(scope, samples.named(f"order {n}"), me, 60)
        if claim.mine:
            mine += 1
            await store.finish_order(scope, claim, me, "done", {"by": me})
        draw = Draw("sales", samples.named(f"{me} order {n}"), ("ann", "bea"))
        await store.put_decision_if_absent(scope, samples.decision(scope, f"{me} {n}"), [draw])
    for start in range(0, each, 10):
        await asyncio.gather(*(one(n) for n in range(start, start + 10)))
    await store.close()
    print(mine)

asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
"""


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[tuple[str, FullStore]]:
    url = f"sqlite:///{tmp_path}/store.db"
    store = open_store(url)
    await store.migrate()
    await store.put_tenant(TenantRow("acme", "Acme"), [OfficeRow("north", "North")])
    yield url, store
    await store.close()


async def test_processes_that_write_at_once_lose_nothing_and_share_every_order(here: tuple[str, FullStore]) -> None:
    url, store = here
    command = [sys.executable, "-c", WRITER, url]
    writers = [
        await asyncio.create_subprocess_exec(*command, name, str(EACH), cwd=ROOT, stdout=subprocess.PIPE)
        for name in ("one", "two", "three")
    ]
    claimed = [int((await writer.communicate())[0]) for writer in writers]
    counts = await store.count(SCOPE)
    assert sum(claimed) == counts["orders"] == EACH
    assert counts["arrivals"] == counts["decisions"] == counts["tickets"] == 3 * EACH
    assert [t.number for t in await store.list_tickets(SCOPE, "sales")] == list(range(3 * EACH))


async def test_a_refused_call_takes_nothing_of_its_group_with_it(here: tuple[str, FullStore]) -> None:
    _, store = here

    async def one(n: int) -> str:
        office = "nowhere" if n % 3 == 0 else "north"
        try:
            await store.merge_request(SCOPE, RequestRow(samples.named(str(n)), office_id=office, revision="1"))
        except NotFound:
            return office
        return office

    await asyncio.gather(*(one(n) for n in range(60)))
    assert (await store.count(SCOPE))["requests"] == 40


@pytest.mark.usefixtures("here")
def test_the_file_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    assert {path.stat().st_mode & 0o077 for path in tmp_path.iterdir()} == {0}


async def test_a_folder_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/missing/store.db")
    with pytest.raises(Unavailable, match="folder"):
        await store.migrate()
    with pytest.raises(Unavailable, match="folder"):
        await store.ping()
    await store.close()


async def test_a_file_that_is_no_database_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "store.db").write_bytes(b"not a database, but long enough to be looked at as one" * 100)
    store = open_store(f"sqlite:///{tmp_path}/store.db")
    with pytest.raises(Unavailable):
        await store.migrate()
    await store.close()


async def test_what_was_answered_is_there_for_a_store_opened_later(here: tuple[str, FullStore]) -> None:
    url, store = here
    claim = await store.claim_order(SCOPE, "order", "me", 60)
    again = open_store(url)
    with pytest.raises(Conflict):
        await again.finish_order(SCOPE, claim, "another", "done", None)
    assert (await again.finish_order(SCOPE, claim, "me", "done", None)).state == "done"
    await again.close()
