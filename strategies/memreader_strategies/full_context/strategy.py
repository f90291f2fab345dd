"""Full context: the control that every reader has to be compared with.

1. `read`   all documents, whole, and the question in one call.

It never cuts: a prompt that does not fit the window is an error before the call.
Calls: 1. Critical path: 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pydantic import Field

from memreader.answer import NOT_FOUND, Draft
from memreader.document import Corpus
from memreader.evidence import says_not_found
from memreader.llm.base import Model
from memreader.plan import NOTHING, Plan, Range
from memreader.prompts import Fence, PromptFiles, Untrusted
from memreader.rendering import Rendering
from memreader.run import Run
from memreader.structured import PlainForm, Shape


class Reply(Shape):
    """Evidence first, so that the answer follows from it."""

    plain: ClassVar[PlainForm | None] = PlainForm("answer", evidence="evidence")
    evidence: str = Field(
        "",
        title="Evidence",
        description="the sentences the answer rests on, word for word, each on its own line "
        "after a dash; or the word none",
    )
    answer: str = Field(title="Answer", description="the answer, short; or [NO INFORMATION]")


@dataclass(frozen=True)
class FullContext:
    """One call with everything in it."""

    reply_tokens: int = 600
    """Cap on the reply."""
    temperature: float = 0.0

    async def read(self, question: str, run: Run) -> Draft:
        """Show all documents whole and ask once."""
        whole = await run.whole()
        if not whole:
            return NOT_FOUND
        reply = await run.ask_for(
            Reply,
            "answer",
            max_tokens=self.reply_tokens,
            sources=whole,
            temperature=self.temperature,
            final=True,
            values={"question": question, "material": whole},
        )
        if says_not_found(reply.answer):
            return NOT_FOUND
        evidence = [e for d in whole for e in run.evidence(reply.evidence, reply.answer, d)]
        found = [e for e in evidence if e.span is not None]
        ranked = sorted(found or evidence[:1], key=lambda e: e.score, reverse=True)
        return Draft(reply.answer, tuple(ranked))

    def plan(self, corpus: Corpus, question: str, model: Model) -> Plan:
        """One call, and at most one repair. Raises nothing: a call that does not fit costs 0."""
        rendering = Rendering(PromptFiles.of(self), model, Fence.derived(corpus.id, question))
        texts = [Untrusted(d.text.strip(), "passage") for d in corpus.documents]
        if not any(text.text for text in texts):
            return NOTHING
        size = rendering.tokens("answer", {"question": question, "material": texts}, Reply)
        return Plan(
            calls=Range(1, 1, 2),
            input_tokens=Range(size, size, 2 * size + 2 * self.reply_tokens + 400),
            output_tokens=Range(1, self.reply_tokens // 3, 3 * self.reply_tokens),
            critical_path=Range(1, 1, 2),
            fits=size + self.reply_tokens <= model.window,
        )
