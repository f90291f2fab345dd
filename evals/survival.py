"""`python -m evals.survival`: how often a fact of chunk 3 of 200 reaches the answer.

The model is the `Oracle`, which overlooks what its prompt shows at a given rate and then writes
something else. So the table measures each strategy's memory and nothing of any model: how many
times one fact has to be seen again until the end, and what guards it on the way.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from memreader.contract import ANSWER, FACTS, QUESTION, paged
from memreader.reader import Reader
from memreader.strategy import Strategy
from memreader.testing import Oracle, a_model
from memreader_strategies.chain_of_agents import ChainOfAgents
from memreader_strategies.map_reduce import MapReduce
from memreader_strategies.mem_agent import MemAgent
from memreader_strategies.pi_mem import PiMem
from memreader_strategies.prism import Prism

CHUNKS = 200
RATES = (0.0, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
_MEM = MemAgent(section_tokens=160, memory_tokens=256)
STRATEGIES: Mapping[str, Strategy] = {
    "map_reduce": MapReduce(chunk_size=1100, reply_tokens=120),
    "chain_of_agents": ChainOfAgents(window=900, unit_tokens=160, reply_tokens=160),
    "mem_agent": _MEM,
    "mem_agent, update=operations": replace(_MEM, update="operations"),
    "mem_agent, update_gate": replace(_MEM, update_gate=True),
    "pi_mem": PiMem(section_tokens=160, extract_tokens=120, memory_tokens=256),
    "prism": Prism(chunk_tokens=160, memory_tokens=256, amendment_tokens=128, reply_tokens=120),
}


@dataclass(frozen=True, slots=True)
class Point:
    """One strategy at one rate of overlooking."""

    strategy: str
    miss: float
    found: int
    readings: int
    chunks: int


def survival(strategy: Strategy, miss: float, seeds: Iterable[int]) -> tuple[int, int]:
    """Readings that still answered, and the chunks of one reading."""
    document = paged(CHUNKS, needle_on=3)
    found = chunks = 0
    for seed in seeds:
        model = a_model(Oracle(FACTS, miss=miss, seed=seed), window=3072, concurrency=1)
        answer = Reader(model, strategy, probe=False).ask(document, QUESTION)
        found += answer.text == ANSWER
        chunks = answer.coverage.chunks
    return found, chunks


def measured(rates: Iterable[float], readings: int) -> list[Point]:
    """All strategies at all rates."""
    points = []
    for name, strategy in STRATEGIES.items():
        for miss in rates:
            count = 1 if miss == 0 else readings
            found, chunks = survival(strategy, miss, range(count))
            points.append(Point(name, miss, found, count, chunks))
    return points


def table(points: list[Point]) -> str:
    """Markdown: strategies down, rates across, share of readings that answered."""
    rates = sorted({p.miss for p in points})
    lines = [
        "| strategy | chunks | " + " | ".join(f"{r:g}" for r in rates) + " |",
        "|---|--:|" + "--:|" * len(rates),
    ]
    for name in dict.fromkeys(p.strategy for p in points):
        row = {p.miss: p for p in points if p.strategy == name}
        cells = [f"{row[r].found / row[r].readings:.0%}" for r in rates]
        lines.append(f"| `{name}` | {row[rates[0]].chunks} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Print the table."""
    parse = argparse.ArgumentParser(prog="python -m evals.survival", description=__doc__)
    parse.add_argument("--readings", type=int, default=20, help="for each point")
    parse.add_argument("--json", type=Path, help="also write the points here, for the picture")
    args = parse.parse_args()
    points = measured(RATES, args.readings)
    print(table(points))
    if args.json:
        args.json.write_text(json.dumps([asdict(p) for p in points], indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
