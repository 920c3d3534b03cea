"""`leadbus schemas`: the contracts as files."""

from pathlib import Path
from typing import Annotated

import typer

from ops.cli.answers import write_json
from ops.cli.environment import environment

app = typer.Typer(help="The contracts as files.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """The contracts as files."""


@app.command()
def export(
    folder: Annotated[Path, typer.Argument(help="Where to write; made when missing.", file_okay=False)],
    as_json: Annotated[bool, typer.Option("--json", help="Print the written files as JSON.")] = False,
) -> None:
    """Write JSON Schema of every document, file and answer, and AsyncAPI of the daemons.

    Example: `leadbus schemas export build/schemas`
    """
    from ops.contracts import export_contracts

    with environment("the contracts cannot be written"):
        written = export_contracts(folder)
    if as_json:
        write_json({"written": [str(path) for path in written]}, None)
    else:
        typer.echo(f"{len(written)} files in {folder}")
