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
    for column in (
        "strategy",
        "calls",
        "tokens in",
        "tokens out",
        "in a row",
        "US dollars",
        "reads",
    ):
        table.add_column(column, no_wrap=True, justify="left" if column == "strategy" else "right")
    for row in rows:
        if "note" in row:
            table.add_row(row["strategy"], row["note"])
            continue
        cost = row["cost_usd"]
        table.add_row(
            row["strategy"],
            *(
                _figures(row[k])
                for k in ("calls", "input_tokens", "output_tokens", "critical_path")
            ),
            "unknown" if cost is None else f"{cost[1]:.4f} (max {cost[2]:.4f})" if cost[2] else "0",
            f"{row['coverage']:.0%}" if row["fits"] else "does not fit the window",
        )
    Console(width=140).print(table)
    if rows and "model" in rows[0]:
        typer.echo(f"\n{rows[0]['model']}, tokens counted by {rows[0]['tokens_counted_by']}.")


def _figures(triple: list[int]) -> str:
    low, expected, high = triple
    return f"{expected:,}" if low == high else f"{expected:,} ({low:,} to {high:,})"
