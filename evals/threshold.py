"""`python -m evals.threshold examples`: how well support tells found from not found.

A plain model is asked about the chunk that holds the answer, about the two chunks most like the
question that do not, and about one by the seed. Each reply is measured by `support`; the table
says how often a threshold would keep the first and refuse the others.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from evals.scorers import METRICS
from evals.tasks import Library, Question, find, load
from memreader.chunking import Chunk, chunk_document
from memreader.document import Document
from memreader.evidence import SUPPORTED, relevance, support
from memreader.llm.base import Message, Model, Request
from memreader.prompts import Fence, PromptFiles
from memreader.rendering import Rendering, chunk_budget
from memreader_strategies.map_reduce import MapReduce

THRESHOLDS = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
REPLY = 48
"""Tokens."""
KINDS = ("holds the answer", "like the question", "any other")


@dataclass(frozen=True, slots=True)
class Trial:
    """One reply about one chunk."""

    kind: str
    support: float


def chunks_for(
    question: Question, documents: Sequence[Document], model: Model, seed: int
) -> Iterator[tuple[str, Chunk]]:
    """The chunks to ask about, each with its kind; none where the gold place is in no one chunk."""
    size = chunk_budget(4096, model)
    cut = [c for d in documents for c in chunk_document(d, size, model.counter)]
    quotes = [" ".join(g.quote.split()) for g in question.evidence if g.quote]
    flat = {c.span: " ".join(c.text.split()) for c in cut}
    holding = [c for c in cut if any(q in flat[c.span] for q in quotes)]
    if not holding:
        return
    yield KINDS[0], holding[0]
    others = [c for c in cut if c not in holding]
    others.sort(key=lambda c: relevance(question.question, c.text).score, reverse=True)
    for chunk in others[:2]:
        yield KINDS[1], chunk
    if others[2:]:
        yield KINDS[2], random.Random(f"{seed}{question.id}").choice(others[2:])


async def trial(question: Question, kind: str, chunk: Chunk, model: Model) -> Trial:
    """Ask as `map_reduce` asks a plain model, and measure the reply."""
    fence = Fence(Fence.derived(chunk.span.document, question.question).delimiter, plain=True)
    prompt = Rendering(PromptFiles.of(MapReduce()), model, fence).prompt(
        "map", {"question": question.question, "material": chunk}
    )
    reply = await model.llm.complete(Request((Message("user", prompt),), REPLY))
    return Trial(kind, support(question.question, fence.stripped(reply.text), chunk.text).score)


def table(trials: Sequence[Trial]) -> str:
    """Markdown: for each threshold, answers kept and others refused, and the mean of the two."""
    by_kind = {k: [t.support for t in trials if t.kind == k] for k in KINDS}
    lines = [
        "| threshold | found, where it is | refused, look-alike | refused, other | mean of found "
        "and refused |",
        "| --: | --: | --: | --: | --: |",
    ]
    for limit in THRESHOLDS:
        kept = sum(s >= limit for s in by_kind[KINDS[0]])
        refused = [sum(s < limit for s in by_kind[k]) for k in KINDS[1:]]
        sizes = [len(by_kind[k]) for k in KINDS]
        wrong = sum(sizes[1:])
        mean = (kept / sizes[0] + sum(refused) / wrong) / 2 if sizes[0] and wrong else 0.0
        used = " (used)" if limit == SUPPORTED else ""
        lines.append(
            f"| {limit}{used} | {kept} of {sizes[0]} | {refused[0]} of {sizes[1]} | "
            f"{refused[1]} of {sizes[2]} | {mean:.0%} |"
        )
    return "\n".join(lines)


async def run(args: argparse.Namespace) -> str:
    """All trials of a question file with one model."""
    from dataclasses import replace

    from memreader.llm.findings import PLAIN_PASSAGE
    from memreader.llm.registry import open_model

    path = find(args.task, args.data)
    library = Library((path.parent, *([args.data] if args.data else [])))
    questions = [q for q in load(path) if q.metric in METRICS and not q.absent]
    trials: list[Trial] = []
    async with open_model(args.model) as opened:
        model = replace(opened, wire="plain", passage=opened.passage or PLAIN_PASSAGE)
        for question in questions[: args.limit]:
            for kind, chunk in chunks_for(question, library.documents(question), model, args.seed):
                trials.append(await trial(question, kind, chunk, model))
                print(f"{question.id}  {kind}  {trials[-1].support:.2f}", file=sys.stderr)
    return f"{args.model}, {path.name}, {len(trials)} replies\n\n{table(trials)}"


def main() -> None:
    """Print the table."""
    parse = argparse.ArgumentParser(prog="python -m evals.threshold", description=__doc__)
    parse.add_argument("task")
    parse.add_argument("--data", type=Path)
    parse.add_argument("--model", default="local")
    parse.add_argument("--limit", type=int)
    parse.add_argument("--seed", type=int, default=1)
    print(asyncio.run(run(parse.parse_args())))


if __name__ == "__main__":
    main()
