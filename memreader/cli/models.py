"""`memreader models`: what is configured and reachable; `memreader models pull` gets weights."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(help="Say which models are configured and reachable; get weights.")


@app.callback(invoke_without_command=True)
def models(context: typer.Context) -> None:
    """Say which models are configured, and whether they answer."""
    if context.invoked_subcommand is not None:
        return
    from functools import partial

    import anyio

    from memreader.llm.registry import models_configured
    from memreader.settings import home, resolve

    chosen = resolve().model
    typer.echo(f"Set as the model: {chosen or 'none (the embedded model is used if installed)'}")
    for found in anyio.run(partial(models_configured, models=home().models)):
        state = "reachable" if found.reachable else "NOT REACHABLE"
        if found.reachable is None:
            state = "not asked"
        typer.echo(f"{found.spec:45} {state:14} {found.why}")
        if found.models:
            typer.echo(f"    {', '.join(found.models[:12])}")


@app.command()
def pull(
    what: Annotated[
        str,
        typer.Argument(help="small, hf:OWNER/REPO/FILE.gguf, or a URL; #sha256=... to check."),
    ] = "small",
) -> None:
    """Get weights for the embedded model: resumable, with the checksum verified."""
    import sys

    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TransferSpeedColumn

    from memreader.llm.pull import pull as fetch
    from memreader.settings import home

    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn())
    live = Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty())
    with live as progress:
        task = progress.add_task("pull", total=None)
        pulled = fetch(
            what,
            home().models,
            lambda done, total: progress.update(task, completed=done, total=total),
        )
    state = "was there already" if pulled.already else "is here now"
    checked = "checksum verified" if pulled.verified else "no checksum known"
    typer.echo(f"{pulled.path} {state} ({checked}). Use it with: -m {pulled.spec}")
