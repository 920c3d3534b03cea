"""Runs the gateway: Granian's RSGI server in this process, on one event loop, until SIGTERM or SIGINT.

One process, so that killing it kills all of it; a machine's other cores take further gateways. Stopping: `/readyz`
says no first, then no new connections, then requests under way finish (at most `drain_seconds`), then the publisher
flushes. `main` returns the exit code: 0 after a stop, 3 when it could not start or the server ended by itself.
"""

import asyncio
import contextlib
import signal
from collections.abc import Callable, Coroutine
from typing import Any

from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.server.embed import Server

from connectors.settings import ConnectionSettings
from connectors.store.seam import StoreError
from gateway.bootstrap import Gateway, open_gateway
from gateway.logs import json_log
from gateway.settings import GatewaySettings

FINE = 0
ENVIRONMENT = 3


async def serve(gateway: Gateway, settings: GatewaySettings, stop: asyncio.Event) -> bool:
    """Serve until `stop` is set; False when the server ended without being asked to."""
    server = Server(
        gateway.app,
        address=settings.host,
        port=settings.port,
        interface=Interfaces.RSGI,
        http=HTTPModes.http1,
        websockets=False,
        backlog=settings.backlog,
        http1_settings=HTTP1Settings(header_read_timeout=round(settings.header_seconds * 1000)),
        log_enabled=False,
    )
    serving = asyncio.create_task(server.serve(), name="http")
    stopping = asyncio.create_task(stop.wait(), name="stop")
    gateway.log.info("listening", host=settings.host, port=settings.port)
    await asyncio.wait((serving, stopping), return_when=asyncio.FIRST_COMPLETED)
    if serving.done():
        stopping.cancel()
        error = serving.exception()
        gateway.log.error("server ended", error=f"{type(error).__name__}: {error}" if error else "unexpectedly")
        return False
    gateway.app.draining = True
    gateway.log.info("draining")
    await asyncio.sleep(settings.unready_seconds)
    server.stop()  # type: ignore[no-untyped-call]
    _, late = await asyncio.wait((serving,), timeout=settings.drain_seconds)
    if late:
        gateway.log.warning("requests cut off", after_seconds=settings.drain_seconds)
        serving.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await serving
    gateway.log.info("stopped")
    return True


async def run(settings: GatewaySettings, connections: ConnectionSettings) -> int:
    """Open the parts, serve, close; the exit code."""
    log = json_log(settings.log_level)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        async with open_gateway(settings, connections, log) as gateway:
            return FINE if await serve(gateway, settings, stop) else ENVIRONMENT
    except (ValueError, OSError, StoreError) as error:
        log.error("not started", error=str(error))
        return ENVIRONMENT
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


def main() -> int:
    """The command `leadbus gateway`; pydantic's ValidationError when a variable is missing or wrong."""
    settings, connections = GatewaySettings(), ConnectionSettings()
    return runner()(run(settings, connections))


def runner() -> Callable[[Coroutine[Any, Any, int]], int]:
    """uvloop's runner where it is installed, else asyncio's."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run
    return uvloop.run


if __name__ == "__main__":
    raise SystemExit(main())
