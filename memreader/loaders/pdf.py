"""PDF through PDFium, with pypdf for what PDFium does not open: pages, labels, outline."""

from __future__ import annotations

import re
import threading
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any

from memreader.document import Arriving, Document, Heading, Piece, clean, content_hash
from memreader.errors import BrokenDocument, EncryptedDocument, NoText
from memreader.loaders.text import tidied

# PDFium is not thread-safe: one call at a time in this process.
_PDFIUM = threading.RLock()


def arriving(data: bytes, source: str) -> Arriving:
    """A PDF, page by page. Raises EncryptedDocument, BrokenDocument and NoText at once."""
    # Some servers put a mail header or a warning in front of the file.
    start = max(0, data.find(b"%PDF-"))
    try:
        pieces = _with_pdfium(data[start:] if start else data, source)
    except _Locked:
        raise encrypted(source) from None
    except _Unreadable as reason:
        from memreader.loaders import pdf_fallback

        pieces = pdf_fallback.pieces(data[start:], source, str(reason))
    # pypdf does not notice a missing end either: what is left of the pages would pass for all.
    if data.rfind(b"startxref") < data.rfind(b"endobj"):
        pieces.close()
        raise BrokenDocument(f"{source} is cut short: the PDF's end is missing. Get it again.")
    first = _up_to_text(pieces, source)
    return Arriving(content_hash(data), source, _resumed(first, pieces), _Check(source))


def _up_to_text(pieces: Iterator[Piece], source: str) -> list[Piece]:
    """The pages up to the first with text. Going through pages without any costs little."""
    taken = []
    for piece in pieces:
        taken.append(piece)
        if piece.text.strip():
            return taken
    raise _no_text(source, len(taken))


def _resumed(first: list[Piece], rest: Generator[Piece]) -> Iterator[Piece]:
    try:
        while first:
            yield first.pop(0)
        yield from rest
    finally:
        rest.close()


def _no_text(source: str, pages: int) -> NoText:
    return NoText(
        f"{source} has {pages:,} {'page' if pages == 1 else 'pages'} but no text layer: it is made "
        f"of pictures. Run OCR first, for example: ocrmypdf {source} out.pdf"
    )


@dataclass(frozen=True, slots=True)
class _Check:
    """That a finished document holds text."""

    source: str

    def __call__(self, document: Document) -> None:
        if not document.text.strip():
            raise _no_text(self.source, len(document.pages))


class _Locked(Exception):
    """A user password is needed."""


class _Unreadable(Exception):
    """PDFium does not open it."""


def encrypted(source: str) -> EncryptedDocument:
    return EncryptedDocument(
        f"{source} is encrypted and needs a password. "
        f"Give a copy without one, for example: qpdf --password=... --decrypt {source} out.pdf"
    )


# --- PDFium ----------------------------------------------------------------------------------


def _with_pdfium(data: bytes, source: str) -> Generator[Piece]:
    import pypdfium2

    with _PDFIUM:
        try:
            pdf = pypdfium2.PdfDocument(data)
            count = len(pdf)
        except pypdfium2.PdfiumError as error:
            if "password" in str(error).lower():
                raise _Locked from error
            raise _Unreadable(str(error)) from error
        if not count:
            pdf.close()
            raise _Unreadable("it has no pages")
        try:
            outline = _outline(pdf)
        except pypdfium2.PdfiumError:
            outline = {}  # its text is worth reading all the same
    return _pages(pdf, count, outline, source)


def _outline(pdf: Any) -> dict[int, list[tuple[int, str]]]:
    """Level and title of the outline's entries, by page."""
    found: dict[int, list[tuple[int, str]]] = {}
    for item in pdf.get_toc(max_depth=8):
        target = item.get_dest()
        index = target.get_index() if target is not None else None
        title = clean(item.get_title() or "").strip()
        if index is not None and title:
            found.setdefault(index, []).append((item.level + 1, title))
    return found


def _pages(
    pdf: Any, count: int, outline: dict[int, list[tuple[int, str]]], source: str
) -> Generator[Piece]:
    failed = 0
    try:
        for index in range(count):
            with _PDFIUM:
                text, label = _page_text(pdf, index), pdf.get_page_label(index)
            failed += text is None
            tidy = tidied_page(text or "")
            headings = _located(tidy, outline.get(index, []))
            printed = " ".join(clean(label or "").split()) or str(index + 1)
            yield Piece(tidy, printed, headings, share=(index + 1) / count)
        if failed == count:
            raise broken(source, "none of its pages can be loaded")
    finally:
        with _PDFIUM:
            pdf.close()


def _page_text(pdf: Any, index: int) -> str | None:
    """Text of a page; None where it cannot be loaded."""
    import pypdfium2

    try:
        page = pdf[index]
    except pypdfium2.PdfiumError:
        return None
    try:
        layer = page.get_textpage()
        try:
            return str(layer.get_text_bounded())
        finally:
            layer.close()
    except pypdfium2.PdfiumError:
        return None
    finally:
        page.close()


_HYPHEN = re.compile(r"[\x02\ufffe]\n?")


def tidied_page(raw: str) -> str:
    """One kind of line end, hyphens at line ends joined, a line feed at the end of the page."""
    return _HYPHEN.sub("", tidied(raw)).strip("\n") + "\n"


def _located(text: str, entries: list[tuple[int, str]]) -> tuple[Heading, ...]:
    """Outline entries at the place of their title on the page, else at its top."""
    found, position = [], 0
    for level, title in entries:
        position = max(position, _place(text, title, position))
        found.append(Heading(position, level, title))
    return tuple(found)


def _place(text: str, title: str, position: int) -> int:
    """Where a title stands: best on a line of its own, else anywhere behind `position`."""
    words = re.findall(r"\w+", title)
    if not words:
        return position
    found, rank = position, 0
    pattern = r"\W+".join(map(re.escape, words))
    for match in re.finditer(pattern, text[position:], re.IGNORECASE):
        start, end = position + match.start(), position + match.end()
        line = text.rfind("\n", 0, start) + 1
        first = _NUMBER.fullmatch(text, line, start) is not None
        alone = first and not re.search(r"\w", text[end : (text + "\n").index("\n", end)])
        if (here := 1 + first + alone) > rank:
            found, rank = line if first else start, here
    return found


# What stands before a title on its line: "2.1", "A.3", "Chapter 2:", or nothing.
_NUMBER = re.compile(
    r"\W*(?:(?:chapter|chapitre|appendix|annexe|part|section)\s+)?(?:[\dA-Z][\d.A-Z]{0,10}\W*)?",
    re.I,
)


def broken(source: str, reason: str) -> BrokenDocument:
    return BrokenDocument(
        f"{source} is not a sound PDF: it is damaged or cut short ({reason.rstrip('.')}). "
        f"Get the file again."
    )
