"""Runs `leadbus` for tests: in this process, or as a person starts it; never with variables of the machine's own."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from ops.cli.app import app

TENANTS = Path(__file__).parents[3] / "rules" / "tenants"


def run(*arguments: str, **env: str) -> Result:
    """A command in this process, with no LEADBUS_* variable but the given ones."""
    cleared: dict[str, str | None] = {name: None for name in os.environ if name.startswith("LEADBUS_")}
    return CliRunner().invoke(app, list(arguments), env={**cleared, **env, "COLUMNS": "200"})


def answer(result: Result) -> Any:
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def process(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """The command as a person starts it."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("LEADBUS_")}
    command = [sys.executable, "-m", "ops.cli", *arguments]
    return subprocess.run(command, env={**clean, **env}, capture_output=True, text=True, timeout=60, check=False)
