"""A worker as a process: killed, asked to stop, put to sleep and woken."""

import os
import signal
import time

from ops.chaos.runtime.waiting import wait_until
from ops.stack.child import Child

READY_SECONDS = 40.0


class Worker:
    """A worker process."""

    def __init__(self, child: Child) -> None:
        self._child = child

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def running(self) -> bool:
        return self._child.running

    def wait_ready(self) -> "Worker":
        """Wait until its first assignment is placed; PartFailed with its log when it is not."""
        self._child.wait_until(self._child.ready_line, seconds=READY_SECONDS)
        return self

    def kill(self) -> float:
        """SIGKILL; returns the moment."""
        moment = time.monotonic()
        self._child.kill()
        return moment

    def ask_to_stop(self) -> float:
        """SIGTERM without waiting; returns the moment."""
        moment = time.monotonic()
        os.kill(self.pid, signal.SIGTERM)
        return moment

    def wait_stopped(self, seconds: float) -> float:
        """Wait until it has ended by itself; returns how long that took."""
        began = time.monotonic()
        return wait_until("it stops", lambda: not self.running, seconds, every=0.02) - began

    def pause(self) -> float:
        """SIGSTOP; returns the moment."""
        os.kill(self.pid, signal.SIGSTOP)
        return time.monotonic()

    def wake(self) -> float:
        """SIGCONT; returns the moment."""
        moment = time.monotonic()
        os.kill(self.pid, signal.SIGCONT)
        return moment

    def log(self) -> str:
        """Everything it has logged."""
        return self._child.log.read_text(errors="replace") if self._child.log.exists() else ""
