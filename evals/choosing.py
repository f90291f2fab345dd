"""`python -m evals.choosing examples --model local`: how a model best chooses among texts.

Each question is asked over the passage that holds its gold place and over others: half of them
those that share most words with the question. The gold passage stands in each position equally
often. Three ways compete (`memreader.choosing`): by number, by the confidence of an answer from
each text, and by the words a text shares with the question. With `--of summaries` the model
chooses among summaries of the passages, made by itself as `mem_walker` makes them.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import get_args

from evals.__main__ import commit
from evals.scorers import METRICS
from evals.tasks import Library, Question, find, load
from memreader.answer import NOT_FOUND, Draft
from memreader.choosing import By
from memreader.chunking import Chunk
from memreader.document import Document
from memreader.errors import MemreaderError
from memreader.evidence import relevance
from memreader.llm.base import Model
from memreader.reader import Reader
from memreader.run import Run
from memreader.stores import Stores
from memreader.strategy import make

WAYS: tuple[By, ...] = get_args(By)


@dataclass(frozen=True, slots=True)
class Trial:
    """What each way chose for one question."""

    right: int
    """Position of the gold passage."""
    chosen: dict[By, int | None]
    """Position that each way chose; None where the model named none."""


@dataclass
class Contest:
    """A reading that answers nothing: it lets every way choose, and writes down what they chose."""

    gold: Sequence[str]
    """Quotes of the gold place, any of which the right passage holds."""
    options: int
    position: int
    of: str
    tokens: int
    """Size of a passage."""
    walker: object
    found: Trial | None = None

    @property
    def prompts(self) -> object:
        """The prompts of the strategy that makes the summaries."""
        from memreader.prompts import PromptFiles

        return PromptFiles.of(self.walker).templates

    async def read(self, question: str, run: Run) -> Draft:
        """Choose among the passages of the document in every way."""
        chunks = [chunk async for chunk in run.chunks(self.tokens)]
        passages = self._passages(question, chunks)
        if not passages:
            return NOT_FOUND
        texts = [chunk.text for chunk in passages]
        if self.of == "summaries":
            from memreader_strategies.mem_walker.building import Building
            from memreader_strategies.mem_walker.sizes import Sizes

            sizes = Sizes.of(self.walker, run.rendering)  # type: ignore[arg-type]
            building = Building(run, sizes)
            texts = [(await building.summarise(chunk)).text for chunk in passages]
        choices = {by: await run.choose(texts, by) for by in WAYS}
        chosen = {by: c.order[0] if c.by == by else None for by, c in choices.items()}
        self.found = Trial(self.position, chosen)
        return NOT_FOUND

    def _passages(self, question: str, chunks: Sequence[Chunk]) -> list[Chunk]:
        """The passage that holds the gold place, in its position among others; none without it."""
        flat = {c.span: " ".join(c.text.split()) for c in chunks}
        holding = [c for c in chunks if any(quote in flat[c.span] for quote in self.gold)]
        if not holding:
            return []
        others = [c for c in chunks if c not in holding]
        others.sort(key=lambda c: relevance(question, c.text).score, reverse=True)
        like = others[: (self.options - 1) // 2]
        spread = others[len(like) :: max(1, len(others) // self.options)]
        several = [*like, *spread][: self.options - 1]
        several.insert(self.position, holding[0])
        return several


async def trial(
    question: Question, documents: Sequence[Document], model: Model, contest: Contest, store: Path
) -> Trial | None:
    """One question; None where the gold place is in no one passage."""
    reader = Reader(model, contest, stores=Stores(store), probe=False)
    await reader.aask([Document(d.text, d.source) for d in documents], question.question)
    return contest.found


def table(trials: Sequence[Trial], options: int) -> str:
    """Markdown: right choices of each way, and the position it names most often."""
    lines = ["| way | right | position named most often |", "|---|---|---|"]
    for way in WAYS:
        right = sum(t.chosen[way] == t.right for t in trials)
        most, times = Counter(t.chosen[way] for t in trials).most_common(1)[0]
        told = "none" if most is None else f"{most + 1} of {options}"
        lines.append(
            f"| {way} | {right} of {len(trials)} ({right / len(trials):.0%}) | "
            f"{told} ({times} of {len(trials)}) |"
        )
    return "\n".join(lines)


async def run(args: argparse.Namespace) -> str:
    """All trials of a question file with one model."""
    from memreader.llm.registry import open_model

    path = find(args.task, args.data)
    library = Library((path.parent, *([args.data] if args.data else [])))
    questions = [q for q in load(path) if q.metric in METRICS and not q.absent]
    trials: list[Trial] = []
    async with open_model(args.model) as model:
        for question in questions[: args.limit]:
            quotes = [" ".join(g.quote.split()) for g in question.evidence if g.quote]
            position = len(trials) % args.options
            contest = Contest(
                quotes, args.options, position, args.of, args.tokens, make("mem_walker")
            )
            found = await trial(question, library.documents(question), model, contest, args.store)
            if found is not None:
                trials.append(found)
                print(f"{question.id}  {found}", file=sys.stderr, flush=True)
    what = f"{args.model}, {path.name}, {len(trials)} questions, {args.options} {args.of}"
    what += f" of {args.tokens} tokens" if args.of == "passages" else ""
    return f"{what}, {date.today().isoformat()}, commit {commit()}\n\n{table(trials, args.options)}"


def main() -> int:
    """Print the table."""
    parse = argparse.ArgumentParser(prog="python -m evals.choosing", description=__doc__)
    parse.add_argument("task")
    parse.add_argument("--data", type=Path)
    parse.add_argument("--model", default="local")
    parse.add_argument("--options", type=int, default=4)
    parse.add_argument("--of", choices=("passages", "summaries"), default="passages")
    parse.add_argument("--tokens", type=int, default=250, help="size of a passage")
    parse.add_argument("--limit", type=int)
    parse.add_argument("--store", type=Path, default=Path("build/choosing"))
    try:
        print(asyncio.run(run(parse.parse_args())))
    except MemreaderError as error:
        print(f"evals: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
