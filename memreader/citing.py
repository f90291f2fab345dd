"""From a draft to citations: spans cut out by offset, with the pages they stand on."""

from __future__ import annotations

from collections.abc import Iterable

from memreader.answer import Citation, Draft
from memreader.document import Corpus, Span
from memreader.evidence import SUPPORTED, Evidence, support
from memreader.words import content_words, words

MOST = 5
"""Citations of one answer at most: a handful that a person can check."""


def cited(draft: Draft, corpus: Corpus, question: str, read: Iterable[Span]) -> list[Evidence]:
    """The evidence to cite: what the strategy carried, else the best sentence of what was read."""
    carried = [_as_evidence(e, corpus) for e in draft.evidence]
    found = _distinct([e for e in carried if e.span is not None])
    if found:
        return found[:MOST]
    best = _best_sentence(draft.text, corpus, question, read)
    if best is not None:
        return [best]
    return carried[:1]


def citation(evidence: Evidence, corpus: Corpus) -> Citation:
    """One citation; an unverified one has no place."""
    span = evidence.span
    if span is None:
        return Citation("", 0, 0, evidence.quote, None, None, "unverified")
    document = corpus[span.document]
    page = document.page_of(span)
    return Citation(
        document.source,
        span.start,
        span.end,
        document[span],
        page.number if page else None,
        page.label if page else None,
        evidence.verified,
    )


def stands(
    draft: Draft, evidence: Iterable[Evidence], question: str, corpus: Corpus, read: Iterable[Span]
) -> bool:
    """Whether an answer rests on something: evidence, or a word of its own in what was read.

    A yes, a no and a number have no words of their own and are left to the model: support is
    evidence, not a veto (DESIGN.md, section 6).
    """
    if any(e.span is not None for e in evidence):
        return True
    asked = set(content_words(question))
    told = {w for w in content_words(draft.text) if w not in asked and not w.isdigit()}
    told -= {"yes", "oui", "ja", "si", "sí", "non", "nein", "true", "false"}
    return not told or any(told & set(words(corpus.text(span))) for span in read)


def _as_evidence(item: Evidence | Span, corpus: Corpus) -> Evidence:
    return item if isinstance(item, Evidence) else Evidence(corpus.text(item), item, "exact")


def _distinct(evidence: list[Evidence]) -> list[Evidence]:
    """Without those that overlap an earlier one."""
    kept: list[Evidence] = []
    for e in evidence:
        if not any(e.span and k.span and e.span.overlaps(k.span) for k in kept):
            kept.append(e)
    return kept


def _best_sentence(
    answer: str, corpus: Corpus, question: str, read: Iterable[Span]
) -> Evidence | None:
    best: Evidence | None = None
    for span in read:
        found = support(question, answer, corpus.text(span))
        if found.score >= SUPPORTED and (best is None or found.score > best.score):
            at = Span(span.document, span.start + found.start, span.start + found.end)
            best = Evidence(corpus.text(at), at, "located", found.score)
    return best
