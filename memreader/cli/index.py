"""`memreader index FILE...`: build ahead of the questions; show and remove what is kept."""

from __future__ import annotations

from typing import Annotated

import typer

from memreader.cli import flags
from memreader.cli.common import options_from
from memreader.errors import ConfigurationError


def index(  # noqa: PLR0913, PLR0917 - one argument for each flag
    files: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[FILE]...", help="Files or folders. Without any, what exists is shown."
        ),
    ] = None,
    strategy: Annotated[
        str | None, typer.Option("-s", "--strategy", help="Whose indexes to build.")
    ] = None,
    model: flags.ModelName = None,
    option: flags.Options = None,
    listed: Annotated[
        bool, typer.Option("--list", help="Show what exists, of these files or of all.")
    ] = False,
    remove: Annotated[
        bool,
        typer.Option("--remove", help="Remove what is kept of these files, names or ids."),
    ] = False,
    as_json: flags.AsJson = False,
    quiet: flags.Quiet = False,
    verbose: flags.Verbose = False,
    max_cost: flags.MaxCost = None,
    max_calls: flags.MaxCalls = None,
    max_tokens: flags.MaxTokens = None,
    max_seconds: flags.MaxSeconds = None,
    window: flags.Window = None,
    concurrency: flags.Concurrency = None,
    timeout: flags.Timeout = None,
    embedder: flags.EmbedderName = None,
    store: flags.StoreName = None,
    resume: flags.Resume = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Ignore shelf and journal.")] = False,
    probe: flags.Probing = None,
    yes: flags.Yes = False,
) -> int:
    """Build what a strategy keeps of documents ahead of the questions; show and remove it."""
    from memreader.cli.building import Building, carried_out
    from memreader.settings import resolve

    settings = resolve(
        {
            "strategy": strategy,
            "model": model,
            "max_cost": max_cost,
            "max_calls": max_calls,
            "max_tokens": max_tokens,
            "max_seconds": max_seconds,
            "window": window,
            "concurrency": concurrency,
            "timeout": timeout,
            "probe": probe,
            "embedder": embedder,
            "store": store,
        }
    )
    if remove and (listed or not files):
        raise ConfigurationError("--remove wants the files, names or ids whose indexes are to go.")
    if remove or listed or not files:
        from memreader.cli import kept

        (kept.remove if remove else kept.show)(files or [], settings, as_json=as_json)
        return 0
    return carried_out(
        Building(
            files, settings, options_from(option), resume=resume, fresh=fresh, yes=yes,
            form="json" if as_json else "text",
            loud="quiet" if quiet else "verbose" if verbose else "normal",
        )
    )  # fmt: skip
