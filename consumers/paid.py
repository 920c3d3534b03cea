"""Results that cost money are kept under the hash of their input and found again before anything is spent.

A re-run after a crash, a replay, or the same recording under two events costs one read. Of two racing workers the one
that stored second uses what the first one stored. The event that paid is kept with the result: told again it says the
same cost, every other event says that it reused it. Once the money is spent, a storage that goes away does not make it
spent again: keeping is tried a few times, then the lead goes on with what was paid for.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Protocol, Self, TypeVar

import structlog
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_exponential

from connectors.recordings.seam import Objects, ObjectsUnavailable
from connectors.store.seam import Conflict, Scope, Store, Unavailable

TRIES = 4
Sleep = Callable[[float], Awaitable[None]]


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
    store: Store,
    scope: Scope,
    kind: str,
    input_hash: str,
    result: type[R],
    work: Callable[[], Awaitable[R]],
    *,
    payer: str,
    sleep: Sleep,
) -> R:
    """The stored result of `kind` for this input, or that of `work`, which is stored; `payer` is the event's id.

    Raises the store's errors only before anything is paid.
    """
    known: Any = await store.get_result(scope, kind, input_hash)
    if known is None:
        fresh = await work()
        mine = {"payer": payer, "result": fresh.model_dump(mode="json")}
        try:
            async for attempt in _tries(sleep, Unavailable, Conflict):
                with attempt:
                    known = await store.put_result_if_absent(scope, kind, input_hash, mine)
        except (Unavailable, Conflict) as error:
            _log(scope.tenant_id, kind, error)
            return fresh
    found = result.model_validate(known["result"])
    return found if known["payer"] == payer else found.as_reused()


async def kept(objects: Objects, tenant_id: str, kind: str, data: bytes, *, sleep: Sleep) -> str | None:
    """Keeps what came along with a paid result, under its hash; None when object storage stays away."""
    try:
        async for attempt in _tries(sleep, ObjectsUnavailable):
            with attempt:
                return await objects.put(tenant_id, data)
    except ObjectsUnavailable as error:
        _log(tenant_id, kind, error)
    return None


def _tries(sleep: Sleep, *errors: type[Exception]) -> AsyncRetrying:
    return AsyncRetrying(
        retry=retry_if_exception_type(errors),
        stop=stop_after_attempt(TRIES),
        wait=wait_exponential(multiplier=0.2, max=2.0),
        sleep=sleep,
        reraise=True,
    )


def _log(tenant_id: str, kind: str, error: Exception) -> None:
    log = structlog.get_logger("leadbus.paid")
    log.error("paid_result_not_kept", tenant=tenant_id, kind=kind, error=type(error).__name__)
