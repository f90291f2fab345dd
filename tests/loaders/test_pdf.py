"""PDF: pages, labels, outline, hyphens, and files that are not sound."""

from __future__ import annotations

import gc
import weakref
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from memreader.document import Arriving, Document, content_hash
from memreader.errors import BrokenDocument, EncryptedDocument, NoText
from memreader.loaders import open_document
from tests.loaders.conftest import Read
from tests.loaders.makers import encrypted, outcome, pdf, relabelled

THREE = ["First page", "Second page", "Third page"]


def _opened(folder: Path, data: bytes) -> Arriving:
    path = folder / "report.pdf"
    path.write_bytes(data)
    return open_document(path)


def test_pages_partition_the_text(read: Read) -> None:
    """The pages follow each other without a gap, from the first character to the last."""
    document = read("a.pdf", pdf(THREE))
    assert [f"{text}\n" for text in THREE] == [
        document.text[p.start : p.end] for p in document.pages
    ]
    assert len(document.text) == document.pages[-1].end


def test_reading_starts_on_page_one(tmp_path: Path) -> None:
    """Pieces come one by one; the id is known before, the document is complete after the last."""
    data = pdf(THREE)
    arriving = _opened(tmp_path, data)
    first = arriving.advance()
    assert first is not None
    assert ("First page\n", content_hash(data), False) == (
        first.text,
        arriving.id,
        arriving.complete,
    )
    assert "First page\nSecond page\nThird page\n" == arriving.finish().text


def test_pages_carry_printed_labels_and_positions(read: Read) -> None:
    """The label is what is printed, the number is what a viewer counts."""
    document = read("a.pdf", relabelled(pdf(THREE), 2))
    assert [("i", 1), ("ii", 2), ("1", 3)] == [(p.label, p.number) for p in document.pages]


def test_pages_without_labels_are_counted(read: Read) -> None:
    """Where a PDF has no labels, the physical number stands for them."""
    assert ["1", "2", "3"] == [p.label for p in read("a.pdf", pdf(THREE)).pages]


def test_outline_entries_stand_at_their_titles(read: Read) -> None:
    """A heading stands on its own line, not where a sentence before it has the same words."""
    pages = [
        "Cover",
        "We speak of Methods here.\n2.1 Methods\nThe method is simple.\nRESULTS\nFine.",
    ]
    document = read("a.pdf", pdf(pages, outline={"Methods": 1, "Results": 1}))
    placed = [document.text[h.start :].split("\n")[0] for h in document.headings]
    assert ["2.1 Methods", "RESULTS"] == placed


def test_an_outline_title_that_is_not_on_its_page_stands_at_its_top(read: Read) -> None:
    """A heading is never lost because its title is a picture."""
    document = read("a.pdf", pdf(["Cover", "Text only"], outline={"Pictured": 1}))
    assert [(document.pages[1].start, "Pictured")] == [
        (h.start, h.title) for h in document.headings
    ]


def test_hyphens_at_line_ends_are_joined() -> None:
    """PDFium's mark for a hyphen at a line's end is removed with the break behind it."""
    from memreader.loaders.pdf import tidied_page

    assert "an example\nof text\n" == tidied_page("an exam\x02\r\nple\r\nof\0 text\r\n\ud800"[:-1])


def test_a_page_without_text_is_visible(read: Read) -> None:
    """A picture between two pages of text is listed, and the text around it is read."""
    document = read("a.pdf", pdf(["One", None, "Three"]))
    assert ((2,), 3) == (document.pages_without_text, len(document.pages))


