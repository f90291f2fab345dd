"""EPUB: spine order, headings, protection, and archives that mean harm."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from memreader.document import Document
from memreader.errors import BrokenDocument, EncryptedDocument, NoText, UnknownFormat
from memreader.loaders import epub as epub_loader
from memreader.loaders import open_document
from tests.loaders.conftest import Read
from tests.loaders.makers import CONTAINER, archive, epub, outcome

ONE = "<html><head><title>The Book</title></head><body><h1>One</h1><p>First.</p></body></html>"
TWO = "<html><head><title/></head><body><h2>Two</h2><p>Second.</p></body></html>"


def test_chapters_come_in_the_order_of_the_spine(tmp_path: Path) -> None:
    """One piece a chapter, in reading order, without pages."""
    path = tmp_path / "a.epub"
    path.write_bytes(epub({"b": ONE, "a": TWO}, spine=["a", "b"]))
    arriving = open_document(path)
    first = arriving.advance()
    assert first is not None
    assert ("Two\n\nSecond.\n\n", None) == (first.text, first.page_label)
    document = arriving.finish()
    assert ("Two\n\nSecond.\n\nOne\n\nFirst.\n\n", ()) == (document.text, document.pages)
    assert ["Two", "One"] == [document.text[h.start :].split("\n")[0] for h in document.headings]


def test_the_title_of_the_book_is_not_repeated(read: Read) -> None:
    """A chapter without heading takes its own title, not the book's."""
    page = "<html><head><title>{}</title></head><body><p>text</p></body></html>"
    document = read("a.epub", epub({"a": page.format("The Book"), "b": page.format("Preface")}))
    assert "text\n\nPreface\n\ntext\n\n" == document.text


def _encryption(algorithm: str, part: str) -> dict[str, str | bytes]:
    told = (
        '<encryption xmlns="urn:oasis:names:tc:opendocument:xmlns:container" '
        'xmlns:e="http://www.w3.org/2001/04/xmlenc#"><e:EncryptedData>'
        f'<e:EncryptionMethod Algorithm="{algorithm}"/><e:CipherData>'
        f'<e:CipherReference URI="{part}"/></e:CipherData></e:EncryptedData></encryption>'
    )
    return {"META-INF/encryption.xml": told}


def test_a_protected_book_is_told(read: Read) -> None:
    """Encrypted chapters are DRM."""
    more = _encryption("http://www.w3.org/2001/04/xmlenc#aes128-cbc", "book/a.xhtml")
    with pytest.raises(EncryptedDocument, match=r"a\.epub is protected \(DRM\)"):
        read("a.epub", epub({"a": ONE}, more=more))


def test_garbled_fonts_are_no_protection(read: Read) -> None:
    """A book whose fonts alone are garbled is read."""
    more = _encryption("http://www.idpf.org/2008/embedding", "book/font.otf")
    assert "First." in read("a.epub", epub({"a": ONE}, more=more)).text


def test_a_spoilt_chapter_is_never_lost(tmp_path: Path) -> None:
    """A chapter that is no text is an error, also when the document is asked again."""
    path = tmp_path / "a.epub"
    path.write_bytes(epub({"a": ONE, "b": bytes(range(256)) * 9}))
    arriving = open_document(path)
    for _ in range(2):
        with pytest.raises(UnknownFormat, match=r"a\.epub .*book/b\.xhtml.* binary"):
            arriving.finish()


def test_a_book_of_pictures_holds_no_text(read: Read) -> None:
    """Chapters without text are NoText."""
    with pytest.raises(NoText, match=r"a\.epub holds no text"):
        read("a.epub", epub({"a": "<html><body><img src='x.png'/></body></html>"}))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_entities_are_refused(read: Read, encoding: str) -> None:
    """XML that defines entities is not parsed, in whatever encoding it hides."""
    bomb = f'<?xml version="1.0"?><!DOCTYPE c [<!ENTITY a "aaa">]>{CONTAINER}'
    with pytest.raises(BrokenDocument, match="XML entities"):
        read("a.epub", epub({"a": ONE}, more={"META-INF/container.xml": bomb.encode(encoding)}))


@pytest.mark.parametrize("name", ["a.epub", "a.docx", "a.txt"])
def test_an_archive_that_unpacks_to_anything_is_refused(
    read: Read, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A ZIP bomb is refused by its table of contents, before anything is unpacked."""
    monkeypatch.setattr("memreader.loaders.archive.MOST_BYTES", 1 << 20)
    with pytest.raises(BrokenDocument, match="unpacks to more than 1 MB"):
        read(name, archive({"word/document.xml": b"\0" * (2 << 20)}))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_flipped_bits_give_a_document_or_an_error(read: Read) -> None:
    """Damage anywhere in the archive never shows as anything else than a DocumentError."""
    data = epub({"a": ONE.replace("First", " ".join(map(str, range(500)))), "b": TWO})
    for at in range(4, len(data), max(1, len(data) // 300)):
        flipped = data[:at] + bytes([data[at] ^ 0x41]) + data[at + 1 :]
        result = outcome(partial(read, "a.epub", flipped))
        assert isinstance(result, Document) or "a.epub" in str(result)


@pytest.mark.parametrize(
    ("link", "part"),
    [
        ("my%20page.xhtml", "book/my page.xhtml"),
        ("my%20page.xhtml", "book/my%20page.xhtml"),
        ("/book/page.xhtml", "book/page.xhtml"),
        ("../text/page.xhtml", "text/page.xhtml"),
        ("Page.xhtml", "book/page.xhtml"),
    ],
)
def test_a_link_finds_the_part_that_it_means(read: Read, link: str, part: str) -> None:
    """Encoded or not, from the root or not, whatever its capitals."""
    assert "Here." in read("a.epub", _linked(link, part)).text


def test_a_missing_chapter_is_told_before_anything_is_read() -> None:
    """Opening fails, so that no call is paid for a book that cannot be read to its end."""
    with pytest.raises(BrokenDocument, match=r"not whole: its part 'book/page\.xhtml' is missing"):
        epub_loader.arriving(_linked("page.xhtml", "book/other.xhtml"), "a.epub")


def test_a_picture_in_the_spine_is_passed_over(read: Read) -> None:
    """A cover may be an SVG; it holds no text."""
    cover = '<item id="cover" href="cover.svg" media-type="image/svg+xml"/>'
    data = _linked("page.xhtml", "book/page.xhtml", items=cover, refs='<itemref idref="cover"/>')
    assert "Here." in read("a.epub", data).text


def _linked(link: str, part: str, *, items: str = "", refs: str = "") -> bytes:
    package = (
        '<package xmlns="http://www.idpf.org/2007/opf"><manifest>'
        f'{items}<item id="page" href="{link}" media-type="application/xhtml+xml"/></manifest>'
        f'<spine>{refs}<itemref idref="page"/></spine></package>'
    )
    page = "<html><body><p>Here.</p></body></html>"
    return archive({"META-INF/container.xml": CONTAINER, "book/package.opf": package, part: page})
