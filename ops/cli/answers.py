"""How commands answer: text for people, JSON for machines, and one way to fail."""

import json
import sys
from enum import IntEnum
from pathlib import Path
from typing import Any, NoReturn

import typer


class Exit(IntEnum):
    """Exit codes of every command."""

    FINE = 0
    FINDINGS = 1
    USAGE = 2
    ENVIRONMENT = 3


def fail(text: str, code: Exit = Exit.ENVIRONMENT) -> NoReturn:
    """Say what is wrong, where and what to do, and end."""
    typer.echo(f"leadbus: {text}", err=True)
    raise typer.Exit(code)


def write_json(value: Any, where: Path | None) -> None:
    """To a file, or to standard output for `-` and for None."""
    text = json.dumps(value, indent=2, ensure_ascii=False, default=str)
    if where is None or str(where) == "-":
        sys.stdout.write(text + "\n")
    else:
        where.write_text(text + "\n", encoding="utf-8")