def test_a_page_that_cannot_be_read_is_visible(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    """One damaged page is empty and listed; it does not take the others with it."""
    from memreader.loaders import pdf as module

    real = module._page_text
    monkeypatch.setattr(module, "_page_text", lambda doc, i: None if i == 1 else real(doc, i))
    assert (2,) == read("a.pdf", pdf(THREE)).pages_without_text


@pytest.mark.parametrize(("pages", "told"), [(3, "3 pages"), (1, "1 page")])
def test_pictures_only_is_said_at_once(tmp_path: Path, pages: int, told: str) -> None:
    """An image-only PDF is refused when it is opened, and the message names OCR."""
    with pytest.raises(NoText, match=rf"report\.pdf has {told} but no text layer.*ocrmypdf"):
        _opened(tmp_path, pdf([None] * pages))


def test_a_password_is_asked_for(tmp_path: Path) -> None:
    """A PDF under a user password is told from a broken one."""
    with pytest.raises(EncryptedDocument, match=r"report\.pdf is encrypted.*qpdf"):
        _opened(tmp_path, encrypted(pdf(THREE), user="secret"))


def test_an_owner_password_locks_nobody_out(read: Read) -> None:
    """A PDF that only restricts printing is read."""
    assert "First page" in read("a.pdf", encrypted(pdf(THREE), user="")).text


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.8, 0.95])
def test_a_file_cut_short_is_broken(tmp_path: Path, kept: float) -> None:
    """The part of a PDF that arrived never passes for the whole."""
    data = pdf([f"Page {i} " + "words " * 10 for i in range(30)])
    with pytest.raises(BrokenDocument, match=r"report\.pdf"):
        _opened(tmp_path, data[: int(len(data) * kept)])


def test_junk_in_front_does_no_harm(read: Read) -> None:
    """A mail header before the PDF costs neither text nor headings nor labels."""
    data = pdf(THREE, outline={"Second page": 1})
    clean, behind = read("a.pdf", data), read("b.pdf", b"X-Header: yes\r\n" * 200 + data)
    assert (clean.text, clean.headings, clean.pages) == (behind.text, behind.headings, behind.pages)


def test_pypdf_reads_what_pdfium_refuses(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fallback gives the same pages and labels, and does not touch pypdf's logging for good."""
    import logging

    from memreader.loaders import pdf as module

    def refused(data: bytes, source: str) -> Any:
        raise module._Unreadable("Data format error")

    data = relabelled(pdf(THREE), 2)
    monkeypatch.setattr(module, "_with_pdfium", refused)
    document = read("a.pdf", data)
    assert ["i", "ii", "1"] == [p.label for p in document.pages]
    assert THREE == [line.strip() for line in document.text.split("\n") if line.strip()]
    assert logging.NOTSET == logging.getLogger("pypdf").level


def test_a_web_page_named_pdf_is_refused(tmp_path: Path) -> None:
    """The error page that was saved in place of the PDF is recognised."""
    with pytest.raises(BrokenDocument, match=r"report\.pdf is not a PDF.*HTML page"):
        _opened(tmp_path, b"<!DOCTYPE html><html><body>404</body></html>")


def test_flipped_bits_give_a_document_or_an_error(read: Read) -> None:
    """Damage anywhere in the file never shows as anything else than a DocumentError."""
    data = pdf(THREE, outline={"Second page": 1})
    for at in range(7, len(data), max(1, len(data) // 120)):
        flipped = data[:at] + bytes([data[at] ^ 0x55]) + data[at + 1 :]
        result = outcome(partial(read, "report.pdf", flipped))
        found = result.text.strip() if isinstance(result, Document) else "report.pdf" in str(result)
        assert found


@pytest.mark.parametrize("pulled", [0, 1, 3])
def test_the_file_is_closed_when_reading_stops(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pulled: int
) -> None:
    """Dropping a document closes PDFium's handle, also when no page was asked for."""
    import pypdfium2

    handles: list[Any] = []
    made = pypdfium2.PdfDocument

    def kept(*args: Any) -> Any:
        handles.append(made(*args))
        return handles[-1]

    monkeypatch.setattr(pypdfium2, "PdfDocument", kept)
    arriving = _opened(tmp_path, pdf(THREE))
    for _ in range(pulled):
        arriving.advance()
    gone = weakref.ref(arriving.pieces)
    del arriving
    gc.collect()
    assert (None, None) == (gone(), handles[0].raw)


def test_documents_are_read_in_parallel(tmp_path: Path) -> None:
    """PDFium is not thread-safe; eight threads at once get what one gets."""
    paths = []
    for n in range(8):
        paths.append(tmp_path / f"{n}.pdf")
        paths[-1].write_bytes(pdf([f"File {n} page {i}" for i in range(20)]))
    with ThreadPoolExecutor(8) as pool:
        texts = list(pool.map(lambda path: open_document(path).finish().text, paths))
    wanted = ["".join(f"File {n} page {i}\n" for i in range(20)) for n in range(8)]
    assert wanted == texts
