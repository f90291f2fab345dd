"""GraphReader (Li et al., 2024, https://arxiv.org/abs/2406.14550).

1. `Sizes.of`          chunks as published, scaled down to the model's window.
2. `Building.graphs`   once for each document: atomic facts with key elements, chunk by chunk, in
                       parallel; names merge by spelling, and by meaning.
3. `planned`           what has to be found for the question, in free text.
4. `start_nodes`       key elements scored 0 to 100, the best five; invented names discarded.
5. `Path._facts`       each on a path and with a notebook of its own: the facts of a node, by
                       chunk; the notebook is written anew; which chunks to read.
6. `Path._chunk`       first in, first out: a chunk's text; the notebook is written anew; more, the
                       chunk before or after, or the end of this path.
7. `Path._neighbour`   one neighbour that was not visited, or the end of this path.
8. `Reading._answer`   all notebooks beside each other, contradictions settled by majority.

What was changed, and why, is in README.md beside this.
Calls: n once, then 3 and the paths' function calls. Critical path: about 3 + the longest path.
"""

from __future__ import annotations

from dataclasses import dataclass

from memreader.answer import Draft
from memreader.document import Corpus
from memreader.llm.base import Model
from memreader.plan import Plan, chunk_sizes
from memreader.prompts import Fence, PromptFiles
from memreader.rendering import Rendering
from memreader.run import Run
from memreader_strategies.graph_reader.reading import Reading
from memreader_strategies.graph_reader.sizes import Sizes


@dataclass(frozen=True)
class GraphReader:
    """A graph of facts, explored from several nodes, each with a notebook of its own."""

    chunk_tokens: int = 2000
    """Tokens of a chunk; less where the model's window is small."""
    start_nodes: int = 5
    """Paths: nodes to begin at, the best by score."""
    steps: int = 20
    """Function calls of one path at most; the paper has no cap."""
    notebook_tokens: int = 1024
    """Hard cap on each notebook; at most a tenth of the window."""
    list_tokens: int = 2000
    """Facts of a node, or neighbours, that a prompt shows at most; the paper shows all."""
    answer_tokens: int = 1024
    """Cap on the last reply."""
    similarity: float = 0.9
    """Cosine from which two names with one head noun mean the same; needs an embedding model."""
    graph_store: str = "networkx"
    """Where the joined graph is held, by the name of an installed graph store."""
    temperature: float = 0.0
    """The paper samples at 0.2; 0 makes a reading repeatable."""

    def __post_init__(self) -> None:
        if min(self.chunk_tokens, self.list_tokens, self.notebook_tokens) < 64:
            raise ValueError("chunk_tokens, list_tokens and notebook_tokens must be at least 64")
        if self.start_nodes < 1 or self.steps < 1 or self.answer_tokens < 16:
            raise ValueError("start_nodes and steps must be at least 1, answer_tokens 16")

    async def index(self, run: Run) -> None:
        """Build the graph of each document ahead of time."""
        await Reading.of(self, "", run).index()

    async def read(self, question: str, run: Run) -> Draft:
        """Explore the graph from several nodes, and answer from the notebooks."""
        return await Reading.of(self, question, run).read()

    def plan(self, corpus: Corpus, question: str, model: Model) -> Plan:
        """Calls = n once, then 3 + start_nodes x the function calls of a path (section 2e)."""
        rendering = Rendering(PromptFiles.of(self), model, Fence.derived(corpus.id, question))
        asked = rendering.files.asked(question)
        sizes = Sizes.of(self, asked, rendering)
        chunks = chunk_sizes(corpus, sizes.chunk, model.counter)
        if model.wire == "plain":
            return sizes.planned_plain(self, chunks)
        return sizes.planned(self, chunks)
