"""What a walk has found, where it went, and the answer made of it (step 8)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from memreader.answer import NOT_FOUND, Draft, Status
from memreader.chunking import Chunk
from memreader.document import Corpus, Document
from memreader.evidence import Evidence, says_not_found
from memreader.grounding import Source, bearing
from memreader.memory.tree import Node
from memreader.prompts import Untrusted, Value
from memreader.run import Run
from memreader_strategies.mem_walker.shapes import Final

if TYPE_CHECKING:
    from memreader_strategies.mem_walker.walking import Walk

BRIEF = 240
"""Characters of a reasoning in the trace."""


@dataclass(frozen=True, slots=True)
class Finding:
    """An answer that was committed to at a segment."""

    answer: str
    evidence: tuple[Evidence, ...]
    segment: Chunk

    @property
    def shown(self) -> str:
        """Answer and the sentences it rests on."""
        quotes = dict.fromkeys(e.quote for e in self.evidence)
        return "\n".join([self.answer, *(f"- {q}" for q in quotes if q != self.answer)])


@dataclass(slots=True)
class Trail:
    """The path walked, for the trace and the memory's history."""

    documents: dict[str, Document] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    places: list[str] = field(default_factory=list)
    read: list[Chunk] = field(default_factory=list)

    @classmethod
    def of(cls, corpus: Corpus) -> Trail:
        """Places are named by pages, and by document where there are several."""
        return cls({d.id: d for d in corpus.documents})

    def go(
        self,
        run: Run,
        node: Node,
        why: str,
        where: str,
        evidence: Sequence[Evidence] = (),
    ) -> None:
        """One step: at a node, for a reason, somewhere. It is a version of the memory."""
        why = " ".join(why.split())
        brief = why if len(why) <= BRIEF else f"{why[: BRIEF - 1]}…"
        here = self.place(node)
        line = f"{here}: {brief}{' ' if brief else ''}→ {where}"
        self.lines.append(line)
        self.places.append(here if where != "back" else f"{here} (back)")
        run.note(f"Step {len(self.lines)}, {line}")
        spans = [e.span for e in evidence if e.span is not None]
        run.remember("\n".join(self.lines), spans or node.spans if not node.children else ())

    def place(self, node: Node) -> str:
        """Pages of a node, or its share of the text; with the document's name among several."""
        documents = {span.document for span in node.spans}
        if len(documents) > 1:
            return f"all {len(documents)} documents"
        document = self.documents[node.spans[0].document]
        start, end = node.spans[0].start, node.spans[-1].end
        first, last = document.page_at(start), document.page_at(max(start, end - 1))
        if first is None or last is None:
            whole = max(1, len(document.text))
            told = f"{start / whole:.1%} to {end / whole:.1%} of the text"
        elif first.index == last.index:
            told = f"p. {first.number}"
        else:
            told = f"p. {first.number}-{last.number}"
        return f"{document.source}, {told}" if len(self.documents) > 1 else told

    def headed(self, node: Node) -> str:
        """A summary as a choice shows it: under its document's name, among several."""
        documents = {span.document for span in node.spans}
        if len(self.documents) == 1 or len(documents) > 1:
            return node.text
        return f"{self.documents[documents.pop()].source}: {node.text}"

    def __str__(self) -> str:
        return " > ".join(dict.fromkeys(self.places)) or "nowhere"


async def concluded(walk: Walk, *, partial: bool) -> Draft:
    """The draft: one finding as it is, else one call over the findings or the segments read.

    Raises BudgetExceeded and CallFailed.
    """
    run = walk.run
    status: Status = "partial" if partial else "complete"
    evidence = [e for finding in walk.found for e in finding.evidence]
    if len(walk.found) == 1:
        ranked = sorted(evidence, key=lambda e: e.score, reverse=True)
        return Draft(walk.found[0].answer, tuple(ranked), status)
    segments = [] if walk.found else walk.memory.segments
    answer = await _answered(walk, segments)
    if says_not_found(answer):
        return Draft("", status="partial") if partial else NOT_FOUND
    evidence = evidence or [e for s in segments for e in run.evidence("", answer, s)]
    return Draft(answer.strip(), bearing(run.question, answer, evidence), status)


async def _answered(walk: Walk, segments: Sequence[Chunk]) -> str:
    """One answer from the findings, or from what the working memory shows of the segments."""
    run = walk.run
    reply_tokens = walk.options.reply(run.model.window)
    values: dict[str, Value] = {"question": walk.question}
    used = run.rendering.tokens("answer", {**values, "memory": ""}, Final)
    # No more than what `Walk.of` has reserved.
    most = walk.sizes.segment + walk.memory.budget
    room = min(most, run.model.window - used - 64 - reply_tokens)
    if walk.found:
        texts = "\n\n".join(finding.shown for finding in walk.found)
        shown = [Untrusted(texts, "findings")]
    else:
        walk.memory.budget = max(walk.memory.budget, room)
        shown = [Untrusted(walk.memory.shown(room), "working memory")]
    sources: list[Source] = [e for f in walk.found for e in f.evidence] or [*segments]
    reply = await run.ask_for(
        Final,
        "answer",
        max_tokens=reply_tokens,
        values={**values, "memory": shown},
        sources=sources,
        temperature=walk.options.temperature,
        final=True,
    )
    return reply.answer
