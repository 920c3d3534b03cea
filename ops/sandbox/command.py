"""What `leadbus sandbox` runs: all servers until SIGTERM or SIGINT, with the addresses told once they are ready.

One JSON line with every address goes to the output when everything listens, and to a file when one is named (written
beside it and renamed, so that a reader never sees half). Exit code 0 after a clean stop, 3 when a port is taken.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

from ops.sandbox.server import Sandbox, SandboxAddresses

_EXIT_ENVIRONMENT = 3


def run(
    *,
    host: str = "127.0.0.1",
    ports: Mapping[str, int] | None = None,
    addresses_file: Path | None = None,
    recordings: Mapping[str, str] | None = None,
    out: TextIO | None = None,
) -> int:
    """Serve until told to stop. `recordings` maps CallRail call ids to recording names from the start."""
    return asyncio.run(_serve(host, ports, addresses_file, recordings or {}, out or sys.stdout))


async def _serve(
    host: str,
    ports: Mapping[str, int] | None,
    addresses_file: Path | None,
    recordings: Mapping[str, str],
    out: TextIO,
) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    sandbox = Sandbox()
    for call_id, name in recordings.items():
        sandbox.map_recording(call_id, name)
    try:
        addresses = await sandbox.start(host, ports)
    except (OSError, RuntimeError) as problem:
        out.write(json.dumps({"error": f"the sandbox cannot listen: {problem}"}) + "\n")
        out.flush()
        return _EXIT_ENVIRONMENT
    try:
        if addresses_file is not None:
            await asyncio.to_thread(_write, addresses_file, addresses)
        out.write(json.dumps({"ready": True, **addresses.model_dump()}) + "\n")
        out.flush()
        await stop.wait()
    finally:
        await sandbox.stop()
    return 0


def _write(path: Path, addresses: SandboxAddresses) -> None:
    draft = path.with_name(path.name + ".new")
    draft.write_text(addresses.model_dump_json() + "\n", encoding="utf-8")
    draft.replace(path)
