"""Where the stack keeps what it downloads, and which port a part may take.

Nothing is created here: callers make the folders that they use.
"""

import os
import socket
import sys
from collections.abc import Mapping
from pathlib import Path

LOOPBACK = "127.0.0.1"


def cache_dir(env: Mapping[str, str] | None = None) -> Path:
    """The per-user cache folder of leadbus: `LEADBUS_CACHE`, else the platform's cache folder / `leadbus`."""
    env = os.environ if env is None else env
    if chosen := env.get("LEADBUS_CACHE"):
        return Path(chosen)
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "leadbus"
    if local := env.get("LOCALAPPDATA"):
        return Path(local) / "leadbus" / "Cache"
    return Path(env.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "leadbus"


def free_ports(count: int) -> list[int]:
    """`count` different TCP ports that were free on loopback a moment ago.

    All are held open together, so they differ. Another process may still take one before its user binds it: the
    part that was to listen then fails to start, loudly.
    """
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_STREAM) for _ in range(count)]
    try:
        for each in sockets:
            each.bind((LOOPBACK, 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()
