"""`memreader index FILE...`: build ahead of the questions; show and remove what is kept."""

from __future__ import annotations

from typing import Annotated

import typer

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
    model: Annotated[
        str | None, typer.Option("-m", "--model", help="provider:model, or local.")
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option("-o", "--option", metavar="KEY=VALUE", help="An option of the strategy."),
    ] = None,
    listed: Annotated[
        bool, typer.Option("--list", help="Show what exists, of these files or of all.")
    ] = False,
    remove: Annotated[
        bool,
        typer.Option("--remove", help="Remove what is kept of these files, names or ids."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    quiet: Annotated[
        bool, typer.Option("-q", "--quiet", help="Nothing on standard error but errors.")
    ] = False,
    verbose: Annotated[
        bool, typer.Option("-v", "--verbose", help="Each call and decision on standard error.")
    ] = False,
    max_cost: Annotated[float | None, typer.Option(help="Cap in US dollars.")] = None,
    max_calls: Annotated[int | None, typer.Option(help="Cap on model calls.")] = None,
    max_tokens: Annotated[int | None, typer.Option(help="Cap on tokens, in and out.")] = None,
    max_seconds: Annotated[float | None, typer.Option(help="Cap on seconds.")] = None,
    window: Annotated[int | None, typer.Option(help="Tokens of the model's window.")] = None,
    concurrency: Annotated[int | None, typer.Option(help="Calls in flight at most.")] = None,
    timeout: Annotated[float | None, typer.Option(help="Seconds to wait for a reply.")] = None,
    embedder: Annotated[
        str | None, typer.Option(help="Embedding model: local, openai:NAME, ollama:NAME, none.")
    ] = None,
    store: Annotated[
        str | None, typer.Option(help="Vectors: chroma:PATH, chroma:memory, http://host:port.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue the stopped run with a fresh budget.")
    ] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Ignore shelf and journal.")] = False,
    probe: Annotated[
        bool | None, typer.Option("--probe/--no-probe", help="Probe a new endpoint first.")
    ] = None,
    yes: Annotated[
        bool, typer.Option("-y", "--yes", help="Do not ask before spending over one dollar.")
    ] = False,
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
