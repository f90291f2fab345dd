"""The commands, put together."""

from __future__ import annotations

import typer

from memreader.cli import ask, cache, doctor, index, memory, models, picture, plan, strategies

app = typer.Typer(
    name="memreader",
    help="Answers questions about documents longer than a model's window, with evidence.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("ask")(ask.ask)
app.command("plan")(plan.plan)
app.command("strategies")(strategies.strategies)
app.command("index")(index.index)
app.command("graph")(picture.graph)
app.command("tree")(picture.tree)
app.command("memory")(memory.memory)
app.command("doctor")(doctor.doctor)
app.add_typer(models.app, name="models")
app.add_typer(cache.app, name="cache")


def _version(wanted: bool) -> None:
    if wanted:
        from memreader.about import own_version

        typer.echo(f"memreader {own_version()}")
        raise typer.Exit


@app.callback()
def root(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version."
    ),
) -> None:
    """Answers questions about documents longer than a model's window, with evidence."""
