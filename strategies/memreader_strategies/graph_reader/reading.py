"""One reading: the graph, the plan, the start nodes, the paths, the answer (steps 1 to 8)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from memreader.answer import NOT_FOUND, Draft, Status
from memreader.chunking import Chunk
from memreader.errors import BudgetExceeded
from memreader.evidence import Evidence, relevance, says_not_found
from memreader.grounding import bearing
from memreader.memory.graph_stores import new_graph
from memreader.memory.notes import Item, Notes
from memreader.prompts import Untrusted, Value
from memreader.run import Run
from memreader.words import content_words, words
from memreader_strategies.graph_reader.building import Building
from memreader_strategies.graph_reader.exploring import Exploring
from memreader_strategies.graph_reader.nodes import Nodes
from memreader_strategies.graph_reader.path import Path
from memreader_strategies.graph_reader.plain import nearest_chunks, told_of
from memreader_strategies.graph_reader.shapes import Final
from memreader_strategies.graph_reader.sizes import Sizes
from memreader_strategies.graph_reader.starting import planned, start_nodes

if TYPE_CHECKING:
    from memreader_strategies.graph_reader.strategy import GraphReader


@dataclass(slots=True)
class Reading:
    """One reading in progress."""

    options: GraphReader
    run: Run
    question: str
    sizes: Sizes

    @classmethod
    def of(cls, options: GraphReader, question: str, run: Run) -> Reading:
        asked = run.rendering.files.asked(question)
        return cls(options, run, asked, Sizes.of(options, asked, run.rendering))

    async def index(self) -> Nodes:
        """Steps 1 to 4: the graph of each document, and all of them joined."""
        chunks = [chunk async for chunk in self.run.chunks(self.sizes.chunk)]
        if self.run.model.wire == "plain":
            self.run.note(
                "The model answers in plain text only: facts are the document's own sentences "
                "and key elements their rarer words, chosen by code; the model reads the nearest "
                "chunks and answers."
            )
        elif not self.run.search.by_meaning:
            self.run.note("No embedding model is set: names were merged by their spelling alone.")
        graphs = await Building(self.options, self.run, self.sizes).graphs(chunks)
        nodes = Nodes.joined(new_graph(self.options.graph_store), graphs, chunks)
        self.run.note(
            f"The graph has {len(nodes.store.nodes()):,} key elements and "
            f"{len(nodes.store.facts()):,} facts of {len(chunks):,} chunks."
        )
        return nodes

    async def read(self) -> Draft:
        """The graph, then what the question needs of it; a cap leaves what was noted."""
        self.run.reserve(
            input_tokens=self.sizes.answer_prompt
            + self.options.start_nodes * (self.sizes.notebook + 24),
            output_tokens=self.sizes.answer,
        )
        nodes = await self.index()
        if not nodes.store.nodes():
            return NOT_FOUND
        if self.run.model.wire == "plain":
            return await self._read_plain(nodes)
        paths = await self._explored(nodes)
        for path in paths:
            self.run.note(str(path))
        notebooks = [path.notes for path in paths if path.notes.items]
        if not notebooks and self.run.capped:
            notebooks = self._nearest_facts(nodes)
        unfinished = bool(paths) and all(path.ended.endswith("unfinished") for path in paths)
        seen = [item for path in paths for item in path.seen]
        return await self._answer(notebooks, "partial" if unfinished else "complete", seen)

    async def _explored(self, nodes: Nodes) -> list[Path]:
        """Steps 5 to 7. Paths that a cap ended are given with what they noted."""
        paths: list[Path] = []
        try:
            plan = await planned(self.run, self.question, self.sizes, self.options)
            starts = await start_nodes(
                self.run, self.question, plan, nodes, self.sizes, self.options
            )
        except BudgetExceeded as error:
            self.run.cap(error)
            return paths
        shared = Exploring(self.options, self.run, self.question, self.sizes, nodes, plan)
        paths = [Path(number, name, shared) for number, name in enumerate(starts, start=1)]
        await self.run.map(Path.explore, paths)
        return paths

    # --- step 8 ----------------------------------------------------------------------------

    async def _answer(
        self, notebooks: Sequence[Notes], status: Status, seen: Sequence[Item] = ()
    ) -> Draft:
        """All notebooks beside each other; without any there is no answer, and no call.

        An answer from notes that code could not follow to a place rests on the facts that were
        shown and that bear it out.
        """
        if not notebooks:
            return NOT_FOUND
        evidence = [e for notes in notebooks for e in notes.evidence]
        notes_shown: Value = [
            Untrusted(notes.text, f"notebook {number}")
            for number, notes in enumerate(notebooks, start=1)
        ]
        reply = await self.run.ask_for(
            Final,
            "answer",
            max_tokens=self.sizes.answer,
            values={"question": self.question, "notebooks": notes_shown},
            sources=evidence,
            temperature=self.options.temperature,
            final=True,
        )
        if says_not_found(reply.answer):
            return NOT_FOUND
        evidence = evidence or self._told_by(reply.answer, seen)
        found = bearing(self.run.question, reply.answer, evidence)
        return Draft(reply.answer.strip(), found, status, reply.analysis)

    def _told_by(self, answer: str, seen: Sequence[Item]) -> list[Evidence]:
        """Facts that hold a word of the answer which the question does not give."""
        told = set(content_words(answer)) - set(content_words(self.question))
        return [e for item in seen for e in item.evidence if told & set(words(e.quote))]

    def _nearest_facts(self, nodes: Nodes) -> list[Notes]:
        """What a capped reading has where no path has noted anything: facts, by shared words."""
        ranked = sorted(
            ((relevance(self.question, p.fact.text).score, p) for p in nodes.facts()),
            key=lambda pair: -pair[0],
        )
        near = [p.item for score, p in ranked[:50] if score > 0]
        notes = self.run.cut(Notes(tuple(near)), self.sizes.notebook)
        if notes.items:
            self.run.note("No path was begun: the answer rests on the facts nearest by words.")
        return [notes] if notes.items else []

    # --- plain models ----------------------------------------------------------------------

    async def _read_plain(self, nodes: Nodes) -> Draft:
        """The chunks that code finds nearest, read one by one; the answer from the best note."""
        chunks = await nearest_chunks(self.run, self.question, nodes, self.options.start_nodes)

        async def read(chunk: Chunk) -> Notes:
            return await told_of(self.run, self.question, chunk, self.sizes)

        notes = Notes()
        for chunk, found in zip(chunks, await self.run.map(read, chunks), strict=False):
            for item in found.items:
                notes = notes.added(item)
            self.run.remember(notes, chunk=chunk.index)
        if not notes.items:
            return NOT_FOUND
        best = self.run.narrowed(
            notes.items, lambda item: max((e.score for e in item.evidence), default=0.0)
        )
        return await self._answer([Notes(tuple(best))], "complete")
