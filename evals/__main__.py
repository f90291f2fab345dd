"""`python -m evals examples --model local`: measure a reader on a question file."""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import date
from pathlib import Path

from evals.readers import Read, WithModel, lexical
from evals.report import markdown
from evals.run import Outcome, evaluate
from evals.tasks import ROOT, Library, TaskError, chosen, find, load, scorable
from memreader.errors import MemreaderError

READERS = ("lexical", "gold-page", "strategy")


def parser() -> argparse.ArgumentParser:
    """The command line."""
    parse = argparse.ArgumentParser(prog="python -m evals", description=__doc__)
    add = parse.add_argument
    add("task", help="`examples`, the name of a question file in --data, or its path")
    add("--data", type=Path, metavar="DIR", help="folder of question files and documents")
    add("--readers", nargs="+", choices=READERS, default=READERS, help="what to measure")
    add("--model", help="provider:model, e.g. local or ollama:qwen3")
    add("--strategy", "-s", help="how to read (default: the setting, else map_reduce)")
    add("--option", "-o", action="append", default=[], metavar="KEY=VALUE", dest="options")
    add("--window", type=int, help="tokens of the model's window")
    add("--limit", type=int, metavar="N", help="the first N questions only")
    add("--questions", nargs="+", default=[], metavar="ID", help="these questions only")
    add("--out", type=Path, metavar="FILE", help="the record, one JSON object a line")
    add("--store", type=Path, default=ROOT / "build/evals", help="folder of journal and records")
    add("--date", default=date.today().isoformat(), help="date to put on the summary")
    return parse


async def run(args: argparse.Namespace) -> str:
    """Load the questions, open the readers, evaluate, write the record; the summary."""
    path = find(args.task, args.data)
    every = load(path)
    questions = scorable(chosen(every, args.questions, args.limit))
    if not questions:
        raise TaskError(f"{path} holds no question whose metric is known here.")
    library = Library((path.parent, *([args.data] if args.data else [])))
    out = args.out or args.store / f"{path.name.split('.')[0]}.jsonl"
    out.parent.mkdir(parents=True, exist_ok=True)
    async with opened(args) as (readers, facts):
        with out.open("w", encoding="utf-8") as record:

            def write(outcome: Outcome) -> None:
                record.write(json.dumps(asdict(outcome), ensure_ascii=False) + "\n")
                record.flush()
                say(_line(outcome))

            outcomes = await evaluate(questions, library, readers, write)
    say(f"record: {out}")
    asked = f"{len(questions)} of {len(every)} questions"
    facts = {"data": f"{path.name}, {asked}", **facts, "date": args.date, "commit": commit()}
    return markdown(outcomes, facts)


@asynccontextmanager
async def opened(
    args: argparse.Namespace,
) -> AsyncIterator[tuple[dict[str, Read], dict[str, str]]]:
    """The readers asked for by name, and the facts of them; a model only where one is needed."""
    if set(args.readers) == {"lexical"}:
        yield {"lexical": lexical}, {}
        return
    from memreader.api import limits, model_settings, spec
    from memreader.llm.registry import open_model
    from memreader.settings import resolve
    from memreader.stores import Stores
    from memreader.strategy import make, options_of

    flags = {"model": args.model, "strategy": args.strategy, "window": args.window}
    current = resolve({k: v for k, v in flags.items() if v is not None})
    given = dict(option.split("=", 1) for option in args.options)
    name = current.strategy
    strategy = make(name, {**current.options.get(name, {}), **given})
    async with open_model(spec(current), model_settings(current)) as model:
        reader = WithModel(model, strategy, Stores(args.store), limits(current), current.probe)
        known: dict[str, tuple[str, Read]] = {
            "lexical": ("lexical", lexical),
            "gold-page": ("gold-page", reader.gold_page),
            "strategy": (name, reader),
        }
        options = ", ".join(f"{k}={v}" for k, v in options_of(strategy).items())
        facts = {"model": f"{model.name}, window {model.window:,}", name: options}
        yield dict(known[r] for r in READERS if r in args.readers), facts


def commit() -> str:
    """The commit of this tree, marked where it was changed since."""
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def say(line: str) -> None:
    """A line on progress."""
    print(line, file=sys.stderr, flush=True)


def _line(outcome: Outcome) -> str:
    told = outcome.error or outcome.answer or f"({outcome.status})"
    brief = " ".join(told.split())[:70]
    return f"{outcome.id}  {outcome.reader}  {outcome.score:.2f}  {outcome.seconds:.1f} s  {brief}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run and print the summary; 1 for an error that a person can mend."""
    args = parser().parse_args(arguments)
    for option in args.options:
        if "=" not in option:
            say(f"evals: an option is KEY=VALUE, not {option!r}.")
            return 2
    try:
        print(asyncio.run(run(args)))
    except (TaskError, MemreaderError) as error:
        say(f"evals: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
