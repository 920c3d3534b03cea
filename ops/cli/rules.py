"""`leadbus rules`: what a tenant's admin does with rule files. Works on the base install, without broker or store."""

from pathlib import Path
from typing import Annotated

import typer

from ops.cli.answers import Exit, fail, write_json

app = typer.Typer(help="Rule files: check, publish.", no_args_is_help=True)

Folder = Annotated[Path, typer.Argument(help="A tenant's folder, with its tenant.yaml.", exists=True, file_okay=False)]


@app.command()
def check(
    folder: Folder,
    as_json: Annotated[bool, typer.Option("--json", help="Print findings as JSON.")] = False,
) -> None:
    """Check a tenant's folder: every finding with file, line, column, reason and fix. Exit code 1 when there are any.

    Example: `leadbus rules check rules/tenants/summit-roofing`
    """
    from dataclasses import asdict

    from rules.loader import check_folder

    findings = check_folder(folder)
    if as_json:
        write_json({"findings": [asdict(finding) for finding in findings]}, None)
    else:
        for finding in findings:
            typer.echo(str(finding))
        typer.echo(f"{folder}: {len(findings)} finding{'' if len(findings) == 1 else 's'}")
    raise typer.Exit(Exit.FINDINGS if findings else Exit.FINE)


@app.command()
def publish(
    folder: Folder,
    store: Annotated[str, typer.Option("--store", envvar="LEADBUS_STORE_URL", help="spanner://… or sqlite:///…")],
    commit: Annotated[str | None, typer.Option(help="The Git commit the files come from.")] = None,
) -> None:
    """Put a checked folder live: gateway and daemons run it within seconds.

    Example: `leadbus rules publish rules/tenants/summit-roofing --commit 3f2a1c9`
    """
    import asyncio

    from connectors.store.opening import open_store
    from connectors.store.seam import StoreError
    from ops.tenants import publish_folder
    from rules.findings import BadTenantFolder

    async def work() -> str:
        opened = open_store(store)
        try:
            live = await publish_folder(opened, folder, commit=commit)
        finally:
            await opened.close()
        return f"{live.tenant_id} runs rules {live.rules[:12]} and intake {live.intake[:12]} (number {live.sequence})"

    try:
        typer.echo(asyncio.run(work()))
    except BadTenantFolder as bad:
        fail("nothing was published\n" + "\n".join(str(finding) for finding in bad.findings), Exit.FINDINGS)
    except StoreError as error:
        fail(f"the store does not take it: {error}")
