"""What a reply rests on: evidence for the answers of one question, by the model's wire format."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from memreader.chunking import Chunk
from memreader.document import Span
from memreader.evidence import (
    NO_INFORMATION,
    SUPPORTED,
    Evidence,
    Support,
    align,
    locate,
    relevance,
    repeats,
    says_not_found,
    support,
)
from memreader.memory.notes import Item, Notes
from memreader.structured import PlainForm, S

MOST = 5
"""Places that an answer rests on, at most: what a person can check."""

Source = Chunk | Evidence
Measure = Callable[[str], Support]


@dataclass(frozen=True, slots=True)
class Grounding:
    """Finds the evidence of replies. Only where the model is plain does it also judge them."""

    question: str
    plain: bool

    def judged(self, form: PlainForm, text: str, sources: Sequence[Source]) -> tuple[float, str]:
        """Support of a plain reply and the sentence that gives it.

        Where the reply has to be supported and is not, the support is 0, and the sentence is the
        one that the question itself points at: partial evidence (DESIGN.md, section 3).
        """
        found, quote = _best(lambda shown: support(self.question, text, shown), sources)
        if form.must_be_supported and (found < SUPPORTED or repeats(self.question, text)):
            return 0.0, _best(lambda shown: relevance(self.question, shown), sources)[1]
        return found, quote

    def derived(self, shape: type[S], form: PlainForm, text: str, sources: Sequence[Source]) -> S:
        """Fill a shape from free text: code decides what a small model cannot (DESIGN.md, 3)."""
        found, quote = self.judged(form, text, sources)
        refused = form.must_be_supported and not found
        fields: dict[str, Any] = {form.answer: NO_INFORMATION if refused else text}
        if form.evidence is not None:
            fields[form.evidence] = quote
        if form.confidence is not None:
            fields[form.confidence] = round(5 * found, 2)
        return shape.model_validate(fields)

    def evidence(self, quoted: str, answer: str, chunk: Chunk) -> tuple[Evidence, ...]:
        """Evidence for an answer from one chunk: its quoted lines found in the text, or located.

        Lines that are not found are given as unverified only where nothing else is there.
        """
        if self.plain:
            best = locate(self.question, answer, chunk.text, chunk.span)
            return (best,) if best else self._pointed_at(quoted, chunk)
        found, missing = [], []
        for quote in quote_lines(quoted):
            match = align(quote, chunk.text)
            if match is None:
                missing.append(Evidence(quote, None, "unverified", 0.0))
                continue
            text = chunk.text[match.start : match.end]
            score = support(self.question, answer, text).score
            span = _within(chunk.span, match.start, match.end)
            found.append(Evidence(text, span, match.verified, score))
        if not found and (best := locate(self.question, answer, chunk.text, chunk.span)):
            found.append(best)
        return tuple(found) or tuple(missing[:1])

    def noted(self, notes: Notes, told: str, chunk: Chunk) -> Notes:
        """Notes after a reader wrote `told` about a chunk in their place.

        A reader with nothing to note leaves them as they are; where it tells something beside
        that, it is added. A plain model cannot keep what it does not see twice (STACK.md,
        section 3a), so it is not asked to: code adds the sentence that bears its reply out.
        """
        if self.plain:
            best = locate(self.question, told, chunk.text, chunk.span)
            if best is None or says_not_found(told):
                return notes
            return notes.added(Item(best.quote, (best,), chunk.index))
        if says_not_found(told):
            return notes.gained(told, chunk)
        if chunk.again:
            return notes.regained(told, chunk)
        return notes.rewritten(told, chunk)

    def _pointed_at(self, quote: str, chunk: Chunk) -> tuple[Evidence, ...]:
        """Partial evidence of a plain model: a sentence that code chose by the question alone."""
        at = chunk.text.find(quote) if quote else -1
        if at < 0:
            return ()
        span = _within(chunk.span, at, at + len(quote))
        return (Evidence(quote, span, "located", relevance(self.question, quote).score / 2),)


def bearing(question: str, answer: str, evidence: Iterable[Evidence]) -> tuple[Evidence, ...]:
    """The evidence that bears an answer out best, the best first: at most five places."""
    ranked = sorted(
        ((support(question, answer, e.quote).score, e) for e in dict.fromkeys(evidence)),
        key=lambda pair: (pair[0], pair[1].score),
        reverse=True,
    )
    found = [e for score, e in ranked if score > 0] or [e for _, e in ranked][:3]
    return tuple(found[:MOST])


def quote_lines(text: str) -> list[str]:
    """The quotes in a field: one a line, without bullets and quotation marks."""
    lines = (line.strip().lstrip("-*•>").strip() for line in text.splitlines())
    return [line for line in lines if len(line) > 2 and not says_not_found(line)]


def _best(measure: Measure, sources: Sequence[Source]) -> tuple[float, str]:
    """The highest measure among sources, and the sentence that gives it."""
    best, quote = 0.0, ""
    for source in sources:
        text = source.text if isinstance(source, Chunk) else source.quote
        found = measure(text)
        if found.score > best:
            best, quote = found.score, text[found.start : found.end]
    return best, quote


def _within(span: Span, start: int, end: int) -> Span:
    return Span(span.document, span.start + start, span.start + end)
