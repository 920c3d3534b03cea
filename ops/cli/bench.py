"""`leadbus bench`: measurements, ours beside the libraries that do the same work."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ops.cli.answers import write_json
from ops.cli.environment import environment

app = typer.Typer(help="Measurements, beside the libraries that do the same work.", no_args_is_help=True)


class RuntimePart(StrEnum):
    """What can be measured alone."""

    A = "a"
    B = "b"
    C = "c"
    D = "d"


@app.callback()
def _group() -> None:
    """Measurements, beside the libraries that do the same work."""


@app.command()
def runtime(
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the result here (`-` prints it).")] = None,
    runs: Annotated[int, typer.Option("--runs", min=1, help="Turns of each; the medians count.")] = 5,
    only: Annotated[
        list[RuntimePart] | None,
        typer.Option("--only", help="a: no-op handler, b: waiting handlers, c: hot key, d: rules daemon."),
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Small sizes: to see that it works, not for figures.")] = False,
    embedded: Annotated[bool, typer.Option("--embedded", help="On the embedded broker though Java is there.")] = False,
) -> None:
    """Measure the daemons' runtime on a real Kafka (Java 17), else on the embedded broker.

    aiokafka, FastStream, quixstreams and sentry-arroyo take part, each in an environment of its own that the first call
    installs from the package index.

    Example: `leadbus bench runtime --only a --runs 3 --json bench.json`
    """
    from rich.console import Console

    from ops.bench.plan import sizes
    from ops.bench.progress import show
    from ops.bench.runtime import PARTS, run_runtime

    console = Console(stderr=json_file is not None and str(json_file) == "-")
    parts = [part.value for part in only] if only else list(PARTS)
    with environment("the runtime cannot be measured"):
        report = run_runtime(console, sizes(runs=runs, quick=quick), only=parts, embedded=embedded)
    show(console, report)
    if json_file is not None:
        write_json(report.as_json(), json_file)
