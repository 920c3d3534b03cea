"""`leadbus rules`: what a tenant's admin does with rule files. Works on the base install, without broker or store."""

from pathlib import Path
from typing import Annotated

import typer

from ops.cli.answers import Exit, write_json
from ops.cli.environment import environment

app = typer.Typer(help="Rule files: check, publish.", no_args_is_help=True)

Folder = Annotated[Path, typer.Argument(help="A tenant's folder, with its tenant.yaml.", exists=True, file_okay=False)]
Folders = Annotated[list[Path], typer.Argument(help="One or more tenants' folders.", exists=True, file_okay=False)]


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
    folders: Folders,
    store: Annotated[str, typer.Option("--store", envvar="LEADBUS_STORE_URL", help="spanner://… or sqlite:///…")],
    commit: Annotated[str | None, typer.Option(help="The Git commit the files come from.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Put checked folders live: gateway and daemons run them within seconds. One finding, and none is published.

    Example: `leadbus rules publish rules/tenants/summit-roofing --commit 3f2a1c9`
    """
    import asyncio

    from connectors.store.opening import open_store
    from ops.tenants import publish as put_live
    from rules.loader import load_folder
    from schemas.bundle import LiveBundle

    async def work() -> list[LiveBundle]:
        loaded = [load_folder(folder) for folder in folders]
        opened = open_store(store)
        try:
            return [await put_live(opened, folder, commit=commit) for folder in loaded]
        finally:
            await opened.close()

    with environment("nothing was published"):
        published = asyncio.run(work())
    if as_json:
        write_json({"live": [live.model_dump(mode="json") for live in published]}, None)
        return
    for live in published:
        typer.echo(f"{live.tenant_id} runs rules {live.rules[:12]} and intake {live.intake[:12]} ({live.sequence})")
