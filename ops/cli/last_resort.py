"""The end of a process that has done its work but cannot end: a thread of it hangs in a vendor's client.

Python waits for every thread of the loop's pool, however long its call takes. What the call was for is open and will
be done again; the platform would kill the process without a word.
"""

import contextlib
import logging
import os
import sys
import threading
from collections.abc import AsyncIterator

from consumers.runtime.stacks import stacks_of_threads

ENDING_SECONDS = 3.0

log = logging.getLogger("leadbus")


@contextlib.asynccontextmanager
async def ending_soon(seconds: float = ENDING_SECONDS) -> AsyncIterator[None]:
    """What runs inside is waited for; `seconds` after it the process ends, and says which threads kept it."""
    code = 0
    try:
        yield
    except BaseException:
        code = 3
        raise
    finally:
        timer = threading.Timer(seconds, _end, (code,))
        timer.daemon = True
        timer.start()


def _end(code: int) -> None:
    log.warning("everything is done but for threads that do not end; they are left behind\n%s", stacks_of_threads())
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)
