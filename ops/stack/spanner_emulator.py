"""The Cloud Spanner emulator as a child process: memory only, up in 20 ms, one per test run.

`emulator_main` is started directly, without the gateway binary (REST is not needed, and killing the gateway leaves
the emulator behind). `--abort_current_transaction_probability=0`: with the packaged default of 20 a later
transaction aborts the one that runs, and 50 concurrent writers starve.

Nothing of this process is changed: `client_environment` says what a client needs in its environment.
"""

import os
import shutil
import socket
import tempfile
from pathlib import Path

from ops.stack.child import Child
from ops.stack.errors import PartFailed, PartUnavailable
from ops.stack.guard import Guard
from ops.stack.places import LOOPBACK, free_ports

START_SECONDS = 20.0
BINARY = "emulator_main"
VARIABLE = "LEADBUS_SPANNER_EMULATOR"
PACKAGED = Path("/usr/lib/google-cloud-sdk/bin/cloud_spanner_emulator")
PACKAGE = "google-cloud-cli-spanner-emulator"


def find_emulator() -> Path:
    """The emulator's binary: `LEADBUS_SPANNER_EMULATOR` (file or folder), PATH, then the Debian package's folder.

    PartUnavailable, with what to install, when it is in none of them.
    """
    if chosen := os.environ.get(VARIABLE):
        path = Path(chosen) / BINARY if Path(chosen).is_dir() else Path(chosen)
        if not os.access(path, os.X_OK):
            raise PartUnavailable(f"{VARIABLE} names {path}, which is not an executable file")
        return path
    found = shutil.which(BINARY) or shutil.which(BINARY, path=str(PACKAGED))
    if found is None:
        raise PartUnavailable(
            f"the Cloud Spanner emulator is missing: install the Debian package {PACKAGE},"
            f" or set {VARIABLE} to the path of {BINARY}"
        )
    return Path(found)


def why_not() -> str | None:
    """Why there is no emulator on this machine, as a sentence; None when there is one."""
    try:
        find_emulator()
    except PartUnavailable as error:
        return str(error)
    return None


def client_environment(host: str) -> dict[str, str]:
    """What a client of the emulator at `host` (host:port) needs in its environment.

    Multiplexed sessions for read-write transactions are off because the emulator's packaged version fails
    concurrent ones (of 10 at once, 1 passed); the client's metrics exporter because it would look for the cloud.
    """
    return {
        "SPANNER_EMULATOR_HOST": host,
        "GOOGLE_CLOUD_SPANNER_MULTIPLEXED_SESSIONS_FOR_RW": "false",
        "SPANNER_DISABLE_BUILTIN_METRICS": "true",
    }


class SpannerEmulator:
    """One emulator on a free port. A stopped one may be started again: empty, on another port."""

    def __init__(self, *, fault_injection: bool = False) -> None:
        """`fault_injection` makes it abort about 6 % of the commits, for tests of retries."""
        self._fault_injection = fault_injection
        self._guard = Guard()
        self._child: Child | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def start(self) -> str:
        """Start it and return host:port; PartUnavailable without a binary, PartFailed when it does not come up."""
        if self._child is not None and self._child.running:
            raise PartFailed("the Spanner emulator is running already")
        binary = find_emulator()
        # The emulator sets SO_REUSEPORT: two on one port would share the calls without a word, hence a fresh port.
        [port] = free_ports(1)
        argv = [str(binary), f"--host_port={LOOPBACK}:{port}", "--abort_current_transaction_probability=0"]
        if self._fault_injection:
            argv.append("--enable_fault_injection")
        self._folder = tempfile.TemporaryDirectory(prefix="leadbus-spanner-")
        log = Path(self._folder.name) / "emulator.log"
        self._child = Child("Spanner emulator", argv, log=log, guard=self._guard)
        self._child.start()
        try:
            self._child.wait_until(lambda: _listens(port), seconds=START_SECONDS)
        except PartFailed:
            self.stop()
            raise
        return f"{LOOPBACK}:{port}"

    def stop(self) -> None:
        """End it; its databases are gone. Calling it twice does no harm."""
        if self._child is not None:
            self._child.kill()
            self._child = None
        self._guard.close()
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def __enter__(self) -> str:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


def _listens(port: int) -> bool:
    try:
        socket.create_connection((LOOPBACK, port), timeout=1).close()
    except OSError:
        return False
    return True
