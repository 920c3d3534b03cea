"""The tree of commands. Exit codes: 0 fine, 1 findings, 2 usage, 3 environment."""

import typer

from ops.cli import bench, demo, operators, rules, running, schemas, store

app = typer.Typer(
    name="leadbus",
    help="Webhooks in, scored leads out, once.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    rich_markup_mode="markdown",
)
demo.register(app)
running.register(app)
app.add_typer(rules.app, name="rules")
app.add_typer(store.app, name="store")
app.add_typer(schemas.app, name="schemas")
app.add_typer(operators.app, name="ops")
app.add_typer(operators.chaos_app, name="chaos")
app.add_typer(bench.app, name="bench")
