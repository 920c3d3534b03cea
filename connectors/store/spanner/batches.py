"""Many rows of several tenants for the price of few round trips.

A batch is one read-write transaction: one read a table for all keys, one commit for all writes. Every key and every
write in it names its tenant. When it is refused, because one row can never be stored, its halves are tried on their
own, down to the row that is to blame: it is answered with its error and its neighbours are stored.

Rows of one tenant keep their order. Batches have at most `ROWS` rows: with the largest records that is half of what
Spanner takes in a commit (100 MiB; of its 80,000 mutations it is a fraction), and the emulator slows down above.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Final, TypeVar

from connectors.store.columns import Row
from connectors.store.seam import StoreError, Unavailable
from connectors.store.spanner.catalogue import Table
from connectors.store.spanner.transaction import Transaction

A = TypeVar("A")
R = TypeVar("R")

ROWS: Final = 50

Key = tuple[Any, ...]
"""Of a row, or the beginning of one: the tenant first."""


def key_of(table: Table, tenant_id: str, values: Row) -> Key:
    """The key of a row that is to be written."""
    return (tenant_id, *(values[name] for name in table.key[1:]))


class Batch:
    """An open transaction over rows of several tenants; `tx` is bound to none of them."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def of(self, tenant_id: str) -> Transaction:
        """The same transaction for the writes of one tenant."""
        return self._tx.of(tenant_id)

    async def find(self, table: Table, keys: Iterable[Key]) -> dict[Key, Row]:
        """The rows that are there, by their keys."""
        found = await self._tx.get_rows(table, list(dict.fromkeys(keys)))
        return {tuple(row[name] for name in table.key): row for row in found}

    async def under(self, table: Table, beginnings: Iterable[Key]) -> dict[Key, list[Row]]:
        """All rows whose keys begin so, by the beginning; all beginnings are equally long. Nobody else adds one."""
        wanted: dict[Key, list[Row]] = {beginning: [] for beginning in beginnings}
        names = table.key[: len(next(iter(wanted)))]
        for row in await self._tx.get_rows(table, list(wanted), whole=False):
            wanted[tuple(row[name] for name in names)].append(row)
        return wanted


async def in_batches(
    rows: Sequence[A], write: Callable[[Sequence[A]], Awaitable[Sequence[R]]]
) -> Sequence[R | StoreError]:
    """The answers of `write` for all rows, in order; `write` is one transaction. Raises `Unavailable`."""
    answers: list[R | StoreError] = []
    for start in range(0, len(rows), ROWS):
        answers += await _settled(rows[start : start + ROWS], write)
    return answers


def only(answers: Sequence[R | StoreError]) -> R:
    """The answer of a batch of one row; raises its error."""
    [answer] = answers
    if isinstance(answer, StoreError):
        raise answer
    return answer


async def _settled(
    rows: Sequence[A], write: Callable[[Sequence[A]], Awaitable[Sequence[R]]]
) -> Sequence[R | StoreError]:
    try:
        return list(await write(rows))
    except Unavailable:
        raise
    except StoreError as error:
        if len(rows) == 1:
            return [error]
    middle = len(rows) // 2
    return [*await _settled(rows[:middle], write), *await _settled(rows[middle:], write)]
