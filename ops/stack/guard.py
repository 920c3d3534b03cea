"""A guard process: when its owner dies in whatever way, everything the owner started is ended too.

The owner registers process groups with its guard over a pipe. A closed pipe means that the owner is gone (also by
SIGKILL, and on every Unix): the guard sends SIGTERM to every group still registered, waits `grace_seconds`, then
sends SIGKILL. Linux's PR_SET_PDEATHSIG was not taken: it reaches the direct child only, not the workers that an
HTTP server forks, fires when the starting thread ends, and needs code between fork and exec.

The guard is this very file, run without site-packages: it is up in about 15 ms and imports the standard library
only. It runs in a session of its own, so Ctrl-C and a signal to the owner's group pass it by. What it cannot see is a
process registered in no group, or an owner killed in the microseconds between starting a child and naming it.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

POLL_SECONDS = 0.05


class Guard:
    """The owner's end. One guard serves any number of children; it is started by the first `watch`."""

    def __init__(self, grace_seconds: float = 5.0) -> None:
        self._grace_seconds = grace_seconds
        self._process: subprocess.Popen[bytes] | None = None

    def watch(self, group: int) -> None:
        """End this process group when the owner dies."""
        self._send(f"+{group}\n")

    def forget(self, group: int) -> None:
        """The group is gone or no longer ours."""
        self._send(f"-{group}\n")

    def close(self) -> None:
        """End the guard; what is still watched is ended with it."""
        if self._process is None:
            return
        process, self._process = self._process, None
        if process.stdin is not None:
            with contextlib.suppress(OSError):
                process.stdin.close()
        process.wait()

    def _send(self, line: str) -> None:
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(Path(__file__).resolve()), str(self._grace_seconds)],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        if self._process.stdin is not None:
            self._process.stdin.write(line.encode())
            self._process.stdin.flush()


def signal_group(group: int, number: signal.Signals) -> bool:
    """Signal a process group; False when nothing is left of it."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    except PermissionError:  # macOS answers so for a group of zombies
        return False
    return True


def end_groups(groups: set[int], grace_seconds: float) -> None:
    """SIGTERM, a wait of at most `grace_seconds` for all of them together, then SIGKILL."""
    left = {group for group in groups if signal_group(group, signal.SIGTERM)}
    deadline = time.monotonic() + grace_seconds
    while left and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
        left = {group for group in left if _alive(group)}
    for group in left:
        signal_group(group, signal.SIGKILL)


def _alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _main() -> None:
    groups: set[int] = set()
    for line in sys.stdin:
        group = int(line[1:])
        if line.startswith("+"):
            groups.add(group)
        else:
            groups.discard(group)
    end_groups(groups, float(sys.argv[1]))


if __name__ == "__main__":
    _main()
