"""Opening what a person names: files, folders, standard input; the format by content and name."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from memreader.document import Arriving, Corpus, Document
from memreader.errors import DocumentError, NoText, UnknownFormat

Loader = Callable[[bytes, str], Arriving]

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
_TEXT = (
    ".txt .text .log .csv .tsv .json .jsonl .xml .yaml .yml .toml .ini .rst .tex .org .srt .py .c "
    ".h .cpp .hpp .cc .js .ts .java .go .rs .rb .sh .sql .r .php .pl .swift .kt"
).split()


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file of a folder that was left out, and why."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Opened:
    """What was opened, in order, and what a folder held that could not be."""

    documents: tuple[Arriving, ...]
    skipped: tuple[Skipped, ...] = ()


def open_documents(
    sources: Sequence[str | Path], *, stdin: Callable[[], bytes] | None = None
) -> Opened:
    """Open files, folders (all files below, sorted, without hidden ones) and "-".

    A file that was named and cannot be read raises DocumentError; one in a folder is skipped,
    with its reason. The same content twice is read once.
    """
    found: list[Arriving] = []
    skipped: list[Skipped] = []
    for source in sources:
        if str(source) == "-":
            found.append(_from_bytes((stdin or _standard_input)(), "<stdin>"))
        elif Path(source).is_dir():
            inside = _folder(Path(source))
            found += inside.documents
            skipped += inside.skipped
        else:
            found.append(open_document(source))
    unique = {a.id: a for a in reversed(found)}
    skipped += [
        Skipped(a.source, f"its content is the same as that of {unique[a.id].source}")
        for a in found
        if unique[a.id] is not a
    ]
    return Opened(tuple(a for a in found if unique[a.id] is a), tuple(skipped))


def open_document(path: str | Path) -> Arriving:
    """Open one file. Raises DocumentError that says what is wrong and what to do."""
    return _from_bytes(_bytes_of(Path(path)), str(path))


def load(sources: Sequence[str | Path]) -> Corpus:
    """Open and read documents whole."""
    return Corpus(tuple(a.finish() for a in open_documents(sources).documents))


def from_text(text: str, source: str = "<text>") -> Document:
    """A document from a text that is already at hand."""
    return Document(text, source)


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise DocumentError(f"There is no file {path}. Check the name.") from None
    except PermissionError:
        raise DocumentError(f"{path} may not be read: no permission.") from None
    except OSError as error:
        raise DocumentError(f"{path} cannot be read: {error.strerror or error}.") from error


def _standard_input() -> bytes:
    return sys.stdin.buffer.read()


def _folder(folder: Path) -> Opened:
    """Files below a folder. One that cannot be read is found out now, not in mid-reading."""
    found: list[Arriving] = []
    skipped: list[Skipped] = []
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        if any(part.startswith(".") for part in path.relative_to(folder).parts):
            continue
        if path.suffix.lower() not in _FORMATS and path.suffix.lower() not in _TEXT:
            skipped.append(Skipped(str(path), f"not a format that memreader reads ({_kinds()})"))
            continue
        try:
            arriving = open_document(path)
            arriving.finish()
        except DocumentError as error:
            skipped.append(Skipped(str(path), str(error).removeprefix(f"{path} ")))
        else:
            found.append(arriving)
    if not found:
        reasons = f" {skipped[0].path}: {skipped[0].reason}" if skipped else ""
        raise DocumentError(f"{folder} holds nothing that can be read ({_kinds()}).{reasons}")
    return Opened(tuple(found), tuple(skipped))


def _kinds() -> str:
    return "PDF, text, Markdown, HTML, EPUB, DOCX"


def _from_bytes(data: bytes, source: str) -> Arriving:
    if not data.strip(b" \t\r\n\0"):
        raise NoText(f"{source} is empty: there is nothing to read in it.")
    module = import_module(f"memreader.loaders.{_format(data, source)}")
    loader: Loader = module.arriving
    return loader(data, source)


def _format(data: bytes, source: str) -> str:
    """The format by what the content is; the name decides only among kinds of text."""
    head = data[:1024].lstrip(b"\xef\xbb\xbf \t\r\n")
    if b"%PDF-" in data[:2048]:
        return "pdf"
    if data.startswith(b"PK\x03\x04"):
        return _zip_format(data, source)
    named = _FORMATS.get(Path(source).suffix.lower(), "text")
    if named in ("docx", "epub", "pdf"):
        what = {"docx": "a DOCX", "epub": "an EPUB", "pdf": "a PDF"}[named]
        from memreader.errors import BrokenDocument

        raise BrokenDocument(
            f"{source} is not {what} file, whatever its name says, or its beginning is missing. "
            f"Get the file again, or give it its right suffix."
        )
    lowered = head[:200].lower()
    if named == "text" and (lowered.startswith((b"<!doctype html", b"<html"))):
        return "html"
    return named


def _zip_format(data: bytes, source: str) -> str:
    import io
    import zipfile

    try:
        names = zipfile.ZipFile(io.BytesIO(data)).namelist()
    except zipfile.BadZipFile:
        from memreader.errors import BrokenDocument

        raise BrokenDocument(f"{source} is damaged or cut short. Get the file again.") from None
    if "word/document.xml" in names:
        return "docx"
    if "META-INF/container.xml" in names:
        return "epub"
    raise UnknownFormat(
        f"{source} is a ZIP archive, not a document. Unpack it and give the folder."
    )
