"""Retrieval with verified evidence: the baseline that every strategy has to beat.

Dense top-k, then the two calls of ALR² (Li et al., 2024, https://arxiv.org/abs/2410.03227) without
its training: retrieve, verify by code, reason.

1. `Sizes.of`     what passages, evidence and answer may take of the model's window.
2. `ranked`       the passages nearest to the question: by meaning, by words, or both.
3. `_reranked`    put in a better order, where that is wanted.
4. `within`, `widened`   as many as the token budget holds, with what stands around them.
5. `_cited`       one call copies the sentences that help, or names the passages.
6. `checked_quotes`, `checked_numbers`   what stands nowhere is dropped; asked once more if that
                  leaves nothing.
7. `_reason`      one call answers from the verified evidence alone.

A model below the labelled contract reads the passages one at a time (`_one_by_one`), and code
decides which answer is supported. What was changed, and why, is in README.md beside this module.
Calls: evidence + answer, and one to rerank. Critical path: the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from memreader.answer import NOT_FOUND, Draft
from memreader.document import Corpus
from memreader.errors import ConfigurationError
from memreader.llm.base import Model
from memreader.plan import Plan, chunk_sizes
from memreader.prompts import Fence, PromptFiles
from memreader.rendering import Rendering
from memreader.run import Run
from memreader_strategies.retrieval.pieces import Shelf
from memreader_strategies.retrieval.reading import Reading
from memreader_strategies.retrieval.searching import mode_of
from memreader_strategies.retrieval.sizes import Sizes


@dataclass(frozen=True)
class Retrieval:
    """The passages nearest to the question, evidence verified by code, then an answer."""

    mode: Literal["auto", "dense", "bm25", "fusion"] = "auto"
    """How passages are found; `auto` is dense with an embedding model, else bm25."""
    passage_tokens: int = 300
    """Tokens of a passage."""
    top_k: int = 10
    """Passages that are shown at most, before they are widened."""
    budget_tokens: int = 4096
    """Tokens of all that one call shows of the documents; less in a smaller window."""
    candidates: int = 50
    """Passages that each search gives to fusion and reranker."""
    rerank: Literal["off", "model", "cross-encoder"] = "off"
    """A call that orders the candidates, or the reranker that is set."""
    expand: Literal["off", "neighbours", "section"] = "off"
    """Show a passage with those around it, or with its section."""
    expand_tokens: int = 900
    """Tokens to which a passage is widened at most."""
    evidence: Literal["quotes", "ids", "off"] = "quotes"
    """What the evidence call gives: sentences, or passage numbers; `off` answers at once."""
    evidence_tokens: int = 600
    """Cap on the replies of evidence and rerank call; at most a quarter of the window."""
    answer_tokens: int = 600
    """Cap on the answer's reply; at most a quarter of the window."""
    temperature: float = 0.0

    def __post_init__(self) -> None:
        if self.passage_tokens < 32 or self.top_k < 1 or self.candidates < self.top_k:
            raise ValueError(
                "passage_tokens must be at least 32, top_k at least 1, candidates at least top_k"
            )
        if self.budget_tokens < 128 or self.evidence_tokens < 16 or self.answer_tokens < 16:
            raise ValueError("budget_tokens must be at least 128, the reply caps at least 16")

    async def read(self, question: str, run: Run) -> Draft:
        """Find the passages that matter, verify what is cited of them, and answer."""
        sizes = Sizes.of(self, question, run.rendering)
        passages = [passage async for passage in run.chunks(sizes.passage)]
        if not passages:
            return NOT_FOUND
        shelf = Shelf(
            passages,
            await run.corpus(),
            run.rendering.fence,
            run.model.counter.count,
            sizes.budget,
        )
        asked = run.rendering.files.asked(question)
        return await Reading(self, run, sizes, asked, shelf).answer()

    async def index(self, run: Run) -> None:
        """Put all passages into the vector store.

        Raises ConfigurationError for a search by words alone, which keeps nothing.
        """
        if mode_of(self, run) == "bm25":
            raise ConfigurationError(
                "A search by words keeps no index: `retrieval` can be asked at once. To search by "
                "meaning, set an embedding model: --embedder, or the setting `embedder`."
            )
        sizes = Sizes.of(self, "", run.rendering)
        passages = [passage async for passage in run.chunks(sizes.passage)]
        await run.search.keep(sizes.collection, passages)

    def plan(self, corpus: Corpus, question: str, model: Model) -> Plan:
        """Calls = evidence + answer (+ rerank), each repaired at most once."""
        rendering = Rendering(PromptFiles.of(self), model, Fence.derived(corpus.id, question))
        sizes = Sizes.of(self, question, rendering)
        passages = chunk_sizes(corpus, sizes.passage, model.counter)
        return sizes.plan(self, passages)
