"""One child process with its log in a file, for the parts that are started synchronously (brokers, emulators).

The child gets a session of its own, so a Ctrl-C in the terminal reaches only its owner, and the whole group can be
signalled, workers included. A guard ends it when the owner is killed. Standard output and error go to the log file
directly: no pipe can fill up and nobody has to pump it.

A **ready line** is how our own processes say that they are up: one line of JSON on standard output, an object whose
`ready` is true, with whatever the starter must know (an address, a port).
"""

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ops.stack.errors import PartFailed
from ops.stack.guard import Guard, signal_group

TAIL_BYTES = 16_384


class Child:
    """A named process. `start` may be called again once it has ended; the log file grows."""

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        *,
        log: Path,
        guard: Guard,
        env: Mapping[str, str] | None = None,
    ) -> None:
        """`env` is laid over this process's environment."""
        self.name = name
        self.log = log
        self._argv = list(argv)
        self._env = dict(env or {})
        self._guard = guard
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The process id; PartFailed before the first start."""
        if self._process is None:
            raise PartFailed(f"{self.name} was not started")
        return self._process.pid

    def start(self) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._log_start = log.tell()
            self._process = subprocess.Popen(
                self._argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self._env},
                start_new_session=True,
            )
        self._guard.watch(self._process.pid)

    def wait_until(self, ready: Callable[[], Any], *, seconds: float, every: float = 0.02) -> Any:
        """Poll `ready` until it returns something true, and return that.

        PartFailed when the child dies before, or `seconds` have passed.
        """
        deadline = time.monotonic() + seconds
        while True:
            if answer := ready():
                return answer
            if self._process is None or self._process.poll() is not None:
                code = None if self._process is None else self._process.returncode
                raise PartFailed(f"{self.name} ended with code {code} before it was ready\n{self.tail()}")
            if time.monotonic() > deadline:
                raise PartFailed(f"{self.name} was not ready after {seconds:.0f} s\n{self.tail()}")
            time.sleep(every)

    def ready_line(self) -> dict[str, Any] | None:
        """The ready line of the present run, once it is there."""
        return find_ready_line(self.log, self._log_start)

    def kill(self) -> None:
        """SIGKILL to the whole group, and wait until it is gone."""
        self._end(signal.SIGKILL, 0)

    def stop(self, grace_seconds: float = 5.0) -> None:
        """SIGTERM, then SIGKILL after the grace time; without effect on a child that is not there."""

        self._end(signal.SIGTERM, grace_seconds)

    def tail(self, lines: int = 15) -> str:
        """The last lines of the log."""
        return tail(self.log, lines)

    def _end(self, number: signal.Signals, grace_seconds: float) -> None:
        if self._process is None:
            return
        signal_group(self._process.pid, number)
        if grace_seconds:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(grace_seconds)
        signal_group(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._guard.forget(self._process.pid)


def find_ready_line(log: Path, start: int = 0) -> dict[str, Any] | None:
    """The first ready line at or after byte `start` of a log; None as long as there is none."""
    try:
        with log.open("rb") as file:
            file.seek(start)
            text = file.read()
    except FileNotFoundError:
        return None
    for line in text.splitlines(keepends=True):
        if not line.startswith(b"{") or not line.endswith(b"\n"):
            continue
        try:
            value = json.loads(line)
        except ValueError:
            continue
        if isinstance(value, dict) and value.get("ready") is True:
            return value
    return None


def tail(log: Path, lines: int) -> str:
    """The last `lines` lines of a file, at most 16 KiB; empty when there is no such file."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - TAIL_BYTES))
            text = file.read().decode(errors="replace")
    except FileNotFoundError:
        return ""
    return "\n".join(text.splitlines()[-lines:])
