"""`memreader plan FILE... "question"`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from memreader.cli.common import files_and_question, opened_files, options_from

if TYPE_CHECKING:
    from memreader.document import Corpus
    from memreader.llm.base import Model


def plan(
    arguments: Annotated[
        list[str], typer.Argument(metavar="FILE... QUESTION", help="As for `ask`.")
    ],
    strategy: Annotated[
        str | None, typer.Option("-s", "--strategy", help="Only this strategy.")
    ] = None,
    model: Annotated[str | None, typer.Option("-m", "--model", help="provider:model.")] = None,
    option: Annotated[
        list[str] | None,
        typer.Option("-o", "--option", metavar="KEY=VALUE", help="An option; needs -s."),
    ] = None,
    window: Annotated[int | None, typer.Option(help="Tokens of the model's window.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Say what a question will take with each strategy, before any call."""
    import anyio

    from memreader.api import model_settings, spec
    from memreader.document import Corpus
    from memreader.llm.registry import open_model
    from memreader.settings import resolve

    files, question = files_and_question(arguments)
    settings = resolve({"model": model, "window": window})
    corpus = Corpus(tuple(d.finish() for d in opened_files(files, quiet=False).documents))

    async def planned() -> list[dict[str, Any]]:
        from memreader.probing import remembered
        from memreader.settings import home

        async with open_model(spec(settings), model_settings(settings)) as opened:
            known = remembered(opened, home().data / "probes.json")
            return _plans(corpus, question, known, strategy, options_from(option))

    rows = anyio.run(planned)
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
    else:
        _table(rows)


def _plans(
    corpus: Corpus, question: str, model: Model, only: str | None, options: dict[str, str]
) -> list[dict[str, Any]]:
    from memreader.errors import ConfigurationError
    from memreader.strategy import Planned, available, make

    rows: list[dict[str, Any]] = []
    for name in [only] if only else available():
        try:
            strategy = make(name, options if only else {})
            if not isinstance(strategy, Planned):
                rows.append({"strategy": name, "note": "makes no plan"})
                continue
            plan = strategy.plan(corpus, question, model)
        except ConfigurationError as error:
            if only:
                raise
            rows.append({"strategy": name, "note": str(error)})
            continue
        rows.append(
            {
                "strategy": name,
                "calls": _range(plan.calls),
                "input_tokens": _range(plan.input_tokens),
                "output_tokens": _range(plan.output_tokens),
                "critical_path": _range(plan.critical_path),
                "cost_usd": plan.cost(model.price),
                "coverage": plan.coverage,
                "fits": plan.fits,
                "model": model.name,
                "tokens_counted_by": model.counter.name,
            }
        )
    return rows


def _range(value: Any) -> list[int]:
    return [value.minimum, value.expected, value.maximum]


def _table(rows: list[dict[str, Any]]) -> None:
    """Expected figures with their range, on standard output."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    columns = ("strategy", "calls", "tokens in", "tokens out", "in a row", "US dollars", "reads")
    table.add_column(columns[0], no_wrap=True)
    for column in columns[1:]:
        table.add_column(column, justify="right")
    for row in rows:
        if "note" in row:
            table.add_row(row["strategy"], row["note"])
            continue
        figures = (row[k] for k in ("calls", "input_tokens", "output_tokens", "critical_path"))
        reads = f"{row['coverage']:.0%}" if row["fits"] else "too long"
        table.add_row(row["strategy"], *map(_figures, figures), _dollars(row["cost_usd"]), reads)
    console = Console()
    # Off a terminal there is no width that anything would have to be folded to.
    (console if console.is_terminal else Console(width=200)).print(table)
    made = next((row for row in rows if "model" in row), None)
    if made:
        typer.echo(f"\n{made['model']}, tokens counted by {made['tokens_counted_by']}.")
        typer.echo("Expected, with the least and the most in brackets; k is a thousand.")
    for row in rows:
        if not row.get("fits", True):
            typer.echo(f"{row['strategy']}: the documents do not fit the model's window.")


def _figures(triple: list[int]) -> str:
    low, expected, high = map(_short, triple)
    return expected if low == high else f"{expected} ({low} to {high})"


def _short(number: int) -> str:
    return f"{number:,}" if number < 10_000 else f"{number / 1000:,.0f} k"


def _dollars(cost: list[float] | None) -> str:
    if cost is None:
        return "unknown"
    low, expected, high = cost
    return f"{expected:.4f} ({low:.4f} to {high:.4f})" if high else "0"
