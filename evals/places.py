"""Places in documents: gold pages and spans, what was cited, what was read.

A gold page is the range of its text, so one overlap rule serves pages and spans alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from memreader.document import Document, Page

AROUND = 1500
"""Characters on either side of a gold span, where a document has no pages to cut out."""


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Half-open character offsets into the text of the document with this name."""

    document: str
    start: int
    end: int

    def overlaps(self, other: Place) -> bool:
        """Whether the two share a character; an unverified citation, 0 to 0, shares none."""
        return self.document == other.document and self.start < other.end and other.start < self.end


def page_place(document: Document, number: int) -> Place:
    """The text of a physical page, counted from 1. Raises ValueError where there is none."""
    for page in document.pages:
        if page.number == number:
            return Place(document.source, page.start, page.end)
    raise ValueError(f"{document.source} has no page {number}: it has {len(document.pages):,}.")


def was_read(place: Place, read: Iterable[Place], document: Document) -> bool:
    """Whether the places that were read hold all of this one but white space."""
    position = place.start
    for part in sorted(p for p in read if p.overlaps(place)):
        if document.text[position : part.start].strip():
            return False
        position = max(position, part.end)
    return not document.text[position : place.end].strip()


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Some places of a document as a document of their own, and the way back."""

    document: Document
    parts: tuple[tuple[int, Place], ...]
    """Where each part begins here, and what place of the original it is."""

    @classmethod
    def whole(cls, document: Document) -> Excerpt:
        """A document as it is."""
        return cls(document, ((0, Place(document.source, 0, len(document.text))),))

    def original(self, start: int, end: int) -> Place:
        """A range of the excerpt in the original; what runs over a part's end stops there."""
        at, place = max((p for p in self.parts if p[0] <= start), default=self.parts[0])
        return Place(
            place.document,
            place.start + start - at,
            min(place.start + end - at, place.end),
        )


def excerpt(document: Document, places: Sequence[Place], around: int = AROUND) -> Excerpt:
    """The pages that these places touch; where there are none, `around` characters around them."""
    ranges = _pages(document, places) if document.pages else _around(document, places, around)
    text, parts, pages = "", [], []
    for start, end, page in ranges:
        parts.append((len(text), Place(document.source, start, end)))
        if page is not None:
            pages.append(Page(len(text), len(text) + end - start, page.index, page.label))
        text += document.text[start:end]
    return Excerpt(Document(text, document.source, tuple(pages)), tuple(parts))


_Range = tuple[int, int, Page | None]


def _pages(document: Document, places: Sequence[Place]) -> list[_Range]:
    return [
        (page.start, page.end, page)
        for page in document.pages
        if any(Place(p.document, page.start, page.end).overlaps(p) for p in places)
    ]


def _around(document: Document, places: Sequence[Place], around: int) -> list[_Range]:
    """Windows, those that meet as one; a word that is cut at the edge does no harm."""
    merged: list[_Range] = []
    for place in sorted(places):
        start = max(0, place.start - around)
        end = min(len(document.text), place.end + around)
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]), None)
        else:
            merged.append((start, end, None))
    return merged
