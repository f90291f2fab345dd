"""Documents: pages of spans, and text that arrives in pieces."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from memreader.document import Arriving, Document, Page, Piece, Span

PAGES = Document("aaaa" + "bbbbbbbb" + "cc", pages=(Page(0, 4, 0, "i"), Page(4, 12, 1, "1"),
                                                     Page(12, 14, 2, "2")))  # fmt: skip


@pytest.mark.parametrize(
    ("start", "end", "number"),
    [(0, 4, 1), (3, 6, 2), (2, 6, 1), (3, 14, 2), (10, 14, 2), (11, 14, 3), (12, 14, 3)],
)
def test_a_span_is_on_the_page_that_holds_most_of_it(start: int, end: int, number: int) -> None:
    """Of equals, the first."""
    page = PAGES.page_of(Span(PAGES.id, start, end))
    assert page is not None
    assert number == page.number


def test_a_span_without_pages_is_on_none() -> None:
    """A text has no pages."""
    document = Document("some text")
    assert document.page_of(Span(document.id, 0, 4)) is None


def test_half_a_document_is_never_taken_for_the_whole() -> None:
    """Once its loader has failed, each later call fails too."""

    def broken() -> Iterator[Piece]:
        yield Piece("first page", "1")
        raise ValueError("page 2 is damaged")

    arriving = Arriving("id", "report.pdf", broken())
    assert arriving.advance() is not None
    for _ in range(3):
        with pytest.raises(ValueError, match="page 2"):
            arriving.finish()
    assert not arriving.complete


def test_pieces_make_the_document() -> None:
    """Offsets of pages count over all pieces."""
    arriving = Arriving("id", "r.pdf", iter([Piece("one\n", "i"), Piece("two\n", "1")]))
    document = arriving.finish()
    assert (document.text, [p.label for p in document.pages]) == ("one\ntwo\n", ["i", "1"])
    assert (4, 8) == (document.pages[1].start, document.pages[1].end)
    assert arriving.advance() is None
