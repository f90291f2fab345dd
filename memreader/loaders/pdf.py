"""PDF through PDFium, with pypdf for what PDFium does not open: pages, labels, outline."""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Iterator
from typing import Any

from memreader.document import Arriving, Document, Heading, Piece, content_hash
from memreader.errors import BrokenDocument, EncryptedDocument, NoText
from memreader.loaders.text import clean

# PDFium is not thread-safe: one call at a time in this process.
_PDFIUM = threading.RLock()


def arriving(data: bytes, source: str) -> Arriving:
    """A PDF, page by page. Raises EncryptedDocument and BrokenDocument at once."""
    try:
        pieces = _with_pdfium(data)
    except _Locked:
        raise _encrypted(source) from None
    except _Unreadable as reason:
        pieces = _with_pypdf(data, source, str(reason))

    def check(document: Document) -> None:
        if not document.text.strip():
            raise NoText(
                f"{source} has {len(document.pages):,} pages but no text layer: it is made of "
                f"pictures. Run OCR first, for example: ocrmypdf {source} out.pdf"
            )

    return Arriving(content_hash(data), source, pieces, check)


class _Locked(Exception):
    """A user password is needed."""


class _Unreadable(Exception):
    """PDFium does not open it."""


def _encrypted(source: str) -> EncryptedDocument:
    return EncryptedDocument(
        f"{source} is encrypted and needs a password. "
        f"Give a copy without one, for example: qpdf --password=... --decrypt {source} out.pdf"
    )


# --- PDFium ----------------------------------------------------------------------------------


def _with_pdfium(data: bytes) -> Iterator[Piece]:
    import pypdfium2

    with _PDFIUM:
        try:
            pdf = pypdfium2.PdfDocument(data)
            count = len(pdf)
            outline = _outline(pdf)
        except pypdfium2.PdfiumError as error:
            if "password" in str(error).lower():
                raise _Locked from error
            raise _Unreadable(str(error)) from error
    if not count:
        raise _Unreadable("it has no pages")
    return _pages(pdf, count, outline)


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


def _pages(pdf: Any, count: int, outline: dict[int, list[tuple[int, str]]]) -> Iterator[Piece]:
    try:
        for index in range(count):
            with _PDFIUM:
                text, label = _page_text(pdf, index), pdf.get_page_label(index)
            headings = _located(text, outline.get(index, []))
            yield Piece(text, clean(label or "") or str(index + 1), headings)
    finally:
        with _PDFIUM:
            pdf.close()


def _page_text(pdf: Any, index: int) -> str:
    """Text of a page; a page that cannot be read is empty, and the coverage says so."""
    import pypdfium2

    try:
        page = pdf[index]
        layer = page.get_textpage()
        try:
            return _tidied(layer.get_text_bounded())
        finally:
            layer.close()
            page.close()
    except pypdfium2.PdfiumError:
        return "\n"


_HYPHEN = re.compile(r"[\x02\ufffe]\n?")


def _tidied(raw: str) -> str:
    """One kind of line end, hyphens at line ends joined, a line feed at the end of the page."""
    text = raw.replace("\r\n", "\n").replace("\r", "\n")
    return clean(_HYPHEN.sub("", text)).strip("\n") + "\n"


def _located(text: str, entries: list[tuple[int, str]]) -> tuple[Heading, ...]:
    """Outline entries at the place of their title on the page, else at its top."""
    found, position = [], 0
    for level, title in entries:
        pattern = r"\W+".join(map(re.escape, re.findall(r"\w+", title)))
        match = re.compile(pattern, re.IGNORECASE).search(text, position) if pattern else None
        start = match.start() if match else position
        if match:
            line = text.rfind("\n", 0, start) + 1
            # A section number stands before the title on the same line.
            start = line if re.fullmatch(r"[\W\dA-Z]{0,12}", text[line:start]) else start
        position = max(position, start)
        found.append(Heading(position, level, title))
    return tuple(found)


# --- pypdf -----------------------------------------------------------------------------------


def _with_pypdf(data: bytes, source: str, reason: str) -> Iterator[Piece]:
    """The fallback: slower, and it loses some blanks, but it opens files with junk in front."""
    import logging

    import pypdf

    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    start = max(0, data.find(b"%PDF-"))
    try:
        reader = pypdf.PdfReader(io.BytesIO(data[start:]), strict=False)
        if reader.is_encrypted and not reader.decrypt(""):
            raise _encrypted(source)
        labels = list(reader.page_labels)
        count = len(reader.pages)
    except EncryptedDocument:
        raise
    except Exception as error:  # because pypdf raises whatever a damaged file makes it meet
        raise _broken(source, reason) from error
    if not count:
        raise _broken(source, reason)
    return _pypdf_pages(reader, labels)


def _broken(source: str, reason: str) -> BrokenDocument:
    return BrokenDocument(
        f"{source} is not a sound PDF: it is damaged or cut short ({reason.rstrip('.')}). "
        f"Get the file again."
    )


def _pypdf_pages(reader: Any, labels: list[str]) -> Iterator[Piece]:
    for index, page in enumerate(reader.pages):
        try:
            text = _tidied(page.extract_text())
        except Exception:  # because a damaged page must not take the others with it
            text = "\n"
        yield Piece(text, labels[index] if index < len(labels) else str(index + 1))
