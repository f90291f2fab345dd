"""Reading with a model that cannot extract, score or choose: code does, the model answers."""

from __future__ import annotations

from memreader.chunking import Chunk
from memreader.errors import CallFailed
from memreader.memory.notes import Notes
from memreader.run import Run
from memreader.words import content_words
from memreader_strategies.graph_reader.nodes import Nodes, Placed
from memreader_strategies.graph_reader.shapes import Told
from memreader_strategies.graph_reader.sizes import Sizes


async def nearest_chunks(run: Run, question: str, nodes: Nodes, most: int) -> list[Chunk]:
    """The chunks whose facts about the question's own words are nearest to it, best first."""
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
    ranked = sorted(best, key=lambda index: (-best[index], index))[:most]
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


def _distinct(facts: list[Placed]) -> list[Placed]:
    return list({(p.chunk.index, p.fact.span): p for p in facts}.values())
