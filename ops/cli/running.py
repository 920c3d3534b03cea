"""`leadbus gateway`, `leadbus consumer`, `leadbus config`: one process each, as production runs them.

No embedded default: a process that was not told where broker and store are says which variable is missing.
"""

import asyncio
from enum import StrEnum
from typing import Annotated

import typer

from ops.cli.answers import Exit, fail, write_json


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

    Example: `LEADBUS_KAFKA_BOOTSTRAP=localhost:9092 LEADBUS_STORE_URL=… leadbus gateway`
    """
    from pydantic import ValidationError

    from gateway.serve import main

    try:
        code = main()
    except ValidationError as error:
        fail(settings_fault(error))
    raise typer.Exit(code)


def consumer(
    name: Annotated[DaemonName, typer.Argument(help="Which daemon.")],
    kind: Annotated[list[str] | None, typer.Option(help="delivery only: connector kinds to deliver to.")] = None,
) -> None:
    """Run one daemon until SIGTERM: it finishes what it has begun, commits, and leaves its group.

    Example: `leadbus consumer delivery --kind hubspot`
    """
    from pydantic import ValidationError

    from consumers.bootstrap import run
    from consumers.runtime.daemon import DaemonBroken
    from ops.logs import log_as_json

    if kind and name is not DaemonName.DELIVERY:
        fail("--kind goes with `leadbus consumer delivery` only", Exit.USAGE)
    log_as_json()
    try:
        _runner(run(name.value, kinds=tuple(kind or ())))
    except ValidationError as error:
        fail(settings_fault(error))
    except DaemonBroken as error:
        fail(f"{name.value} stopped: {error}")


def api() -> None:
    """Serve the API and the console until SIGTERM. Settings by LEADBUS_API_* variables and LEADBUS_STORE_URL.

    Example: `LEADBUS_STORE_URL=sqlite:///var/leadbus.db LEADBUS_API_TOKENS_FILE=tokens.json leadbus api`
    """
    import os

    from ops.api.serve import serve
    from ops.api.settings import ApiSettings

    store_url = os.environ.get("LEADBUS_STORE_URL")
    if not store_url:
        fail("LEADBUS_STORE_URL is not set: say spanner://PROJECT/INSTANCE/DATABASE or sqlite:///PATH")
    try:
        asyncio.run(serve(ApiSettings(), store_url))
    except ValueError as error:
        fail(str(error))


def config(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Print the settings in force, and which variable sets each.

    Example: `leadbus config --json`
    """
    from pydantic import ValidationError
    from pydantic_settings import BaseSettings

    from connectors.settings import ConnectionSettings
    from consumers.runtime.settings import RuntimeSettings
    from gateway.settings import GatewaySettings

    rows: dict[str, object] = {}
    kinds: tuple[type[BaseSettings], ...] = (ConnectionSettings, GatewaySettings, RuntimeSettings)
    for kind in kinds:
        prefix = str(kind.model_config.get("env_prefix", "")).upper()
        try:
            values = kind().model_dump(mode="json")
        except ValidationError as error:
            missing = {str(e["loc"][0]) for e in error.errors()}
            values = {
                field: "(missing)" if field in missing else info.default for field, info in kind.model_fields.items()
            }
        rows |= {f"{prefix}{field.upper()}": value for field, value in values.items()}
    if as_json:
        write_json(rows, None)
    else:
        for variable, value in rows.items():
            typer.echo(f"{variable}={'' if value is None else value}")


def settings_fault(error: object) -> str:
    """Which variable is missing or wrong, for the person who sets it."""
    from pydantic import ValidationError

    assert isinstance(error, ValidationError)
    lines = [f"LEADBUS_{'_'.join(str(p) for p in e['loc']).upper()}: {e['msg']}" for e in error.errors()]
    return "settings are incomplete; set these variables:\n  " + "\n  ".join(lines)


def _runner(coroutine: object) -> None:
    from collections.abc import Coroutine

    assert isinstance(coroutine, Coroutine)
    try:
        import uvloop
    except ImportError:
        asyncio.run(coroutine)
    else:
        uvloop.run(coroutine)
