"""MemWalker (Chen et al., 2023, https://arxiv.org/abs/2310.05029).

1. `Building.summarise`  each segment to a summary, without any question, in parallel.
2. `Building._merged`    groups of neighbouring summaries to one above them, until one is left.
3. `MemWalker.forest`    the tree of each document from the shelf; several under one root, by code.
4. `Walk.triage`         at a node: compare the summaries below, then name one, or go back.
5. `Walk.look`           at a segment: read it, then commit to an answer, or revert.
6. `Walk.down`           what was visited goes into the working memory, oldest dropped first.
7. `Walk.up`             back at the node above, what was visited is hidden.
8. `Walk.result`         the answer of the segment, or one call over several findings.

What was changed, and why, is in README.md beside this.
Calls: n + merges once, then depth + 1 on a straight path. All of a walk follow one another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from memreader.answer import NOT_FOUND, Draft
from memreader.choosing import By, Wanted, way
from memreader.chunking import Chunk, chunk_document
from memreader.document import Corpus
from memreader.indexing import boundaries
from memreader.llm.base import Model
from memreader.memory.tree import Node, Tree, joined
from memreader.plan import Plan
from memreader.prompts import Fence, PromptFiles
from memreader.rendering import Rendering
from memreader.run import Run
from memreader_strategies.mem_walker.building import Building
from memreader_strategies.mem_walker.memory import extract
from memreader_strategies.mem_walker.sizes import BACKTRACKS, Sizes, planned
from memreader_strategies.mem_walker.walking import Walk


@dataclass(frozen=True)
class MemWalker:
    """A tree of summaries, built once, and a walk through it for each question."""

    segment_tokens: int = 1000
    """Tokens of a segment; the paper has 1000 to 1200. Less where the window is small."""
    fan_out: int = 8
    """Children of a node at most; fewer where their summaries would not fit one prompt."""
    summary_tokens: int = 400
    """Cap on the text of a node; less where `fan_out` of them would not fit."""
    memory_share: float = 0.25
    """Share of the window for the working memory; 0 walks without one."""
    choice: Wanted = "auto"
    """How a child is chosen: `letter` (by number), `confidence`, `similarity`, or as probed."""
    beam: int = 1
    """Children that one triage names; they are explored in turn before it is asked again."""
    commits: int = 1
    """Segments to commit to before the answer: more than one for multi-hop questions."""
    hide_visited: bool = True
    """Leave visited children out of the choice; False is the paper's literal walk."""
    max_steps: int | None = None
    """Cap on triages and looks; None takes 4 (depth + 1) fan_out."""
    bad_actions: int = 3
    """Actions in a row that cannot be carried out until the walk ends."""
    reply_tokens: int = 300
    """Cap on the reply of a triage, of a look, and of the last answer."""
    temperature: float = 0.0

    def __post_init__(self) -> None:
        if self.segment_tokens < 48 or self.summary_tokens < 48 or self.reply_tokens < 16:
            raise ValueError(
                "segment_tokens and summary_tokens must be at least 48, reply_tokens 16"
            )
        if self.fan_out < 2 or not 0 <= self.memory_share <= 0.5:
            raise ValueError("fan_out must be at least 2, and memory_share from 0 to 0.5")
        if min(self.beam, self.commits, self.bad_actions, self.max_steps or 1) < 1:
            raise ValueError("beam, commits, bad_actions and max_steps must be at least 1")

    async def read(self, question: str, run: Run) -> Draft:
        """Have the tree, and walk it."""
        sizes = Sizes.of(self, run.rendering)
        walk = Walk.of(self, sizes, question, run)
        segments = [segment async for segment in run.chunks(sizes.segment)]
        if not segments:
            return NOT_FOUND
        tree = await self.forest(segments, sizes, run)
        return await walk.through(tree, segments)

    async def index(self, run: Run) -> None:
        """Build the trees, one for each document."""
        sizes = Sizes.of(self, run.rendering)
        await self.trees([segment async for segment in run.chunks(sizes.segment)], sizes, run)

    async def forest(self, segments: Sequence[Chunk], sizes: Sizes, run: Run) -> Tree:
        """One tree of all documents. What stands above their roots takes no call: a flat choice
        among documents, which a root of their names and first words is for.
        """
        trees = await self.trees(segments, sizes, run)
        names = {d.id: d.source for d in (await run.corpus()).documents}

        def named(group: Sequence[Node]) -> str:
            share = sizes.summary // len(group) - 8
            counter = run.model.counter
            return "\n".join(
                f"{names[n.spans[0].document]}: {extract(n.text, max(8, share), counter)}"
                for n in group
            )

        return joined(trees, sizes.least_fan_out, named)

    async def trees(self, segments: Sequence[Chunk], sizes: Sizes, run: Run) -> list[Tree]:
        """The tree of each document: from the shelf, or built."""
        by_document: dict[str, list[Chunk]] = {}
        for segment in segments:
            by_document.setdefault(segment.span.document, []).append(segment)

        async def tree(document: str) -> Tree:
            async def build() -> list[dict[str, object]]:
                return (await Building(run, sizes).tree(by_document[document])).to_json()

            depends = {**asdict(sizes), "segments": boundaries(by_document[document])}
            kept = await run.index("tree", build, documents=[document], depends=depends)
            return Tree.from_json(kept)

        return await run.map(tree, by_document)

    def plan(self, corpus: Corpus, question: str, model: Model) -> Plan:
        """Calls = n + merges once, and depth + 1 for a question that finds its way."""
        rendering = Rendering(PromptFiles.of(self), model, Fence.derived(corpus.id, question))
        sizes = Sizes.of(self, rendering)
        asked = rendering.files.asked(question)
        texts = [
            [c.tokens for c in chunk_document(document, sizes.segment, model.counter)]
            for document in corpus.documents
        ]
        return planned(self, sizes, rendering, asked, texts)

    # --- what the options come to in a window ------------------------------------------------

    def reply(self, window: int) -> int:
        """Tokens of a reply at most."""
        return min(self.reply_tokens, window // 6)

    def memory(self, window: int) -> int:
        """Tokens of the working memory at most."""
        return int(self.memory_share * window)

    def step_cap(self, depth: int) -> int:
        """Triages and looks at most, in a tree with so many levels above its segments."""
        return self.max_steps or BACKTRACKS * (depth + 1) * self.fan_out

    def way(self, model: Model) -> By:
        """How children are chosen with this model."""
        return way(self.choice, model)[0]

    @property
    def how(self) -> str:
        """The prompt file that says when to commit."""
        return "how.several" if self.commits > 1 else "how.one"
