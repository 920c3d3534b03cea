"""`leadbus demo`, `leadbus up`, `leadbus sandbox`: the house on this machine."""

import asyncio
import contextlib
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from ops.cli.answers import Exit, fail, write_json
from ops.cli.environment import environment

EXAMPLE_TENANTS = Path(__file__).resolve().parents[2] / "rules" / "tenants"

TenantsDir = Annotated[
    Path, typer.Option("--tenants", help="Folder with one folder per tenant.", exists=True, file_okay=False)
]
JsonFile = Annotated[Path | None, typer.Option("--json", help="Write the report as JSON to this file (`-` prints it).")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(demo)
    app.command()(up)
    app.command()(sandbox)


def demo(
    leads: Annotated[int, typer.Option("--leads", min=1, max=5000, help="Webhooks to send.")] = 60,
    json_file: JsonFile = None,
    tenants: TenantsDir = EXAMPLE_TENANTS,
    keep: Annotated[Path | None, typer.Option("--keep", help="Keep logs and the database in this folder.")] = None,
) -> None:
    """Send an ordinary day of real, signed webhooks through the whole house and show where every lead ended.

    Needs no account, no Docker and no Java.

    Example: `leadbus demo --leads 60 --json report.json`
    """
    from rich.console import Console

    from ops.demo.command import run_demo

    prints = json_file is not None and str(json_file) == "-"
    console = Console(stderr=prints)
    with contextlib.ExitStack() as stack:
        folder = keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="leadbus-demo-")))
        try:
            with environment("the demo cannot run"):
                result = asyncio.run(run_demo(console, folder, tenants, leads))
        except KeyboardInterrupt:
            console.print("stopped")
            raise typer.Exit(130) from None
    if json_file is not None:
        write_json(result.report, json_file)
    report = result.report
    if report["lost"] or report["duplicates"] or result.unexpected:
        for line in (*result.unexpected, *result.open_events, *report["doubled"]):
            typer.echo(f"leadbus: {line}", err=True)
        raise typer.Exit(Exit.FINDINGS)


def up(
    kafka: Annotated[str | None, typer.Option(help="host:port of a real Kafka, or `embedded`.")] = None,
    store: Annotated[str | None, typer.Option(help="spanner://… or sqlite:///…, or `embedded`.")] = None,
    tenants: TenantsDir = EXAMPLE_TENANTS,
    port: Annotated[int, typer.Option(help="The gateway's port.")] = 8080,
    data: Annotated[Path, typer.Option(help="Where database, objects and logs are kept.")] = Path("var"),
) -> None:
    """Run the whole house until Ctrl-C. Once one real part is named, the other must be named or called `embedded`.

    Example: `leadbus up --port 8080`; with real parts: `leadbus up --kafka localhost:9092 --store embedded`
    """
    if (kafka is None) != (store is None):
        missing = "--store" if store is None else "--kafka"
        fail(f"{missing} is missing: once one real part is given, name the other too, or say `{missing} embedded`")
    from rich.console import Console

    from ops.demo.command import run_up

    real = {name: value for name, value in (("kafka", kafka), ("store", store)) if value not in (None, "embedded")}
    with contextlib.suppress(KeyboardInterrupt), environment("the house cannot start"):
        asyncio.run(run_up(Console(), data, tenants, port, real.get("kafka"), real.get("store")))


def sandbox(
    addresses: Annotated[Path | None, typer.Option(help="Write the addresses to this file as well.")] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        list[str] | None, typer.Option(help="NAME=NUMBER: a fixed port for one server; the others pick free ones.")
    ] = None,
) -> None:
    """Serve the vendors' protocols on this machine: Google Speech and Gemini, HubSpot, Salesforce, Pipedrive,
    SendGrid, CallRail. Prints one JSON line with every address.

    Example: `leadbus sandbox --port hubspot=9101 --addresses sandbox.json`
    """
    from ops.sandbox.command import run
    from ops.sandbox.server import SandboxAddresses

    ports = fixed_ports(port or (), tuple(SandboxAddresses.model_fields))
    signal.signal(signal.SIGPIPE, signal.SIG_DFL) if sys.platform != "win32" else None
    with environment("the sandbox cannot start"):
        code = run(host=host, ports=ports, addresses_file=addresses)
    raise typer.Exit(code)


def fixed_ports(given: Sequence[str], servers: Sequence[str]) -> dict[str, int]:
    """`hubspot=9101` by server; ends the command with a usage error when one cannot be read."""
    ports = {}
    for text in given:
        name, _, number = text.partition("=")
        if name not in servers or not number.isdecimal() or not 0 < int(number) < 65_536:
            fail(f"--port {text}: say NAME=NUMBER, with one of the names {', '.join(servers)}", Exit.USAGE)
        ports[name] = int(number)
    return ports
