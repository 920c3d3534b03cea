"""`leadbus chaos runtime`: a daemon of the runtime on Apache Kafka, harmed in every way that was thought of."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ops.cli.answers import Exit, write_json
from ops.cli.environment import environment


class ScenarioName(StrEnum):
    """The scenarios."""

    KILL = "kill"
    COMMITS_FAIL = "commits-fail"
    ASLEEP = "asleep"
    BROKER_RESTART = "broker-restart"
    JOIN_OLD_LEAVES = "join-old-leaves"
    JOIN_NEW_LEAVES = "join-new-leaves"
    KILL_BY_KEY = "kill-by-key"
    STOP = "stop"
    STOP_IN_A_HURRY = "stop-in-a-hurry"
    ROLLING_UPGRADE = "rolling-upgrade"
    LONG_HANDLER = "long-handler"
    POISON = "poison"
    NO_DEAD_LETTER_TOPIC = "no-dead-letter-topic"
    RECREATED_FEWER = "recreated-fewer"
    RECREATED_MORE = "recreated-more"
    PEER_ARROYO = "peer-arroyo"
    PEER_FASTSTREAM = "peer-faststream"


PEERS = (ScenarioName.PEER_ARROYO, ScenarioName.PEER_FASTSTREAM)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(runtime)


def runtime(
    only: Annotated[list[ScenarioName] | None, typer.Option(help="Which faults; every one when not given.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Small sizes, and no peers unless they are named.")] = False,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the result here (`-` prints).")] = None,
) -> None:
    """Kill, stop, pause, poison and upgrade a daemon on a real Kafka, and tell from what its handlers journaled whether
    anything was lost, run again, out of order or stalled. Exit code 1 when a promise was broken, 3 without Java.

    Example: `leadbus chaos runtime --only kill --only poison --quick --json -`
    """
    from rich.console import Console

    from ops.chaos.runtime.run import run_scenarios

    chosen = only or [name for name in ScenarioName if not (quick and name in PEERS)]
    with environment("the faults cannot be done"):
        result = run_scenarios(Console(stderr=True), [name.value for name in chosen], quick=quick)
    write_json(result, json_file)
    for text in result["broken"]:
        typer.echo(f"leadbus: broken: {text}", err=True)
    raise typer.Exit(Exit.FINDINGS if result["broken"] else Exit.FINE)
