"""`python -m evals.indexes TASK --data DIR`: what readers that index build, and what they ask.

Every question of a file is asked of one document, or of an excerpt around the gold places of all
of them, by one strategy after the other, each with a store of its own. The first question pays
for the index; the table parts what was built from what was asked.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from tempfile import mkdtemp

from evals.places import Excerpt, excerpt
from evals.readers import Reading, WithModel
from evals.report import mean
from evals.run import Outcome, scored
from evals.tasks import Library, Question, TaskError, chosen, find, load, scorable
from memreader.document import Document
from memreader.errors import MemreaderError
from memreader.llm.base import Model
from memreader.memory.embedders import as_opener
from memreader.stores import Stores
from memreader.strategy import Strategy, make
from memreader.testing import Oracle, a_model
from memreader.tokens import ESTIMATE

ORACLE = "oracle"
"""As a model: answers from what its prompt shows, if that holds the gold sentence."""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    parse = argparse.ArgumentParser(prog="python -m evals.indexes", description=__doc__)
    add = parse.add_argument
    add("task", help="name of a question file in --data, or its path")
    add("--data", type=Path, metavar="DIR", help="folder of question files and documents")
    add("--model", default=ORACLE, help="provider:model, or oracle")
    add("--embedder", help="as the setting; none for none")
    add(
        "--strategy", "-s", action="append", default=[], dest="strategies", metavar="NAME[,K=V...]",
        help="how to read, with options; may be given several times",
    )  # fmt: skip
    add("--around", type=int, metavar="N", help="only N characters around each gold place")
    add("--store", type=Path, metavar="DIR", help="keep what is finished there, to go on later")
    add("--limit", type=int, metavar="N", help="the first N questions only")
    add("--questions", nargs="+", default=[], metavar="ID", help="these questions only")
    add("--date", default=date.today().isoformat(), help="date to put on the table")
    return parse


@dataclass(frozen=True, slots=True)
class Row:
    """One strategy over all questions."""

    name: str
    readings: list[Reading]
    outcomes: list[Outcome]

    def cells(self) -> list[str]:
        """The row of the table; what was built is that of all readings together."""
        built = [r.index for r in self.readings]
        asked = len(self.readings)
        return [
            self.name,
            f"{sum(b.calls for b in built):,}",
            f"{sum(b.input_tokens for b in built):,}",
            f"{sum(b.output_tokens for b in built):,}",
            f"{sum(b.seconds for b in built):,.1f}",
            f"{sum(r.calls - r.index.calls for r in self.readings) / asked:,.1f}",
            f"{sum(r.input_tokens - r.index.input_tokens for r in self.readings) / asked:,.0f}",
            f"{sum(r.output_tokens - r.index.output_tokens for r in self.readings) / asked:,.0f}",
            f"{sum(r.seconds - r.index.seconds for r in self.readings) / asked:,.1f}",
            *(_share(figures) for figures in self._shares()),
        ]

    def _shares(self) -> list[list[float | None]]:
        rows = self.outcomes
        return [
            [o.contains for o in rows],
            [o.gold_read for o in rows],
            [o.gold_cited for o in rows],
            [o.citation_precision for o in rows],
        ]


_HEAD = (
    "strategy", "build calls", "tokens in", "tokens out", "s",
    "calls a question", "tokens in", "tokens out", "s",
    "contains the answer", "gold read", "gold cited", "citation precision",
)  # fmt: skip


def _share(values: Sequence[float | None]) -> str:
    found = mean(values)
    return "–" if found is None else f"{100 * found:.0f} %"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


async def run(args: argparse.Namespace) -> AsyncIterator[str]:
    """Ask all questions with each strategy: lines of a Markdown table, as they are known."""
    path = find(args.task, args.data)
    questions = scorable(chosen(load(path), args.questions, args.limit))
    library = Library((path.parent, *([args.data] if args.data else [])))
    documents = library.documents(questions[0])
    excerpts = _excerpts(questions, documents, args.around)
    async with opened(args.model, questions) as model:
        size = sum(model.counter.count(e.document.text) for e in excerpts.values())
        yield (
            f"{path.name}, {len(questions)} questions on {', '.join(excerpts)} ({size:,} tokens by "
            f"{model.counter.name}); model {model.name}; embedder {args.embedder or 'none'}; "
            f"{args.date}.\n"
        )
        yield _line(_HEAD)
        yield _line(["---", *["--:"] * (len(_HEAD) - 1)])
        for spec in args.strategies:
            folder = args.store / spec if args.store else Path(mkdtemp())
            reader = WithModel(
                model,
                _strategy(spec),
                Stores(folder),
                probe=not model.probed,
                embedder=as_opener(args.embedder),
            )
            yield _line((await _row(spec, reader, questions, documents, excerpts)).cells())


def _strategy(spec: str) -> Strategy:
    name, _, options = spec.partition(",")
    return make(name, dict(option.partition("=")[::2] for option in options.split(",") if option))


@asynccontextmanager
async def opened(name: str, questions: Sequence[Question]) -> AsyncIterator[Model]:
    """The model: a real one, or the oracle that knows the gold sentences."""
    if name == ORACLE:
        facts = {q.asked: (q.evidence[0].quote, q.answers[0]) for q in questions if q.evidence}
        oracle = a_model(Oracle(facts), window=8192, counter=ESTIMATE)
        yield replace(oracle, probed=True)
        return
    from memreader.api import model_settings, spec
    from memreader.llm.registry import open_model
    from memreader.settings import resolve

    current = resolve({"model": name})
    async with open_model(spec(current), model_settings(current)) as model:
        yield model


def _excerpts(
    questions: Sequence[Question], documents: Sequence[Document], around: int | None
) -> dict[str, Excerpt]:
    """The documents whole, or what stands around the gold places of all questions."""
    if around is None:
        return {d.source: Excerpt.whole(d) for d in documents}
    gold = [place for q in questions for place in q.gold(documents)]
    touched = [(d, [p for p in gold if p.document == d.source]) for d in documents]
    return {d.source: excerpt(d, places, around) for d, places in touched if places}


async def _row(
    spec: str,
    reader: WithModel,
    questions: Sequence[Question],
    documents: Sequence[Document],
    excerpts: dict[str, Excerpt],
) -> Row:
    row = Row(spec, [], [])
    for question in questions:
        reading = await reader.of_excerpts(question, excerpts)
        row.readings.append(reading)
        row.outcomes.append(scored(question, spec, reading, documents))
        told = f"{spec}  {question.id}  {reading.seconds:.1f} s  {reading.text[:60]!r}"
        print(told, file=sys.stderr, flush=True)
    return row


async def _printed(args: argparse.Namespace) -> None:
    async for line in run(args):
        print(line, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run and print the table; 1 for an error that a person can mend."""
    args = parser().parse_args(arguments)
    args.strategies = args.strategies or ["mem_walker", "graph_reader", "retrieval"]
    try:
        asyncio.run(_printed(args))
    except (TaskError, MemreaderError) as error:
        print(f"evals: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
