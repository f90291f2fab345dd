"""`memreader cache`: finished calls and embeddings that are kept, and getting rid of them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from memreader.cli.printable import on_one_line
from memreader.errors import ConfigurationError

if TYPE_CHECKING:
    from memreader.stores import Stores

app = typer.Typer(help="Show, prune or delete finished calls and runs.", no_args_is_help=True)


def _stores() -> Stores:
    from memreader.settings import home
    from memreader.stores import Stores

    return Stores(home().data)


@app.command()
def show() -> None:
    """Show where the journal and the embeddings are, what they hold, and the latest runs."""
    stores = _stores()
    journal, embeddings = stores.journal(), stores.embeddings()
    typer.echo(f"{journal.path}: {journal.count():,} calls, {journal.size() / 1e6:,.1f} MB")
    typer.echo(
        f"{embeddings.path}: {embeddings.count():,} embeddings, {embeddings.size() / 1e6:,.1f} MB"
    )
    for model, count in embeddings.models().items():
        typer.echo(f"    {count:,} by {model}")
    for run in journal.runs()[:20]:
        spend, what = journal.spend(run.id), on_one_line(run.what)
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(run.began))
        typer.echo(f"{run.id}  {when}  {run.state:11}  {spend.calls:,} calls  {what}")


@app.command()
def prune(
    keep: Annotated[float, typer.Option(help="Megabytes of the latest calls to keep.")] = 500.0,
) -> None:
    """Delete the oldest calls."""
    if not keep >= 0:
        raise ConfigurationError(f"{keep} megabytes cannot be kept. Give 0 or more with --keep.")
    gone = _stores().journal().prune(int(keep * 1e6))
    typer.echo(f"Deleted {gone:,} calls.")


@app.command()
def delete(
    yes: Annotated[bool, typer.Option("-y", "--yes", help="Do not ask.")] = False,
    embeddings: Annotated[
        bool, typer.Option("--embeddings", help="Only the embeddings; calls and runs stay.")
    ] = False,
) -> None:
    """Delete all calls, runs and embeddings. Interrupted runs cannot be resumed afterwards."""
    stores = _stores()
    cache = stores.embeddings()
    if embeddings:
        if not yes:
            typer.confirm(f"Delete {cache.count():,} embeddings for good?", abort=True, err=True)
        typer.echo(f"Deleted {cache.clear():,} embeddings.")
        return
    journal = stores.journal()
    if not yes:
        typer.confirm(
            f"Delete {journal.count():,} calls and {cache.count():,} embeddings for good?",
            abort=True,
            err=True,
        )
    typer.echo(f"Deleted {journal.clear():,} calls and {cache.clear():,} embeddings.")
