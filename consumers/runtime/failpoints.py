"""Failpoints: make the worst moments reachable, in tests and fault runs.

`LEADBUS_FAILPOINT=name` kills the process (SIGKILL: nothing is cleaned up, as on a machine that fails) at the first
call of `hit(name)`; `name:3` at the third. Off unless set. Names used by the runtime:

    after_publish_before_commit   a record's publications are acknowledged, the record is not marked finished
"""

import os
import signal
from collections.abc import Mapping

VARIABLE = "LEADBUS_FAILPOINT"


class Failpoints:
    """Handed to whoever has such a moment. Without a name it never does anything."""

    def __init__(self, name: str = "", nth: int = 1) -> None:
        if nth < 1:
            raise ValueError(f"{VARIABLE}={name}:{nth} must count from 1")
        self._name = name
        self._left = nth

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Failpoints":
        """Reads `name[:nth]`; ValueError when nth is not a number from 1."""
        name, _, nth = environment.get(VARIABLE, "").partition(":")
        if nth and not nth.isdigit():
            raise ValueError(f"{VARIABLE} must be name[:nth], not {name}:{nth}")
        return cls(name, int(nth) if nth else 1)

    def hit(self, name: str) -> None:
        """Die here, if this is the moment that was asked for."""
        if not self._name or name != self._name:
            return
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
