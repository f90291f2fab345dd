"""`memreader plan FILE... "question"`, and with `-Q` for several questions."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from memreader.cli.common import files_and_questions, opened_files, options_from
from memreader.cli.printable import say
from memreader.errors import ConfigurationError

if TYPE_CHECKING:
    from memreader.document import Corpus
    from memreader.llm.base import Model
    from memreader.plan import Plan
    from memreader.strategy import Strategy


def plan(
    arguments: Annotated[
        list[str], typer.Argument(metavar="FILE... QUESTION", help="As for `ask`.")
    ],
    questions: Annotated[
        Path | None,
        typer.Option("-Q", "--questions", help="For all lines of this file, and for one more."),
    ] = None,
    strategy: Annotated[
        str | None, typer.Option("-s", "--strategy", help="Only this strategy.")
    ] = None,
    model: Annotated[str | None, typer.Option("-m", "--model", help="provider:model.")] = None,
    option: Annotated[
        list[str] | None,
        typer.Option("-o", "--option", metavar="KEY=VALUE", help="An option; needs -s."),
    ] = None,
    window: Annotated[int | None, typer.Option(help="Tokens of the model's window.")] = None,
    rescue: Annotated[bool, typer.Option("--rescue", help="As for `ask`.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Say what a question will take with each strategy, before any call."""
    import anyio

    from memreader.api import model_settings, spec
    from memreader.document import Corpus
    from memreader.llm.registry import open_model
    from memreader.settings import home, resolve
    from memreader.stores import Stores
    from memreader.strategy import available

    if option and strategy is None:
        raise ConfigurationError("-o sets an option of one strategy: name it with -s.")
    options = options_from(option)
    files, asked = files_and_questions(arguments, questions)
    settings = resolve({"model": model, "window": window})
    documents = opened_files(files).documents
    corpus = Corpus(tuple(d.finish() for d in documents))
    shelf = Stores(home().data).shelf()

    async def planned() -> list[dict[str, Any]]:
        from memreader.cli.money import indexed
        from memreader.probing import remembered

        async with open_model(spec(settings), model_settings(settings)) as opened:
            for remark in opened.remarks:
                say(remark)
            known = replace(opened, probed=True)  # as `ask` takes it where nothing is probed
            if settings.probe:
                known = remembered(opened, home().data / "probes.json")
            names = [strategy] if strategy else available()
            given = {name: {**settings.options.get(name, {}), **options} for name in names}
            there = partial(indexed, shelf, model=known, documents=documents)
            return _plans(corpus, asked, known, given, there, rescue=rescue)

    rows = anyio.run(planned)
    rows = rows if questions is not None else [_of_one(row) for row in rows]
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
    else:
        _table(rows)


def _of_one(row: dict[str, Any]) -> dict[str, Any]:
    """A row without what is told of several questions, or of an index that is not there."""
    hidden = {"questions"} if row.get("once") is not None else {"questions", "one_more"}
    return {key: value for key, value in row.items() if key not in hidden}


def _plans(
    corpus: Corpus,
    questions: Sequence[str],
    model: Model,
    strategies: dict[str, dict[str, Any]],
    there: Callable[[Strategy], bool],
    *,
    rescue: bool,
) -> list[dict[str, Any]]:
    from memreader.llm.probe import MOST_CALLS
    from memreader.plan import NOTHING, together
    from memreader.strategy import Planned, make

    rows: list[dict[str, Any]] = []
    for name, options in strategies.items():
        try:
            strategy = make(name, options)
            if not isinstance(strategy, Planned):
                rows.append({"strategy": name, "note": "makes no plan"})
                continue
            planned = (strategy.plan(corpus, question, model) for question in questions)
            plans = [plan.with_thinking(model.thinking) for plan in planned]
        except ConfigurationError as error:
            if len(strategies) == 1:
                raise
            rows.append({"strategy": name, "note": str(error)})
            continue
        plans = [plan.rescued() for plan in plans] if rescue else plans
        plan, more = together(plans), plans[-1].more()
        built = plan.once is not None and there(strategy)
        if built:
            plan = replace(plan.more(), once=NOTHING)
        told = {"strategy": name, **_figures_of(plan, model), "coverage": plan.coverage}
        told |= {"fits": plan.fits, "model": model.name, "wire": model.wire}
        told["probe_calls"] = 0 if model.probed else MOST_CALLS
        told["tokens_counted_by"], told["questions"] = model.counter.name, len(questions)
        told["once"] = None if plan.once is None else _figures_of(plan.once, model)
        told["indexed"], told["one_more"] = built, _figures_of(more, model)
        rows.append(told)
    return rows


