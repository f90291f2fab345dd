"""`memreader cache`: what the journal keeps, and getting rid of it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from memreader.cli.printable import on_one_line
from memreader.errors import ConfigurationError

if TYPE_CHECKING:
    from memreader.journal import Journal

app = typer.Typer(help="Show, prune or delete finished calls and runs.", no_args_is_help=True)


def _journal() -> Journal:
    from memreader.journal import Journal
    from memreader.settings import home

    return Journal(home().data / "journal.sqlite")


@app.command()
def show() -> None:
    """Show where the journal is, what it holds, and the latest runs."""
    journal = _journal()
    typer.echo(f"{journal.path}: {journal.count():,} calls, {journal.size() / 1e6:,.1f} MB")
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
    gone = _journal().prune(int(keep * 1e6))
    typer.echo(f"Deleted {gone:,} calls.")


@app.command()
def delete(
    yes: Annotated[bool, typer.Option("-y", "--yes", help="Do not ask.")] = False,
) -> None:
    """Delete all calls and runs. Interrupted runs cannot be resumed afterwards."""
    journal = _journal()
    if not yes:
        typer.confirm(f"Delete {journal.count():,} calls for good?", abort=True, err=True)
    typer.echo(f"Deleted {journal.clear():,} calls.")
