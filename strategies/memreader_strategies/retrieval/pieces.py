"""Steps 3 and 4: small-to-big, and the cut to a token budget.

A passage that was found may be widened by its neighbours: the small piece is searched, the big
one is read. Passages that touch or overlap become one piece, so that nothing is shown twice, and
pieces stand in the order of the documents (OP-RAG, https://arxiv.org/abs/2409.01666).
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count

from memreader.chunking import Chunk
from memreader.document import Corpus, Document, Span
from memreader.fitting import first_that_fit
from memreader.prompts import Fence, Untrusted

SEAM = 2
"""Tokens between two pieces of a prompt, from above."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Neighbouring passages of one document, shown as one."""

    label: str
    """Our own name for it in the prompt: "passage 3"."""
    span: Span
    text: str
    passages: tuple[Chunk, ...]

    @property
    def shown(self) -> Untrusted:
        """As prompts show it."""
        return Untrusted(self.text, self.label)

    @property
    def chunk(self) -> Chunk:
        """As the engine searches it for evidence; its passages are what counts as read."""
        return Chunk(self.passages[0].index, self.span, self.text, 0, again=True)


def pieces(chosen: Iterable[int], passages: Sequence[Chunk], corpus: Corpus) -> list[Piece]:
    """The chosen passages in the order of the documents, neighbours joined."""
    several, number = len(corpus.documents) > 1, count(1)
    place = {document.id: i for i, document in enumerate(corpus.documents, start=1)}
    found = []
    for run in _runs(sorted(set(chosen)), passages):
        inside = tuple(passages[i] for i in run)
        span = Span(inside[0].span.document, inside[0].span.start, inside[-1].span.end)
        of = f" of document {place[span.document]}" if several else ""
        found.append(Piece(f"passage {next(number)}{of}", span, corpus.text(span), inside))
    return found


def _runs(chosen: Sequence[int], passages: Sequence[Chunk]) -> Iterator[list[int]]:
    run: list[int] = []
    for i in chosen:
        if run and (i != run[-1] + 1 or not _together(passages[i], passages[run[-1]])):
            yield run
            run = []
        run.append(i)
    if run:
        yield run


def _together(one: Chunk, other: Chunk) -> bool:
    return one.span.document == other.span.document


@dataclass(frozen=True, slots=True)
class Shelf:
    """All passages of the documents, and how much of them a prompt may show."""

    passages: Sequence[Chunk]
    corpus: Corpus
    fence: Fence
    tokens: Callable[[str], int]
    budget: int
    """Tokens of all pieces with their marker lines."""

    def pieces(self, chosen: Iterable[int]) -> list[Piece]:
        """The chosen passages as prompts show them."""
        return pieces(chosen, self.passages, self.corpus)

    def size(self, piece: Piece) -> int:
        """Tokens of a piece with its marker lines."""
        return self.tokens(self.fence.wrap(piece.text, piece.label)) + SEAM

    def fits(self, chosen: Iterable[int]) -> bool:
        """Whether these passages, as they would be shown, are within the budget."""
        return sum(map(self.size, self.pieces(chosen))) <= self.budget

    def within(self, ranked: Sequence[int]) -> list[int]:
        """The first of the ranked passages, as many as the budget holds."""
        chosen: list[int] = []
        for i in ranked:
            if not self.fits([*chosen, i]):
                break
            chosen.append(i)
        return chosen

    def listed(self, ranked: Sequence[int], budget: int) -> list[Piece]:
        """The first of the ranked passages, each by itself in that order, within a budget."""
        each = [
            Piece(f"passage {n}", passage.span, passage.text, (passage,))
            for n, passage in enumerate((self.passages[i] for i in ranked), start=1)
        ]
        return list(first_that_fit(each, budget, self.size))

    def widened(self, chosen: Sequence[int], most: int, *, section: bool) -> list[int]:
        """The chosen passages and what stands around each, the best first, within the budget.

        Each is widened to at most `most` tokens, by the passages before and after it in turn;
        with `section` only by those under the same heading.
        """
        everything = list(chosen)
        for i in chosen:
            left = most - self.passages[i].tokens
            for near in self._around(i, section=section):
                left -= self.passages[near].tokens
                if left < 0:
                    break
                if near in everything:
                    continue
                if not self.fits([*everything, near]):
                    break
                everything.append(near)
        return everything

    def _around(self, i: int, *, section: bool) -> Iterator[int]:
        """Neighbours of a passage in its document (and section): before, after, before, ..."""
        home = self.passages[i]
        start, end = 0, len(self.corpus[home.span.document].text)
        if section:
            start, end = section_of(home.span, self.corpus[home.span.document])
        alive = {-1: True, 1: True}
        for distance in range(1, len(self.passages)):
            for side in (-1, 1):
                near = i + side * distance
                alive[side] = alive[side] and 0 <= near < len(self.passages)
                if alive[side]:
                    other = self.passages[near]
                    inside = start <= other.span.start and other.span.end <= end
                    alive[side] = _together(home, other) and inside
                if alive[side]:
                    yield near
            if not any(alive.values()):
                return


def section_of(span: Span, document: Document) -> tuple[int, int]:
    """Offsets of the section that a place stands in, its subsections included.

    The section's heading is the last one at or before the place; it ends at the next heading of
    its level or a higher one. Without headings it is the document.
    """
    headings = sorted(document.headings, key=lambda h: h.start)
    at = bisect.bisect_right([h.start for h in headings], span.start) - 1
    if at < 0:
        return 0, headings[0].start if headings else len(document.text)
    after = (h.start for h in headings[at + 1 :] if h.level <= headings[at].level)
    return headings[at].start, next(after, len(document.text))
