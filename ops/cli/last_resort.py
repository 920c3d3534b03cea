"""The end of a process that has done its work but cannot end: a thread of it hangs in a vendor's client.

Python waits for every thread of the loop's pool, however long its call takes. What the call was for is open and will
be done again; the platform would kill the process without a word.
"""

import contextlib
import logging
import os
import sys
import threading
from collections.abc import Coroutine
from typing import Any

from consumers.runtime.stacks import stacks_of_threads

ENDING_SECONDS = 3.0

log = logging.getLogger("leadbus")


class LastResort:
    """`around` the work, inside the loop; `called_off` once the loop has ended."""

    def __init__(self, seconds: float = ENDING_SECONDS) -> None:
        self._seconds = seconds
        self._timer: threading.Timer | None = None

    async def around(self, work: Coroutine[Any, Any, None]) -> None:
        """What is done inside is waited for; some seconds after it the process ends, and says which threads kept it."""
        code = 0
        try:
            await work
        except BaseException:
            code = 3
            raise
        finally:
            self._timer = threading.Timer(self._seconds, _end, (code,))
            self._timer.daemon = True
            self._timer.start()

    def called_off(self) -> None:
        """Nothing hangs."""
        if self._timer is not None:
            self._timer.cancel()


def _end(code: int) -> None:
    log.warning("everything is done but for threads that do not end; they are left behind\n%s", stacks_of_threads())
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)
