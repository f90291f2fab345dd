"""`memreader models`: what is configured and reachable; `memreader models pull` gets weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from memreader.cli.printable import on_one_line

if TYPE_CHECKING:
    from memreader.llm.registry import ModelSettings

app = typer.Typer(help="Say which models are configured and reachable; get weights.")


@app.callback(invoke_without_command=True)
def models(context: typer.Context) -> None:
    """Say which models are configured, and whether they answer."""
    if context.invoked_subcommand is not None:
        return
    from functools import partial

    import anyio

    from memreader.api import model_settings
    from memreader.cli.standing import embedder_standing
    from memreader.llm.registry import models_configured
    from memreader.settings import home, resolve

    settings = resolve()
    if settings.model is None:
        typer.echo("Set as the model: none (the embedded model is used if installed)")
    else:
        typer.echo(f"Set as the model: {settings.model}")
        typer.echo(f"    {anyio.run(_state, settings.model, model_settings(settings))}")
    typer.echo(anyio.run(partial(embedder_standing, settings, probe=False))[1])
    for found in anyio.run(partial(models_configured, models=home().models)):
        state = "reachable" if found.reachable else "NOT REACHABLE"
        if found.reachable is None:
            state = "not asked"
        typer.echo(f"{found.spec:45} {state:14} {found.why}")
        if found.models:
            typer.echo(f"    {on_one_line(', '.join(found.models[:12]))}")


async def _state(spec: str, settings: ModelSettings) -> str:
    """Whether the model can be opened, in words: asked of its server, without any model call."""
    from memreader.errors import MemreaderError
    from memreader.llm.registry import open_model

    try:
        async with open_model(spec, settings) as model:
            return f"can be used: window {model.window:,} tokens. {' '.join(model.remarks)}".strip()
    except MemreaderError as error:
        return f"CANNOT BE USED: {on_one_line(str(error))}"


@app.command()
def pull(
    what: Annotated[
        str,
        typer.Argument(
            help="small, minilm (for embeddings), hf:OWNER/REPO/FILE.gguf, or a URL; "
            "#sha256=... to check."
        ),
    ] = "small",
) -> None:
    """Get weights for the embedded models: resumable, with the checksum verified."""
    import sys

    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TransferSpeedColumn

    from memreader.llm.bundles import MINILM
    from memreader.llm.pull import pull as fetch
    from memreader.llm.pull_bundle import pull_bundle
    from memreader.settings import home

    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn())
    live = Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty())
    with live as progress:
        task = progress.add_task("pull", total=None)

        def told(done: int, total: int | None) -> None:
            progress.update(task, completed=done, total=total)

        if what == MINILM.name:
            pulled = pull_bundle(MINILM, home().models, told)
        else:
            pulled = fetch(what, home().models, told)
    state = "was there already" if pulled.already else "is here now"
    checked = "checksum verified" if pulled.verified else "no checksum known"
    use = "--embedder local" if what == MINILM.name else f"-m {pulled.spec}"
    typer.echo(f"{pulled.path} {state} ({checked}). Use it with: {use}")
