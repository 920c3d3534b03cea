"""Results that cost money are kept under the hash of their input and found again before anything is spent.

A re-run after a crash, a replay, or the same recording under two events costs one read. Of two racing workers the one
that stored second uses what the first one stored.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Protocol, Self, TypeVar

from connectors.store.seam import Scope, Store


class Paid(Protocol):
    """A result that costs money; a pydantic model."""

    def model_dump(self, *, mode: str) -> dict[str, Any]:
        """Its JSON."""
        ...

    @classmethod
    def model_validate(cls, obj: Any) -> Self:
        """Back from its JSON."""
        ...

    def as_reused(self) -> Self:
        """The same result with nothing spent."""
        ...


R = TypeVar("R", bound=Paid)


async def paid_once(
    store: Store, scope: Scope, kind: str, input_hash: str, result: type[R], work: Callable[[], Awaitable[R]]
) -> R:
    """The stored result of `kind` for this input, or that of `work`, which is stored."""
    known = await store.get_result(scope, kind, input_hash)
    if known is None:
        fresh = await work()
        mine = fresh.model_dump(mode="json")
        known = await store.put_result_if_absent(scope, kind, input_hash, mine)
        if known == mine:
            return fresh
    return result.model_validate(known).as_reused()
