"""The `leadbus` command line.

Commands import what they need when they run, so that `leadbus rules` works on the base install.
"""

import sys


def main() -> None:
    """Run the command line; a command whose packages are missing says what to install and ends with exit code 3."""
    from ops.cli.answers import Exit
    from ops.cli.app import app

    try:
        app()
    except ModuleNotFoundError as error:
        text = missing_package(error.name)
        if text is None:
            raise
        sys.stderr.write(f"leadbus: {text}\n")
        sys.exit(Exit.ENVIRONMENT)


def missing_package(module: str | None) -> str | None:
    """What to install for a module that is not there; None when it is one of ours, because that is our fault."""
    package = (module or "leadbus").partition(".")[0]
    if package in ("leadbus", "schemas", "rules", "connectors", "gateway", "consumers", "ops"):
        return None
    return (
        f"this command needs the package {package}, which comes with the extra `server`: "
        'python -m pip install "leadbus[server]" (the base install is for `leadbus rules check`)'
    )
