"""Steady traffic for a fault run: records at a rate, from a thread of its own, until told to end."""

import threading
import time
from collections.abc import Callable
from types import TracebackType

from ops.chaos.runtime.installation import Installation
from ops.chaos.runtime.records import Order

BEATS = 10
"""Bursts a second."""


class Traffic:
    """Produces while its block is entered; a failure to produce is raised when the block is left."""

    def __init__(self, topics: Installation, rate: int, order: Callable[[int], Order], *, start: int = 0) -> None:
        """`rate` records a second; `order` says what the record of a number is. Numbers count from `start`."""
        self._topics = topics
        self._rate = rate
        self._order = order
        self._number = start
        self._end = threading.Event()
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="traffic", daemon=True)

    def __enter__(self) -> "Traffic":
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._end.set()
        self._thread.join()
        if self._failure is not None and error is None:
            raise self._failure

    def _run(self) -> None:
        began, made = time.monotonic(), 0
        try:
            while not self._end.wait(1 / BEATS):
                # What an outage held back is not made up for: it would be a flood, which is another matter.
                due = min(round((time.monotonic() - began) * self._rate) - made, self._rate)
                made = round((time.monotonic() - began) * self._rate)
                self._topics.produce(self._order(self._number + index) for index in range(due))
                self._number += due
        except Exception as error:  # noqa: BLE001  raised to whoever waits for the traffic's end
            self._failure = error
