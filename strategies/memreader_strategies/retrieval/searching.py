"""Step 2: which passages are nearest to the question.

`dense` by the cosine of embeddings, `bm25` by words, `fusion` by both through reciprocal rank
fusion (Cormack, Clarke and Büttcher, SIGIR 2009, section 2: k = 60), or by the user's own
retriever.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from memreader.bm25 import bm25
from memreader.chunking import Chunk
from memreader.document import Span
from memreader.errors import ConfigurationError
from memreader.run import Run

if TYPE_CHECKING:
    from memreader_strategies.retrieval.strategy import Retrieval

RRF = 60
"""The constant k of reciprocal rank fusion, as published."""

NO_EMBEDDER = (
    "The retrieval mode `{mode}` needs an embedding model, and none is set. Install one "
    "(pip install 'memreader-agents[st,chroma]', then memreader models pull minilm) or name "
    "one by the setting `embedder`; or search by words alone: -o mode=bm25."
)


def fused(rankings: Sequence[Sequence[int]], k: int = RRF) -> list[int]:
    """Passages by the sum of 1 / (k + rank) over the rankings, rank from 1; equals in order."""
    scores: dict[int, float] = {}
    for ranking in rankings:
        for rank, passage in enumerate(ranking, start=1):
            scores[passage] = scores.get(passage, 0.0) + 1 / (k + rank)
    return sorted(scores, key=lambda passage: (-scores[passage], passage))


def mode_of(options: Retrieval, run: Run) -> str:
    """The mode with `auto` decided. Raises ConfigurationError where there is no embedder."""
    if options.mode == "auto":
        return "dense" if run.search.by_meaning else "bm25"
    if options.mode != "bm25" and not run.search.by_meaning:
        raise ConfigurationError(NO_EMBEDDER.format(mode=options.mode))
    return options.mode


async def ranked(
    options: Retrieval, query: str, passages: Sequence[Chunk], name: str, run: Run
) -> list[int]:
    """Indices of the passages nearest to the question, the best first.

    `name` is that of the passages in the vector store.
    """
    most = options.top_k if options.rerank == "off" else options.candidates
    if run.retrieving.retriever is not None:
        run.note("Passages are found by the retriever that was given.")
        return touched(await run.retrieved(query, most), passages)[:most]
    mode = mode_of(options, run)
    if mode == "bm25":
        told = " (no embedding model is set)" if options.mode == "auto" else ""
        run.note(f"Passages are found by their words, BM25{told}.")
        return by_words(query, passages)[:most]
    if mode == "dense":
        run.note("Passages are found by meaning.")
        return await _by_meaning(query, passages, name, run, most)
    run.note("Passages are found by meaning and by words, ranks fused.")
    nearest = await _by_meaning(query, passages, name, run, options.candidates)
    return fused([nearest, by_words(query, passages)[: options.candidates]])[:most]


def by_words(query: str, passages: Sequence[Chunk]) -> list[int]:
    """Passages that hold a content word of the question, by BM25; equals in order."""
    scores = bm25(query, [p.text for p in passages])
    return sorted((i for i, s in enumerate(scores) if s > 0), key=lambda i: (-scores[i], i))


async def _by_meaning(
    query: str, passages: Sequence[Chunk], name: str, run: Run, most: int
) -> list[int]:
    """By cosine; what points away from the question, at 0 or below, is not near."""
    await run.search.keep(name, passages)
    place = {p.span: i for i, p in enumerate(passages)}
    hits = await run.search.find(name, query, most, passages)
    return [place[hit.span] for hit in hits if hit.score > 0]


def touched(spans: Sequence[Span], passages: Sequence[Chunk]) -> list[int]:
    """Passages that hold some of these places, in the order of the places."""
    return list(
        dict.fromkeys(i for span in spans for i, p in enumerate(passages) if p.span.overlaps(span))
    )
