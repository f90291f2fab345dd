"""Reading with a model that cannot extract, score or choose: code does, the model answers."""

from __future__ import annotations

import math

from memreader.chunking import Chunk
from memreader.errors import CallFailed
from memreader.memory.notes import Notes
from memreader.run import Run
from memreader.words import content_words
from memreader_strategies.graph_reader.nodes import Nodes, Placed
from memreader_strategies.graph_reader.shapes import Told
from memreader_strategies.graph_reader.sizes import Sizes


async def nearest_chunks(run: Run, question: str, nodes: Nodes, most: int) -> list[Chunk]:
    """The chunks that are nearest to the question, best first.

    A chunk is near by its best sentence, and by the share of the question's own words that its
    sentences hold, the rare ones weighing more: a table spreads them over its rows.
    """
    words = {name for word in content_words(question) if (name := nodes.known(word))}
    rare = sorted(words, key=lambda name: (len(nodes.facts(name)), name))
    if rare:
        run.note(f"Start nodes, the question's own words: {'; '.join(rare)}.")
    else:
        run.note("No key element stands in the question: all facts were compared with it.")
    facts = _distinct([p for name in rare for p in nodes.facts(name)]) or nodes.facts()
    near = await run.search.nearness(question, [p.fact.text for p in facts])
    best: dict[int, float] = {}
    for placed, score in zip(facts, near, strict=True):
        best[placed.chunk.index] = max(score, best.get(placed.chunk.index, score))
    held = _held(rare, nodes)
    ranked = sorted(best, key=lambda i: (-best[i] - held.get(i, 0.0), i))[:most]
    return [nodes.chunks[index] for index in ranked]


async def told_of(run: Run, question: str, chunk: Chunk, sizes: Sizes) -> Notes:
    """What the model answers beside one chunk, where a sentence of the chunk bears it out."""
    try:
        reply = await run.ask_for(
            Told,
            "read",
            max_tokens=64,
            values={"question": question, "passage": chunk},
            sources=[chunk],
        )
    except CallFailed:  # the coverage counts the chunk
        return Notes()
    return run.noted(Notes(), reply.fact, chunk, sizes.notebook)


def _held(words: list[str], nodes: Nodes) -> dict[int, float]:
    """The share of these nodes that each chunk's facts mention, by rarity, by the chunk's index."""
    places = {word: {p.chunk.index for p in nodes.facts(word)} for word in words}
    weights = {w: math.log(1 + len(nodes.chunks) / len(at)) for w, at in places.items()}
    total = sum(weights.values())
    held: dict[int, float] = {}
    for word, at in places.items():
        for index in at:
            held[index] = held.get(index, 0.0) + weights[word] / total
    return held


def _distinct(facts: list[Placed]) -> list[Placed]:
    return list({(p.chunk.index, p.fact.span): p for p in facts}.values())
