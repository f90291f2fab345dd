"""Documents, and places in them: one canonical text, every offset points into it."""

from __future__ import annotations

import bisect
import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the document's text: `text[start:end]`, half-open character offsets."""

    start: int
    end: int
    index: int
    """Physical position in the file, counted from 0."""
    label: str
    """What is printed on the page ("iv", "12", "A-3"); the physical number where none is given."""

    @property
    def number(self) -> int:
        """Physical page number, counted from 1, as PDF viewers count."""
        return self.index + 1


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading: where it stands in the text, its level (1 is the highest) and its title."""

    start: int
    level: int
    title: str


@dataclass(frozen=True, slots=True)
class Span:
    """Half-open character offsets `[start, end)` into the text of the document with this id."""

    document: str
    start: int
    end: int

    def overlaps(self, other: Span) -> bool:
        """Whether the two share at least one character."""
        return self.document == other.document and self.start < other.end and other.start < self.end


def clean(text: str) -> str:
    """Without NULs and lone surrogates, which no model and no database takes."""
    if "\0" in text:
        text = text.replace("\0", "")
    # Searched, not tried by encoding: encoding would copy a text of 100 MB once more.
    if not text.isascii() and _SURROGATE.search(text):
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def content_hash(data: bytes | str) -> str:
    """The id of content: 32 hexadecimal digits of its SHA-256."""
    raw = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
    return hashlib.sha256(raw).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Document:
    """One document: its canonical text with pages and headings.

    `id` is the hash of the content it was read from, so equal files have equal ids.
    """

    text: str
    source: str = "<text>"
    pages: tuple[Page, ...] = ()
    headings: tuple[Heading, ...] = ()
    id: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "source", clean(str(self.source)))
        if not self.id:
            object.__setattr__(self, "id", content_hash(self.text))

    def __getitem__(self, span: Span) -> str:
        """The text of a span of this document."""
        if span.document != self.id:
            raise KeyError(f"Span of document {span.document}, not of {self.id} ({self.source})")
        return self.text[span.start : span.end]

    def page_at(self, offset: int) -> Page | None:
        """The page that holds the character at `offset`; None where there are no pages."""
        at = bisect.bisect_right(self.pages, offset, key=lambda page: page.start) - 1
        return self.pages[at] if at >= 0 else None

    def page_of(self, span: Span) -> Page | None:
        """The page that holds most of a span, the first of equals; None without pages."""
        first = self.page_at(span.start)
        if first is None or span.end <= first.end:
            return first
        touched = [p for p in self.pages[first.index :] if p.start < span.end]
        return max(touched, key=lambda p: min(p.end, span.end) - max(p.start, span.start))

    @property
    def pages_without_text(self) -> tuple[int, ...]:
        """Physical numbers (from 1) of the pages on which no text was found."""
        return tuple(p.number for p in self.pages if not self.text[p.start : p.end].strip())


@dataclass(frozen=True, slots=True)
class Piece:
    """A further piece of a document's text as its loader extracts it: one page, or all of it."""

    text: str
    page_label: str | None = None
    """The printed label when the piece is a page; None when the format has no pages."""
    headings: tuple[Heading, ...] = ()
    """Headings inside this piece; their `start` counts from the piece's first character."""
    share: float | None = None
    """How much of the document is here with this piece, 0 to 1, where the loader can tell."""


@dataclass(slots=True)
class Arriving:
    """A document whose text is still being extracted, so that reading can start on page one.

    `id` hashes the bytes of the file, hence is known before the text is. Pieces are pulled with
    `advance`; `finish` pulls the rest and gives the `Document`. An error of the loader is raised
    by the call that meets it and by each later one, so that half a document is never taken for
    the whole.
    """

    id: str
    source: str
    pieces: Iterator[Piece]
    check: Callable[[Document], None] | None = None
    """Called with the finished document; raises a DocumentError when it holds no text."""
    share: float | None = None
    """How much of the document is here, 0 to 1; None where it cannot be told."""
    path: str | None = None
    """Absolute path of the file it comes from; None where it comes from none."""
    _text: list[str] = field(default_factory=list)
    _pages: list[Page] = field(default_factory=list)
    _headings: list[Heading] = field(default_factory=list)
    _length: int = 0
    _document: Document | None = None
    _failed: Exception | None = None

    def __post_init__(self) -> None:
        # File systems have names that are no Unicode; journal, JSON and prompts do not.
        self.source = clean(self.source)

    @classmethod
    def of(cls, document: Document) -> Arriving:
        """A document that is already here: one piece, already pulled by `finish`."""
        arriving = cls(document.id, document.source, iter(()), share=1.0)
        arriving._document = document
        return arriving

    @property
    def complete(self) -> bool:
        """Whether all text is here."""
        return self._document is not None

    def advance(self) -> Piece | None:
        """Pull the next piece; None when the document is complete."""
        if self._document is not None:
            return None
        if self._failed is not None:
            raise self._failed
        try:
            piece = next(self.pieces, None)
            if piece is None:
                self._complete()
        except Exception as error:  # because a generator that failed looks like one at its end
            self._failed = error
            raise
        if piece is None:
            return None
        self.share = piece.share
        start, self._length = self._length, self._length + len(piece.text)
        self._text.append(piece.text)
        if piece.page_label is not None:
            self._pages.append(Page(start, self._length, len(self._pages), piece.page_label))
        self._headings += [Heading(start + h.start, h.level, h.title) for h in piece.headings]
        return piece

    def here(self) -> Document:
        """The document as far as it is here: text and pages that were read are in it."""
        text = self._text  # taken first: another thread may be completing the document
        if self._document is not None:
            return self._document
        return Document("".join(text), self.source, tuple(self._pages), (), self.id)

    def finish(self) -> Document:
        """Pull what is left and return the whole document."""
        while self._document is None:
            self.advance()
        return self._document

    def _complete(self) -> None:
        document = Document(
            "".join(self._text), self.source, tuple(self._pages), tuple(self._headings), self.id
        )
        if self.check is not None:
            self.check(document)
        self._document = document
        self._text = []


@dataclass(frozen=True, slots=True)
class Corpus:
    """The documents of one reading, in order."""

    documents: tuple[Document, ...]

    @property
    def id(self) -> str:
        """Hash of the documents' ids, in order."""
        return content_hash("\n".join(d.id for d in self.documents))

    def __getitem__(self, document: str) -> Document:
        """The document with this id."""
        for candidate in self.documents:
            if candidate.id == document:
                return candidate
        raise KeyError(f"No document {document} in this corpus")

    def text(self, span: Span) -> str:
        """The text of a span."""
        return self[span.document][span]