def _figures_of(plan: Plan, model: Model) -> dict[str, Any]:
    return {
        "calls": _range(plan.calls),
        "input_tokens": _range(plan.input_tokens),
        "output_tokens": _range(plan.output_tokens),
        "critical_path": _range(plan.critical_path),
        "cost_usd": plan.cost(model.price),
    }


def _range(value: Any) -> list[int]:
    return [value.minimum, value.expected, value.maximum]


def _table(rows: list[dict[str, Any]]) -> None:
    """Expected figures with their range, on standard output."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    columns = ("strategy", "calls", "tokens in", "tokens out", "in a row", "US dollars", "reads")
    table.add_column(columns[0], no_wrap=True)
    several = any("questions" in row for row in rows)
    once = any(row.get("once") is not None for row in rows)
    last = [*(["built once"] if once else [])]
    last += ["one more question" if several else "each question"] if several or once else []
    for column in (*columns[1:], *last):
        table.add_column(column, justify="right")
    for row in rows:
        if "note" in row:
            table.add_row(row["strategy"], row["note"])
            continue
        figures = (row[k] for k in ("calls", "input_tokens", "output_tokens", "critical_path"))
        reads = f"{row['coverage']:.0%}" if row["fits"] else "too long"
        told = [*map(_figures, figures), _dollars(row["cost_usd"]), reads]
        told += [_once(row)] if once else []
        told += [_one_more(row["one_more"])] if "one_more" in row else []
        table.add_row(row["strategy"], *told)
    console = Console()
    # Off a terminal there is no width that anything would have to be folded to.
    (console if console.is_terminal else Console(width=200)).print(table)
    _remarks(rows, once=once, several=several)


def _remarks(rows: list[dict[str, Any]], *, once: bool, several: bool) -> None:
    """What the figures are of, in lines below the table."""
    made = next((row for row in rows if "model" in row), None)
    if made:
        typer.echo(f"\n{made['model']}, tokens counted by {made['tokens_counted_by']}.")
        if made["probe_calls"]:
            typer.echo(
                f"It has not been probed yet: {made['wire']} replies are assumed, and the first "
                f"question makes up to {made['probe_calls']} calls more to find out. "
                f"`memreader doctor` does that now."
            )
        typer.echo("Expected, with the least and the most in brackets; k is a thousand.")
        if once:
            typer.echo(
                "`built once` is in the figures before it: an index, free of the question, which "
                "`memreader index` builds ahead."
            )
        if several:
            typer.echo(
                f"All figures but the last are for {made['questions']:,} questions together."
            )
    for row in rows:
        if not row.get("fits", True):
            typer.echo(f"{row['strategy']}: the documents do not fit the model's window.")


def _figures(triple: list[int]) -> str:
    low, expected, high = map(_short, triple)
    return expected if low == high else f"{expected} ({low} to {high})"


def _short(number: int) -> str:
    return f"{number:,}" if number < 10_000 else f"{number / 1000:,.0f} k"


def _once(row: dict[str, Any]) -> str:
    if row["indexed"]:
        return "there"
    return "" if row["once"] is None else _one_more(row["once"])


def _one_more(row: dict[str, Any]) -> str:
    calls, cost = row["calls"][1], row["cost_usd"]
    price = "unknown" if cost is None else f"${cost[1]:.4f}" if cost[2] else "$0"
    return f"{_short(calls)} {'call' if calls == 1 else 'calls'}, {price}"


def _dollars(cost: list[float] | None) -> str:
    if cost is None:
        return "unknown"
    low, expected, high = cost
    return f"{expected:.4f} ({low:.4f} to {high:.4f})" if high else "0"
