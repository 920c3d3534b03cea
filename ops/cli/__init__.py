"""The `leadbus` command line.

Commands import what they need when they run, so that `leadbus rules` works on the base install.
"""


def main() -> None:
    """Run the command line."""
    from ops.cli.app import app

    app()
