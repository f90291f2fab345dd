"""PRISM (Jayalath et al., 2024, https://arxiv.org/abs/2412.18914).

1. `Sizes.of`       chunk, memory and replies, scaled down to the model's window.
2. `_generate`      the schema: shipped, given, or written by the model in up to three tries.
3. `_revisions`     instruction, schema and question, then the memory, then the chunk: the reply
                    is a list of revisions {add | update, path, value}, often an empty one.
4. `revised`        each is checked against the schema and carried out; a bad one is dropped.
                    Where all are bad, they are asked for once again.
5. `bounded`        amendments stand below a memory text that stays as it is; beyond their
                    budget they are folded in.
6. `_answer`        the question and the memory, without any text, give the answer.

What was changed, and why, is in README.md beside this.
Calls: n + 1, and 1 to 3 for a generated schema. Critical path: the same.
"""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel

from memreader.answer import Draft
from memreader.chunking import chunk_document
from memreader.document import Corpus
from memreader.llm.base import Model
from memreader.plan import Plan
from memreader.prompts import Fence, PromptFiles
from memreader.rendering import Rendering
from memreader.run import Run
from memreader_strategies.prism.choosing import SHIPPED, chosen
from memreader_strategies.prism.memory import Mode
from memreader_strategies.prism.reading import Reading
from memreader_strategies.prism.schema import from_model, parsed, told
from memreader_strategies.prism.sizes import Sizes


@dataclass(frozen=True)
class Prism:
    """A typed memory, revised by path at each chunk."""

    schema: str | type[BaseModel] = "auto"
    """`auto`, `generate`, the name of a shipped schema, a schema's text, or a pydantic class."""
    mode: Mode = "amendments"
    """Revisions appended below the memory, for the prefix cache, or carried into it in place."""
    chunk_tokens: int = 2000
    """Tokens of a chunk; the paper goes down to 500."""
    memory_tokens: int = 4096
    """Cap on the memory; less where the model's window is small."""
    amendment_tokens: int = 1024
    """Amendments beyond this are folded into the memory, at the cost of one cache miss."""
    reply_tokens: int = 512
    """Cap on the revisions of one chunk."""
    answer_tokens: int = 1024
    """Cap on the last reply."""
    allow_delete: bool = False
    """Whether a revision may delete; the paper has no deletion."""
    temperature: float = 0.0

    def __post_init__(self) -> None:
        if min(self.chunk_tokens, self.memory_tokens) < 64:
            raise ValueError("chunk_tokens and memory_tokens must be at least 64")
        if min(self.reply_tokens, self.answer_tokens, self.amendment_tokens) < 16:
            raise ValueError("the other sizes must be at least 16")
        if not isinstance(self.schema, str):  # its text is what a manifest can show
            object.__setattr__(self, "schema", told(from_model(self.schema)))
        elif self.schema not in ("auto", "generate", *SHIPPED):
            if ":" not in self.schema:
                raise ValueError(
                    f"there is no schema `{self.schema}`; there are auto, generate, "
                    f"{', '.join(SHIPPED)}, or give a schema's text"
                )
            parsed(self.schema)

    async def read(self, question: str, run: Run) -> Draft:
        """Read chunk by chunk and answer from the memory."""
        return await Reading.of(self, question, run).read()

    def plan(self, corpus: Corpus, question: str, model: Model) -> Plan:
        """Calls = n + 1 (paper's cost), and 1 to 3 for a generated schema."""
        rendering = Rendering(PromptFiles.of(self), model, Fence.derived(corpus.id, question))
        schema = chosen(self.schema_for(model), question, rendering.files)
        sizes = Sizes.of(self, question, schema, rendering)
        return sizes.plan(
            [
                chunk.tokens
                for document in corpus.documents
                for chunk in chunk_document(document, sizes.chunk, model.counter)
            ]
        )

    def schema_for(self, model: Model) -> str:
        """The wanted schema; to a plain model, whose revisions code makes, the generic one."""
        return "generic" if model.wire == "plain" else str(self.schema)

    def generates(self, model: Model) -> bool:
        """Whether the model writes the schema."""
        return self.schema_for(model) == "generate"
