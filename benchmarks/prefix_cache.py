"""What share of the input tokens llama.cpp takes from its prefix cache, for each strategy.

    python -m benchmarks.prefix_cache

Every prompt goes to the embedded llama.cpp server, which reads it and says how many of its
tokens it had in its cache. What the strategy sees as the reply is the oracle's, because the
embedded model is too small for the prompts that a larger model gets, and the flow of a reading
has to be that of a model that follows them.

"Shipped" is the order of the prompts as they are: instructions, form and question first, then
the memory, then the passage. "Material first" is the same prompts with what changes from call to
call at their beginning, as the templates of most released code have it.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from benchmarks.report import commit
from memreader import Document, Reader
from memreader.llm.base import LLM, Model, Reply, Request
from memreader.llm.registry import open_model
from memreader.prompts import PromptFiles
from memreader.specimens import FACTS, QUESTION, paged
from memreader.strategy import Strategy, make
from memreader.testing import Oracle

SMALL: dict[str, dict[str, Any]] = {
    "map_reduce": {"chunk_size": 1200, "reply_tokens": 150},
    "chain_of_agents": {"window": 1400, "unit_tokens": 200, "reply_tokens": 100},
    "mem_agent": {"section_tokens": 500, "memory_tokens": 200},
    "pi_mem": {"section_tokens": 500, "extract_tokens": 150, "memory_tokens": 200},
    "prism": {"chunk_tokens": 500, "reply_tokens": 150},
    "prism, in place": {"chunk_tokens": 500, "reply_tokens": 150, "mode": "in_place"},
}
"""Options for passages of about 500 tokens, so that a short text makes a long reading."""
MATERIAL = ("$notes", "$memory", "$passage", "$section", "$material", "$messages", "$again")


@dataclass
class Cached:
    """Lets the server read each prompt, and the oracle answer it."""

    server: LLM
    oracle: Oracle
    input: int = 0
    cached: int = 0
    calls: int = 0

    async def complete(self, request: Request) -> Reply:
        """One token of the server's for the price of reading; the rest is the oracle's."""
        read = await self.server.complete(replace(request, max_tokens=1, schema=None))
        said = await self.oracle.complete(request)
        self.calls += 1
        self.input += read.usage.input_tokens
        self.cached += read.usage.cached_input_tokens
        return replace(said, usage=replace(read.usage, output_tokens=said.usage.output_tokens))


@dataclass(frozen=True)
class Row:
    """A strategy's reading with one order of its prompts."""

    name: str
    order: str
    calls: int
    input: int
    cached: int
    notes: tuple[str, ...] = field(default=(), repr=False)

    @property
    def share(self) -> float:
        """Cached input tokens / all input tokens."""
        return self.cached / self.input if self.input else 0.0


def material_first(templates: Mapping[str, str]) -> dict[str, str]:
    """The same templates with the paragraphs that hold material before all others."""
    return {name: _turned(text) for name, text in templates.items()}


def _turned(template: str) -> str:
    paragraphs = template.strip().split("\n\n")
    first = [p for p in paragraphs if p.strip() in MATERIAL]
    return "\n\n".join([*first, *(p for p in paragraphs if p.strip() not in MATERIAL)])


def turned(strategy: Strategy) -> Strategy:
    """The strategy with its prompts the other way round, and all else the same."""
    cls = type(strategy)
    prompts = material_first(PromptFiles.of(strategy).templates)
    other = type(cls.__name__, (cls,), {"prompts": prompts, "__module__": cls.__module__})
    return other(**vars(strategy))  # type: ignore[no-any-return]


def text(pages: int) -> Document:
    """A ledger with the fact that answers the question on its third page."""
    return Document(paged(pages, needle_on=3).text, "ledger.txt")


async def read(name: str, order: str, document: Document, model: Model) -> Row:
    """One reading, and what the server had in its cache."""
    strategy = make(name.partition(",")[0], SMALL[name])
    if order == "material first":
        strategy = turned(strategy)
    counted = Cached(model.llm, Oracle(FACTS))
    reader = Reader(
        replace(model, llm=counted, wire="labelled", probed=True, passage=None), strategy
    )
    answer = await reader.aask(document, QUESTION)
    return Row(name, order, counted.calls, counted.input, counted.cached, answer.notes)


async def measured(names: Sequence[str], pages: int) -> list[Row]:
    """All readings, each on a server of its own, whose cache is empty."""
    rows = []
    for name in names:
        for order in ("material first", "shipped"):
            async with open_model("local") as model:
                rows.append(await read(name, order, text(pages), model))
            print(f"{name}, {order}: {rows[-1].share:.0%}", flush=True)
    return rows


def table(rows: Sequence[Row]) -> str:
    """Markdown: a line a strategy, both orders side by side."""
    lines = [
        "| strategy | calls | tokens in | cached, material first | cached, shipped |",
        "| --- | --: | --: | --: | --: |",
    ]
    for before, after in zip(rows[::2], rows[1::2], strict=True):
        lines.append(
            f"| {after.name} | {after.calls:,} | {after.input:,} "
            f"| {before.share:.1%} | {after.share:.1%} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--pages", type=int, default=16, help="of about 170 tokens each")
    parser.add_argument("--strategies", default=";".join(SMALL), help="separated by semicolons")
    given = parser.parse_args()
    rows = asyncio.run(measured(given.strategies.split(";"), given.pages))
    print(f"\n{datetime.now(UTC):%Y-%m-%d %H:%M}, commit {commit()}, {given.pages} pages\n")
    print(table(rows))
    for row in rows:
        for note in row.notes:
            if note.startswith("Cost index"):
                print(f"\n{row.name}, {row.order}: {note}")


if __name__ == "__main__":
    main()
