"""Calling a daemon's handlers: the time limit, the quick tries, and the measuring.

The answer to a record is always what to publish or a HandlerError: a handler that takes too long is cancelled, and its
record is to be retried; any other error is a fault of ours, tried again a few times within seconds, and then Permanent.
"""

import asyncio
import logging
from collections.abc import Sequence
from typing import Generic

from tenacity import AsyncRetrying, retry_if_not_exception_type, stop_after_attempt, wait_exponential

from consumers.runtime.clock import Clock
from consumers.runtime.deadlines import Deadlines, Overrun
from consumers.runtime.metrics import Children, Metrics
from consumers.runtime.seam import D, DaemonSpec, HandlerError, Permanent, Publication, Record, RetryAfter
from consumers.runtime.settings import RuntimeSettings

log = logging.getLogger(__name__)

HANDLER_FAILED = "handler_failed"
HANDLER_TIMEOUT = "handler_timeout"

Result = Sequence[Publication] | HandlerError


class Handling(Generic[D]):
    """For one daemon."""

    def __init__(self, spec: DaemonSpec[D], *, settings: RuntimeSettings, clock: Clock, metrics: Metrics) -> None:
        self._spec = spec
        self._settings = settings
        self._clock = clock
        self._seconds = Children(metrics.handler_seconds)
        self._deadlines = Deadlines(spec.handler_timeout)

    async def handle(self, record: Record[D]) -> Result:
        """What the handler answers to a record."""
        began = self._clock.monotonic()
        result: Result | None = None
        try:
            result = await self._deadlines.within(self._spec.handler(record))
        except HandlerError as error:
            result = error
        except Overrun:
            result = self._overrun()
        except Exception as error:  # noqa: BLE001  whatever it is, it may be gone in a moment
            result = await self._handle_again(record, error)
        finally:
            outcome = (
                type(result).__name__ if isinstance(result, HandlerError) else "error" if result is None else "done"
            )
            self._seconds[outcome].observe(self._clock.monotonic() - began)
        return result

    async def handle_together(self, records: Sequence[Record[D]]) -> Sequence[Result] | None:
        """What the batch handler answers to each; None when each must be handled alone."""
        if self._spec.batch_handler is None:
            return None
        began, outcome = self._clock.monotonic(), "error"
        try:
            results = await self._deadlines.within(self._spec.batch_handler(records))
            if len(results) != len(records):
                raise TypeError(f"{len(results)} results for {len(records)} records")
            outcome = "done"
        except Exception as error:  # noqa: BLE001  what is wrong with which record is found out one by one
            where = _where(error)
            log.warning(
                "%s failed on %d together at %s: %s", self._spec.name, len(records), where, type(error).__name__
            )
            return None
        finally:
            self._seconds[outcome].observe(self._clock.monotonic() - began)
        return results

    async def _handle_again(self, record: Record[D], failed: Exception) -> Result:
        tries = AsyncRetrying(
            retry=retry_if_not_exception_type((HandlerError, Overrun, asyncio.CancelledError)),
            stop=stop_after_attempt(self._settings.quick_tries),
            wait=wait_exponential(multiplier=self._settings.quick_try_wait_seconds),
            sleep=self._clock.sleep,
            reraise=True,
        )
        first: Exception | None = failed
        try:
            async for attempt in tries:
                with attempt:
                    # The first try was made before there was any need for this machinery: it costs more than most work.
                    if first is not None:
                        error, first = first, None
                        raise error
                    return await self._deadlines.within(self._spec.handler(record))
        except HandlerError as error:
            return error
        except Overrun:
            return self._overrun()
        except Exception as error:  # noqa: BLE001
            failed = error
        # The name of the error and where: its text may hold somebody's name.
        where = _where(failed)
        log.error("%s failed at %s: %s", self._spec.name, where, type(failed).__name__)
        return Permanent(HANDLER_FAILED, f"{type(failed).__name__} at {where}")

    def _overrun(self) -> HandlerError:
        return RetryAfter(HANDLER_TIMEOUT, f"not done within {self._spec.handler_timeout:g} s")


def _where(error: BaseException) -> str:
    trace = error.__traceback__
    if trace is None:
        return "unknown"
    while trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_globals.get('__name__', '?')}:{trace.tb_lineno}"
