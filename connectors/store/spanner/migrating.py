"""Brings a Spanner database's schema up to date.

Schema changes are no transactions, so every statement of the core may be repeated, and two processes that race do the
same work twice to the same end; each migration is named by the one that noted it. Optional migrations are probes: what
the database refuses it does not have (the packaged emulator knows neither vector indexes, graphs nor roles).
"""

import asyncio
from collections.abc import Sequence
from typing import Final

from google.api_core.exceptions import GoogleAPICallError, RetryError

from connectors.store.columns import StoreTime
from connectors.store.scripts import Script, scripts
from connectors.store.seam import Unavailable
from connectors.store.spanner.catalogue import Housekeeping
from connectors.store.spanner.engine import Engine
from connectors.store.spanner.errors import CANNOT, is_there_already, schema_change_is_busy, translated
from connectors.store.spanner.transaction import Transaction

BUSY_TRIES: Final = 40
BUSY_SECONDS: Final = 0.25


async def migrate(engine: Engine) -> Sequence[str]:
    """Apply what is missing; the names of what this call applied. `Unavailable` when a statement fails."""
    await engine.read(None, lambda tx: tx.now())  # says soon when nobody is there; schema changes wait for minutes
    await _change(engine, [Housekeeping.MIGRATIONS_TABLE])
    done = set(await applied(engine))
    news: list[str] = []
    for script in scripts("spanner"):
        if script.name not in done and await _apply(engine, script) and await _note(engine, script.name):
            news.append(script.name)
    return news


async def applied(engine: Engine) -> Sequence[str]:
    """The names of the migrations that this database has."""
    return [row["name"] for row in await engine.read(None, lambda tx: tx.query(Housekeeping.MIGRATIONS))]


async def _apply(engine: Engine, script: Script) -> bool:
    """Whether the database can do it and has it now."""
    if not script.optional:
        await _change(engine, script.statements)
        return True
    for statement in script.statements:
        try:
            await _change(engine, [statement])
        except _RefusedError:
            return False
    return True


class _RefusedError(Unavailable):
    """The database does not know such a statement."""


async def _change(engine: Engine, statements: Sequence[str]) -> None:
    for _ in range(BUSY_TRIES):
        try:
            await engine.change_schema(statements)
        except (GoogleAPICallError, RetryError) as error:
            if schema_change_is_busy(error):
                await asyncio.sleep(BUSY_SECONDS)
                continue
            if is_there_already(error) and len(statements) == 1:
                return
            if isinstance(error, CANNOT):
                raise _RefusedError(f"Spanner refuses a schema change: {error.message}") from error
            raise translated(error) from None
        except TimeoutError:
            raise Unavailable("Spanner did not finish a schema change in time") from None
        else:
            return
    raise Unavailable("another schema change goes on; migrate again when it is done")


async def _note(engine: Engine, name: str) -> bool:
    """Write down that it is applied; False when somebody else has."""

    async def work(tx: Transaction) -> bool:
        if await tx.get(Housekeeping.SCHEMA_MIGRATIONS, name) is not None:
            return False
        tx.insert(Housekeeping.SCHEMA_MIGRATIONS, {"name": name, "applied_at": StoreTime.NOW})
        return True

    return await engine.write(None, "migrate", work)
