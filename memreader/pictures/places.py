"""Places in the sources as a picture shows them: quote, context, page, and a link to the page."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from memreader.document import Document, Span
from memreader.evidence import SUPPORTED, support

CONTEXT = 500
"""Characters of text that are kept on either side of a quote."""


@dataclass(frozen=True, slots=True)
class Source:
    """A document that a picture leads to."""

    document: Document
    path: str | None = None
    """Absolute path of its file; None where there is none to link to."""

    @property
    def name(self) -> str:
        """What it is called in the picture: the file's own name."""
        return Path(self.document.source).name or self.document.source

    @property
    def link(self) -> str | None:
        """Where a viewer finds its pages, to be followed by a number; None for other formats."""
        if self.path is None or not _is_pdf(Path(self.path)):
            return None
        return f"{Path(self.path).as_uri()}#page="


def _is_pdf(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return b"%PDF-" in file.read(1024)
    except OSError:
        return False


@dataclass(slots=True)
class Places:
    """Collects places; each excerpt of a text stands once in the picture."""

    sources: list[Source]
    _spans: dict[Span, int] = field(default_factory=dict)

    def add(self, span: Span, told: str = "") -> int:
        """The number of a place; with what it told, the sentence of the span that bears that out.

        Where no sentence does so well enough, it is the whole span.
        """
        if told:
            text = self.source(span).document[span]
            found = support("", told, text)
            if found.score >= SUPPORTED:
                span = Span(span.document, span.start + found.start, span.start + found.end)
        return self._spans.setdefault(span, len(self._spans))

    def source(self, span: Span) -> Source:
        """The source that a span is in. Raises KeyError where it is none of them."""
        return self.sources[self._number(span)]

    def _number(self, span: Span) -> int:
        for number, source in enumerate(self.sources):
            if source.document.id == span.document:
                return number
        raise KeyError(f"No document {span.document} in this picture")

    def page(self, span: Span) -> list[Any] | None:
        """Physical number and printed label of the page that holds most of a span."""
        page = self.source(span).document.page_of(span)
        return None if page is None else [page.number, page.label]

    def to_json(self) -> dict[str, Any]:
        """Documents, excerpts of their texts, and places in these, as plain values."""
        windows = self._windows()
        excerpts = [self.sources[n].document.text[start:end] for n, start, end in windows]
        return {
            "documents": [{"name": s.name, "link": s.link} for s in self.sources],
            "excerpts": excerpts,
            "places": [self._place(span, windows, excerpts) for span in self._spans],
        }

    def _windows(self) -> list[tuple[int, int, int]]:
        """Document and offsets of all quotes with their contexts, joined where they overlap."""
        wanted = sorted(
            (self._number(s), max(0, s.start - CONTEXT), s.end + CONTEXT) for s in self._spans
        )
        joined: list[tuple[int, int, int]] = []
        for number, start, end in wanted:
            if joined and joined[-1][0] == number and start <= joined[-1][2]:
                joined[-1] = (number, joined[-1][1], max(end, joined[-1][2]))
            else:
                joined.append((number, start, end))
        return joined

    def _place(
        self, span: Span, windows: list[tuple[int, int, int]], excerpts: list[str]
    ) -> dict[str, Any]:
        number = self._number(span)
        window = next(
            i
            for i, (of, start, end) in enumerate(windows)
            if of == number and start <= span.start and span.end <= end
        )
        begin, text = windows[window][1], excerpts[window]
        return {
            "document": number,
            "page": self.page(span),
            "excerpt": window,
            "start": _utf16(text[: span.start - begin]),
            "end": _utf16(text[: span.end - begin]),
        }


def _utf16(text: str) -> int:
    """Length as JavaScript counts it."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2
