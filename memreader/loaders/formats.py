"""Which format a file is in: by its content, and by its name among kinds of text."""

from __future__ import annotations

from pathlib import Path

from memreader.errors import BrokenDocument, EncryptedDocument, UnknownFormat
from memreader.loaders.archive import opened_archive

KINDS = "PDF, text, Markdown, HTML, EPUB, DOCX"

# Suffix to the module whose `arriving` reads it; a module is imported when it is wanted.
_FORMATS = {
    ".pdf": "pdf",
    ".md": "markdown",
    ".markdown": "markdown",
    ".html": "html",
    ".htm": "html",
    ".xhtml": "html",
    ".docx": "docx",
    ".epub": "epub",
}
_TEXT = frozenset(
    ".txt .text .log .csv .tsv .json .jsonl .xml .yaml .yml .toml .ini .rst .tex .org .srt .py .c "
    ".h .cpp .hpp .cc .js .ts .java .go .rs .rb .sh .sql .r .php .pl .swift .kt".split()
)
_BINARY = {"docx": "a DOCX", "epub": "an EPUB", "pdf": "a PDF"}
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


def known(path: str) -> bool:
    """Whether a file of this name is read when its folder is given."""
    suffix = Path(path).suffix.lower()
    return suffix in _FORMATS or suffix in _TEXT


def format_of(data: bytes, source: str) -> str:
    """The name of the loader's module.

    Raises UnknownFormat, EncryptedDocument, and BrokenDocument where name and content disagree.
    """
    named = _FORMATS.get(Path(source).suffix.lower(), "text")
    head = data[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if _is_pdf(data, named):
        return "pdf"
    if data.startswith(b"PK\x03\x04"):
        return _zip_format(data, source)
    if data.startswith(_OLE):
        _refuse_ole(data, source)
    if head.startswith(b"{\\rtf"):
        raise UnknownFormat(f"{source} is RTF, which memreader does not read. Save it as DOCX.")
    page = head.startswith((b"<!doctype html", b"<html")) or (
        head.startswith(b"<?xml") and b"<html" in head
    )
    if named in _BINARY:
        found = "it is an HTML page" if page else "it does not begin like one"
        raise BrokenDocument(
            f"{source} is not {_BINARY[named]} file, whatever its name says: {found}. "
            f"Get the file again, or give it its right suffix."
        )
    return "html" if page and named == "text" else named


def _is_pdf(data: bytes, named: str) -> bool:
    """Whether a PDF begins here, perhaps behind some junk; a text may speak of `%PDF-`."""
    at = data.find(b"%PDF-", 0, 4096)
    if at < 0:
        return False
    return (
        not data[:at].strip(b"\xef\xbb\xbf \t\r\n\0") or named == "pdf" or b"%%EOF" in data[-2048:]
    )


def _zip_format(data: bytes, source: str) -> str:
    with opened_archive(data, source) as archive:
        names = set(archive.namelist())
    if "word/document.xml" in names:
        return "docx"
    if "META-INF/container.xml" in names:
        return "epub"
    raise UnknownFormat(
        f"{source} is a ZIP archive, not a document. Unpack it and give the folder."
    )


def _refuse_ole(data: bytes, source: str) -> None:
    if "EncryptedPackage".encode("utf-16-le") in data:
        raise EncryptedDocument(
            f"{source} is locked with a password. Save a copy without one and give that."
        )
    raise UnknownFormat(
        f"{source} is in the format of Office before 2007, which memreader does not read. "
        f"Save it as DOCX or PDF."
    )
