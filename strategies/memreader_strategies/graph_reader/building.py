"""The graph of one document: extraction in parallel, normalising, merging (steps 1 to 4).

Free of the question, hence built once and kept on the shelf under the name "graph".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from memreader.chunking import Chunk
from memreader.document import Span
from memreader.errors import CallFailed
from memreader.indexing import boundaries
from memreader.memory.graph import Fact
from memreader.memory.networkx_graph import NetworkxGraph
from memreader.memory.notes import place
from memreader.prompts import Untrusted, Value
from memreader.run import Run
from memreader.structured import Shape
from memreader.words import content_words, sentences
from memreader_strategies.graph_reader.lines import Atomic, Extracted, atomic_facts
from memreader_strategies.graph_reader.merging import merged
from memreader_strategies.graph_reader.shapes import FactLines, FactList
from memreader_strategies.graph_reader.sizes import Sizes, fitted

if TYPE_CHECKING:
    from memreader_strategies.graph_reader.strategy import GraphReader

ELEMENTS = 8
"""Words of a sentence that are its key elements, where code chooses them: the rarest."""


@dataclass(slots=True)
class Building:
    """Builds graphs for one reading."""

    options: GraphReader
    run: Run
    sizes: Sizes
    unreadable: int = 0
    """Lines of extractions that no fact could be read from."""
    failed: int = 0

    async def graphs(self, chunks: Sequence[Chunk]) -> list[dict[str, Any]]:
        """One graph for each document, from the shelf or built now."""
        by_document: dict[str, list[Chunk]] = {}
        for chunk in chunks:
            by_document.setdefault(chunk.span.document, []).append(chunk)
        made = await self.run.map(self._graph, by_document.values())
        if self.unreadable:
            self.run.note(f"Extracted lines without a fact, left out: {self.unreadable:,}.")
        if self.failed:
            self.run.note(f"Chunks missing in the graph, their extraction failed: {self.failed:,}.")
        return made

    async def _graph(self, chunks: Sequence[Chunk]) -> dict[str, Any]:
        async def build() -> dict[str, Any]:
            facts = await self._facts(chunks)
            graph = NetworkxGraph()
            graph.add(facts)
            places = [[c.span.start, c.span.end] for c in chunks]
            return {**graph.to_json(), "chunks": places}

        depends = {"chunks": boundaries(chunks), **await self._made_with()}
        return await self.run.index(
            "graph", build, documents=[chunks[0].span.document], depends=depends
        )

    async def _made_with(self) -> dict[str, Any]:
        """What the graph is made with beside the chunks: nothing that belongs to a question."""
        if self.run.model.wire == "plain":
            return {"facts": "sentences"}
        asked = {"reply": self.sizes.extraction, "temperature": self.options.temperature}
        if not self.run.search.by_meaning:
            return asked
        fingerprint = str(await self.run.search.fingerprint())
        return {**asked, "similarity": self.options.similarity, "embedder": fingerprint}

    async def _facts(self, chunks: Sequence[Chunk]) -> list[Fact]:
        first = chunks[0].index
        if self.run.model.wire == "plain":
            return sentence_facts(chunks)
        extracted = await self.run.map(self._extracted, chunks)
        facts = [
            _fact(atomic, chunk, chunk.index - first)
            for chunk, found in zip(chunks, extracted, strict=False)  # fewer where a cap stopped it
            for atomic in found
        ]
        if not self.run.search.by_meaning:
            return facts
        return await merged(facts, self.run.search, self.options.similarity)

    # --- step 2 ----------------------------------------------------------------------------

    async def _extracted(self, chunk: Chunk) -> list[Atomic]:
        """Atomic facts of a chunk; asked for once more where most lines are of no form.

        A chunk whose extraction fails is counted, and its facts are missing in the graph.
        """
        try:
            found = await self._extract(chunk, "")
            if len(found.bad) > len(found.facts):
                found = _together(found, await self._extract(chunk, self._again(found)))
        except CallFailed:
            self.failed += 1
            return []
        self.unreadable += len(found.bad)
        return list(found.facts)

    async def _extract(self, chunk: Chunk, again: Value) -> Extracted:
        shape: type[Shape] = FactList if self.run.model.wire == "schema" else FactLines
        reply = await self.run.ask_for(
            shape,
            "extract",
            max_tokens=self.sizes.extraction,
            values={"passage": chunk, "again": again},
            sources=[chunk],
            temperature=self.options.temperature,
        )
        return atomic_facts(getattr(reply, "facts", ""))

    def _again(self, found: Extracted) -> Untrusted:
        lines = fitted(found.bad, self.sizes.again, self.run.model.counter.count)
        told = "lines of your last reply without a fact, a bar and a key element; write all anew"
        return Untrusted("\n".join(lines) or "(all of them)", told)


def _together(first: Extracted, second: Extracted) -> Extracted:
    facts = {fact.text: fact for fact in (*first.facts, *second.facts)}
    return Extracted(tuple(facts.values()), second.bad)


def _fact(atomic: Atomic, chunk: Chunk, position: int) -> Fact:
    """A fact with the sentence that states it, else with its whole chunk."""
    where = place(atomic.text, chunk)
    span = where.span if where is not None and where.span is not None else chunk.span
    return Fact(atomic.text, atomic.elements, span, position)


# --- without a model that can extract ------------------------------------------------------


def sentence_facts(chunks: Sequence[Chunk]) -> list[Fact]:
    """The chunks' own sentences as facts, the rarest words of each as its key elements."""
    parts = [
        (chunk, start, end, content_words(chunk.text[start:end]))
        for chunk in chunks
        for start, end in sentences(chunk.text)
    ]
    spread = Counter(word for *_, words in parts for word in words)
    facts: list[Fact] = []
    for chunk, start, end, words in parts:
        rare = sorted(words, key=lambda word: (spread[word], word))[:ELEMENTS]
        at = chunk.span.start
        span = Span(chunk.span.document, at + start, at + end)
        text = " ".join(chunk.text[start:end].split())
        facts.append(Fact(text, tuple(rare), span, chunk.index - chunks[0].index))
    return facts
