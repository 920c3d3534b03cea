"""`leadbus gateway`, `leadbus consumer`, `leadbus api`, `leadbus config`: one process each, as production runs them.

No embedded default: a process that was not told where broker and store are says which variable is missing.
"""

import asyncio
import json
import os
from collections.abc import Callable, Coroutine
from enum import StrEnum
from typing import Annotated, Any

import typer

from ops.cli.answers import Exit, fail, write_json
from ops.cli.environment import environment, settings_in_force
from ops.cli.last_resort import LastResort


class DaemonName(StrEnum):
    """The daemons."""

    TRANSCRIPTION = "transcription"
    ANALYSIS = "analysis"
    ROUTING = "routing"
    DELIVERY = "delivery"
    RECORDER = "recorder"
    RETRY = "retry"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(gateway)
    app.command()(consumer)
    app.command()(api)
    app.command()(config)


def gateway() -> None:
    """Serve the webhook gateway until SIGTERM. Settings by LEADBUS_* variables (`leadbus config` prints them).

    Example: `LEADBUS_KAFKA_BOOTSTRAP=localhost:9092 LEADBUS_STORE_URL=… LEADBUS_OBJECTS_URL=… leadbus gateway`
    """
    from gateway.serve import main

    with environment("the gateway cannot start"):
        code = main()
    raise typer.Exit(code)


def consumer(
    name: Annotated[DaemonName, typer.Argument(help="Which daemon.")],
    kind: Annotated[list[str] | None, typer.Option(help="delivery only: connector kinds to deliver to.")] = None,
) -> None:
    """Run one daemon until SIGTERM: it finishes what it has begun, commits, and leaves its group.

    Example: `leadbus consumer delivery --kind hubspot`
    """
    from schemas.topics import DELIVER

    known = {each.value for each in DELIVER}
    if kind and name is not DaemonName.DELIVERY:
        fail("--kind goes with `leadbus consumer delivery` only", Exit.USAGE)
    if unknown := sorted(set(kind or ()) - known):
        fail(f"there is no connector kind {', '.join(unknown)}; there are {', '.join(sorted(known))}", Exit.USAGE)

    from aiokafka.errors import KafkaConnectionError

    from consumers.bootstrap import run
    from consumers.runtime.client import BrokerUnavailable
    from consumers.runtime.daemon import DaemonBroken
    from ops.logs import log_as_json

    log_as_json()
    with environment(f"{name.value} cannot start"):
        try:
            _run(run(name.value, kinds=tuple(kind or ())))
        except (BrokerUnavailable, KafkaConnectionError):
            brokers = os.environ.get("LEADBUS_KAFKA_BOOTSTRAP")
            fail(f"{name.value} cannot start: no broker answers at {brokers} (LEADBUS_KAFKA_BOOTSTRAP)")
        except DaemonBroken as error:
            fail(f"{name.value} stopped: {error}")


def api() -> None:
    """Serve the API and the console until SIGTERM. Settings by LEADBUS_API_* variables and LEADBUS_STORE_URL.

    Example: `LEADBUS_STORE_URL=sqlite:///var/leadbus.db LEADBUS_API_TOKENS_FILE=tokens.json leadbus api`
    """
    from ops.api.serve import serve
    from ops.api.settings import ApiSettings

    store_url = os.environ.get("LEADBUS_STORE_URL")
    if not store_url:
        fail("LEADBUS_STORE_URL is not set: say spanner://PROJECT/INSTANCE/DATABASE or sqlite:///PATH")
    with environment("the API cannot start"):
        asyncio.run(serve(ApiSettings(), store_url))


def config(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Print the settings in force, and which variable sets each. None of them is a secret: some say where secrets lie.

    Example: `leadbus config --json`
    """
    rows = settings_in_force()
    if as_json:
        write_json(rows, None)
        return
    for name, value in rows.items():
        text = "" if value is None else value if isinstance(value, str) else json.dumps(value)
        typer.echo(f"{name}={text}")


def _run(coroutine: Coroutine[Any, Any, None]) -> None:
    resort = LastResort()
    try:
        _runner()(resort.around(coroutine))
    finally:
        resort.called_off()


def _runner() -> Callable[[Coroutine[Any, Any, None]], None]:
    try:
        import uvloop
    except ImportError:
        return asyncio.run
    return uvloop.run
