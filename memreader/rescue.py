"""What to read again: passages around the places of forgotten facts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from memreader.chunking import Chunk, chunk_document
from memreader.document import Document, Span
from memreader.llm.base import TokenCounter
from memreader.words import sentences

AROUND = 300
"""Characters before and after a forgotten place that belong to its passage."""


def passages(
    lost: Sequence[Span],
    chunks: Iterable[Span],
    documents: Mapping[str, Document],
    *,
    budget: int,
    counter: TokenCounter,
) -> list[Chunk]:
    """The forgotten places of each chunk as one passage of whole sentences, inside that chunk.

    So there are never more passages than chunks, except where the budget is smaller than the
    chunks were: then a passage is parted, and parts without a forgotten place are left out.
    """
    found: list[Chunk] = []
    for index, chunk in enumerate(chunks):
        inside = [span for span in lost if span.overlaps(chunk)]
        if inside:
            document = documents[chunk.document]
            for span in _within(_widened(inside, chunk, document.text), document, budget, counter):
                text = document[span]
                if any(span.overlaps(place) for place in inside):
                    found.append(Chunk(index, span, text, counter.count(text), again=True))
    return found


def _widened(inside: Sequence[Span], chunk: Span, text: str) -> Span:
    """From the first place to the last, with the sentences around them."""
    low = min(span.start for span in inside) - AROUND - chunk.start
    high = max(span.end for span in inside) + AROUND - chunk.start
    near = [s for s in sentences(text[chunk.start : chunk.end]) if s[1] > low and s[0] < high]
    return Span(chunk.document, chunk.start + near[0][0], chunk.start + near[-1][1])


def _within(span: Span, document: Document, budget: int, counter: TokenCounter) -> Iterator[Span]:
    if counter.count(document[span]) <= budget:
        yield span
        return
    for part in chunk_document(Document(document[span]), budget, counter):
        yield Span(span.document, span.start + part.span.start, span.start + part.span.end)
