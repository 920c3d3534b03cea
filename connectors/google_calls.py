"""What a failed call to a Google API means, and how often it is tried again at once.

Google's clients retry none of the calls that leadbus makes (only Secret Manager's has a policy, with a first pause
that is too long for a hot path), and their own retry hides the status behind an error without one. So this is the one
retry policy for them: per status a number of further attempts, a growing pause with jitter, and in the end the
vendor's own error, whose status the connectors map to the errors of their seam.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import grpc
from google.api_core.exceptions import GoogleAPICallError
from tenacity import AsyncRetrying, RetryCallState, wait_exponential_jitter

AnswerT = TypeVar("AnswerT")
Status = grpc.StatusCode

_WORDS_MAX = 300


@dataclass(frozen=True, slots=True)
class Patience:
    """Further attempts per status; pauses in seconds, doubling from `first_pause`, plus up to `jitter`."""

    attempts: Mapping[Any, int]
    first_pause: float
    longest_pause: float
    jitter: float


async def patiently(call: Callable[[], Awaitable[AnswerT]], patience: Patience) -> AnswerT:
    """The call's answer. Raises the last attempt's error as the client library raised it."""
    left = dict(patience.attempts)

    def again(state: RetryCallState) -> bool:
        error = state.outcome.exception() if state.outcome is not None else None
        status = status_of(error)
        left[status] = left.get(status, 0) - 1
        return error is not None and left[status] >= 0

    retrying = AsyncRetrying(
        retry=again,
        wait=wait_exponential_jitter(patience.first_pause, patience.longest_pause, jitter=patience.jitter),
        reraise=True,
    )

    # tenacity awaits what it sees to be a coroutine function, which not every callable shows.
    async def attempt() -> AnswerT:
        return await call()

    return await retrying(attempt)


def status_of(error: BaseException | None) -> Any:
    """The gRPC status of an error from a Google client, or None when it has none."""
    if isinstance(error, GoogleAPICallError):
        return error.grpc_status_code
    if isinstance(error, grpc.RpcError):
        return error.code()
    return None


def words_of(error: BaseException) -> str:
    """The vendor's words with the status in front, cut to a size that fits a log line."""
    status = status_of(error)
    message = error.message if isinstance(error, GoogleAPICallError) else str(error)
    return f"{status.name if status is not None else type(error).__name__}: {(message or '')[:_WORDS_MAX]}"
