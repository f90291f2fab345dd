"""Files for the loaders' tests, made on the spot."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Mapping, Sequence

from memreader.document import Document
from memreader.errors import DocumentError

CONTAINER = (
    '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
    '<rootfile full-path="book/package.opf"/></rootfiles></container>'
)


def pdf(pages: Sequence[str | None], *, outline: Mapping[str, int] | None = None) -> bytes:
    """A PDF with a page for each text; None makes a page with a drawing only.

    `outline` names headings and the pages they stand on.
    """
    from reportlab.pdfgen.canvas import Canvas

    out = io.BytesIO()
    canvas = Canvas(out, invariant=1)
    for index, text in enumerate(pages):
        for title, page in (outline or {}).items():
            if page == index:
                canvas.bookmarkPage(title)
                canvas.addOutlineEntry(title, title, 0)
        if text is None:
            canvas.rect(100, 100, 200, 200, fill=1)
        else:
            lines = canvas.beginText(72, 720)
            lines.textLines(text)
            canvas.drawText(lines)
        canvas.showPage()
    canvas.save()
    return out.getvalue()


def relabelled(data: bytes, roman: int) -> bytes:
    """The same PDF, its first `roman` pages labelled i, ii, ..., the rest 1, 2, ..."""
    import pypdf
    from pypdf.constants import PageLabelStyle

    writer = pypdf.PdfWriter(clone_from=io.BytesIO(data))
    writer.set_page_label(0, roman - 1, PageLabelStyle.LOWERCASE_ROMAN)
    writer.set_page_label(roman, len(writer.pages) - 1, PageLabelStyle.DECIMAL)
    return _written(writer)


def encrypted(data: bytes, *, user: str, owner: str = "owner") -> bytes:
    """The same PDF under a password; an empty `user` lets everybody open it."""
    import pypdf

    writer = pypdf.PdfWriter(clone_from=io.BytesIO(data))
    writer.encrypt(user, owner, algorithm="AES-256")
    return _written(writer)


def _written(writer: object) -> bytes:
    out = io.BytesIO()
    writer.write(out)  # type: ignore[attr-defined]
    return out.getvalue()


def archive(parts: Mapping[str, str | bytes]) -> bytes:
    """A ZIP archive of these parts."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in parts.items():
            made.writestr(name, content)
    return out.getvalue()


def epub(
    chapters: Mapping[str, str | bytes],
    *,
    spine: Sequence[str] | None = None,
    title: str = "The Book",
    more: Mapping[str, str | bytes] | None = None,
) -> bytes:
    """An EPUB with these chapters; `spine` is their reading order, `more` other parts."""
    items = "".join(f'<item id="{n}" href="{n}.xhtml"/>' for n in chapters)
    refs = "".join(f'<itemref idref="{n}"/>' for n in (spine or list(chapters)))
    package = (
        '<package xmlns="http://www.idpf.org/2007/opf" '
        'xmlns:dc="http://purl.org/dc/elements/1.1/">'
        f"<metadata><dc:title>{title}</dc:title></metadata>"
        f"<manifest>{items}</manifest><spine>{refs}</spine></package>"
    )
    parts: dict[str, str | bytes] = {
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": CONTAINER,
        "book/package.opf": package,
    }
    parts |= {f"book/{name}.xhtml": page for name, page in chapters.items()}
    return archive(parts | dict(more or {}))


def outcome(read: Callable[[], Document]) -> Document | DocumentError:
    """What reading gives: any other exception passes through and fails the test."""
    try:
        return read()
    except DocumentError as error:
        return error
