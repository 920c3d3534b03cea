"""`leadbus store`: schema migrations, and erasing a tenant."""

import asyncio
from typing import Annotated

import typer

from ops.cli.answers import Exit, write_json
from ops.cli.environment import environment

app = typer.Typer(help="The store: migrations, erasure.", no_args_is_help=True)

StoreUrl = Annotated[str, typer.Option("--store", envvar="LEADBUS_STORE_URL", help="spanner://… or sqlite:///…")]


@app.command()
def migrate(
    store: StoreUrl,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Apply the migrations that are missing. Running it again changes nothing.

    Example: `leadbus store migrate --store sqlite:///var/leadbus.db`
    """
    from connectors.store.opening import open_store

    async def work() -> list[str]:
        opened = open_store(store, create=True)
        try:
            return list(await opened.migrate())
        finally:
            await opened.close()

    with environment("the store cannot be migrated"):
        applied = asyncio.run(work())
    if as_json:
        write_json({"applied": applied}, None)
    else:
        typer.echo("\n".join(f"applied {name}" for name in applied) or "nothing to do: the schema is up to date")


@app.command()
def erase(
    tenant: Annotated[str, typer.Argument(help="The tenant's id.")],
    store: StoreUrl,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Delete a tenant with everything kept about it. This cannot be undone.

    Example: `leadbus store erase summit-roofing --yes`
    """
    from connectors.store.opening import open_store

    if not yes and not typer.confirm(f"Delete everything of tenant {tenant}?"):
        raise typer.Exit(Exit.USAGE)

    async def work() -> None:
        opened = open_store(store)
        try:
            await opened.erase_tenant(tenant)
        finally:
            await opened.close()

    with environment(f"tenant {tenant} cannot be erased"):
        asyncio.run(work())
    if as_json:
        write_json({"erased": tenant}, None)
    else:
        typer.echo(f"tenant {tenant} is erased")
