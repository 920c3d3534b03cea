"""Waiting for what happens in other processes."""

import time
from collections.abc import Callable


def happens(moment: Callable[[], object], seconds: float) -> bool:
    """Whether the moment comes within `seconds`."""
    try:
        wait_until("", moment, seconds, every=0.2)
    except TimeoutError:
        return False
    return True


def wait_until(what: str, moment: Callable[[], object], seconds: float, *, every: float = 0.05) -> float:
    """Wait for the moment, and say when it came (monotonic); TimeoutError, which says `what`, when it does not come."""
    deadline = time.monotonic() + seconds
    while not moment():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds:.0f} s: {what}")
        time.sleep(every)
    return time.monotonic()
