"""Runs the API on Granian until SIGTERM or SIGINT."""

import asyncio
import signal

from granian.constants import HTTPModes, Interfaces
from granian.server.embed import Server

from connectors.store.opening import open_store
from ops.api.app import build_api
from ops.api.settings import ApiSettings
from ops.api.tokens import Tokens


async def serve(settings: ApiSettings, store_url: str) -> None:
    """Serve until a signal comes; raises ValueError for a tokens file that cannot be read."""
    tokens = Tokens.read(settings.tokens_file)
    store = open_store(store_url)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    server = Server(
        build_api(store, tokens),
        address=settings.host,
        port=settings.port,
        interface=Interfaces.ASGI,
        http=HTTPModes.http1,
        websockets=False,
        log_enabled=False,
    )
    serving = asyncio.create_task(server.serve())
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        server.stop()  # type: ignore[no-untyped-call]
        stopping.cancel()
        await serving
    finally:
        await store.close()
