"""Opening files, folders and standard input; the format by content."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from memreader.errors import (
    BrokenDocument,
    DocumentError,
    EncryptedDocument,
    NoText,
    UnknownFormat,
)
from memreader.loaders import Skipped, load, open_document, open_documents
from tests.loaders.conftest import Read
from tests.loaders.makers import archive, encrypted, epub, pdf

PAGE = "<!DOCTYPE html><html><body><h1>T</h1></body></html>"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with readable, unreadable, hidden and unknown files."""
    top = tmp_path / "papers"
    (top / "sub" / ".git").mkdir(parents=True)
    files: dict[str, bytes] = {
        "b.md": b"# B",
        "a.txt": b"A",
        "sub/c.pdf": pdf(["C"]),
        "scan.pdf": pdf([None]),
        "locked.pdf": encrypted(pdf(["x"]), user="secret"),
        "empty.txt": b"",
        "photo.jpg": b"\xff\xd8\xff",
        "copy.txt": b"A",
        ".hidden.txt": b"no",
        "sub/.git/x.txt": b"no",
    }
    for name, content in files.items():
        (top / name).write_bytes(content)
    return top


def test_a_folder_is_read_sorted_without_hidden_files(folder: Path) -> None:
    """All files below, each under the name that the person would type; a copy is read once."""
    found = open_documents([folder]).documents
    names = [str(folder / name) for name in ("a.txt", "b.md", "sub/c.pdf")]
    assert names == [a.source for a in found]


def test_a_folder_says_what_it_left_out(folder: Path) -> None:
    """Whatever cannot be read is listed, with its reason."""
    skipped = {Path(s.path).name: s.reason for s in open_documents([folder]).skipped}
    assert {"scan.pdf", "locked.pdf", "empty.txt", "photo.jpg", "copy.txt"} == set(skipped)
    assert "no text layer" in skipped["scan.pdf"]
    assert "needs a password" in skipped["locked.pdf"]
    assert "is empty: there is nothing to read in it." == skipped["empty.txt"]
    assert "not a format that memreader reads" in skipped["photo.jpg"]
    assert skipped["copy.txt"].endswith("a.txt")


def test_a_folder_goes_on_without_the_extra(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One DOCX does not keep a person without python-docx from the rest of the folder."""
    (folder / "d.docx").write_bytes(archive({"word/document.xml": "<nothing/>"}))
    monkeypatch.setitem(sys.modules, "docx", None)
    opened = open_documents([folder])
    assert 3 == len(opened.documents)
    assert any("memreader-agents[docs]" in s.reason for s in opened.skipped)


def test_links_are_listed_or_read(folder: Path) -> None:
    """A dangling link and a link to a folder are listed, never followed in circles."""
    try:
        (folder / "gone.txt").symlink_to(folder / "nowhere.txt")
        (folder / "loop").symlink_to(folder, target_is_directory=True)
    except OSError:
        pytest.skip("this system does not let us make links")
    skipped = {Path(s.path).name for s in open_documents([folder]).skipped}
    assert {"gone.txt", "loop"} <= skipped


def test_a_folder_without_anything_to_read_is_an_error(tmp_path: Path) -> None:
    """The message names the formats, and the first reason."""
    with pytest.raises(DocumentError, match=r"holds nothing that can be read.*PDF, text.*DOCX"):
        open_documents([tmp_path])
    (tmp_path / "a.jpg").write_bytes(b"x")
    with pytest.raises(DocumentError, match=r"a\.jpg"):
        open_documents([tmp_path])


def test_a_named_file_that_cannot_be_read_is_an_error(folder: Path) -> None:
    """Named by the person, a file is never skipped."""
    with pytest.raises(NoText, match=r"scan\.pdf"):
        open_documents([folder / "a.txt", folder / "scan.pdf"])


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("nowhere.txt", r"No such file: .*nowhere\.txt"),
        ("x" * 5000, "cannot be read"),
        ("a\0b", "is not a file name"),
    ],
)
def test_names_that_are_no_files(tmp_path: Path, name: str, told: str) -> None:
    """A wrong name, or a whole text given as one, is told in a line."""
    with pytest.raises(DocumentError, match=told) as raised:
        open_documents([str(tmp_path / name)])
    assert len(str(raised.value)) < 600


def test_an_empty_name_is_no_folder() -> None:
    """An unset variable on the command line: not the current folder."""
    with pytest.raises(DocumentError, match="name is empty"):
        open_documents([""])


def test_a_file_without_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A refusal of the system names the file."""

    def refused(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "read_bytes", refused)
    with pytest.raises(DocumentError, match=r"a\.txt may not be read: no permission"):
        open_document(tmp_path / "a.txt")


def test_standard_input_is_a_document() -> None:
    """A dash reads bytes of any format, under the name <stdin>."""
    documents = [
        open_documents(["-"], stdin=partial(bytes, data)).documents[0].finish()
        for data in (b"text", pdf(["page"]), PAGE.encode())
    ]
    assert ["text", "page\n", "T\n"] == [d.text for d in documents]
    assert {"<stdin>"} == {d.source for d in documents}


@pytest.mark.parametrize("name", ["a.txt", "a", "a.html", "a.md"])
def test_the_content_decides_not_the_name(read: Read, name: str) -> None:
    """PDF and EPUB are recognised under any name."""
    assert "page\n" == read(name, pdf(["page"])).text
    assert "T\n\n" == read(name, epub({"a": PAGE})).text


def test_a_text_about_pdf_is_a_text(read: Read) -> None:
    """Only a PDF is a PDF, not what mentions its first bytes."""
    assert "See %PDF-1.7 there." == read("a.txt", "See %PDF-1.7 there.").text


def test_a_page_without_suffix_is_html(read: Read) -> None:
    """Piped pages are recognised; source code named .md or .txt with tags inside is not."""
    assert "T\n" == read("page", PAGE).text
    assert PAGE == read("a.md", PAGE).text


@pytest.mark.parametrize(
    ("name", "content", "error", "told"),
    [
        ("a.zip", archive({"x.txt": "x"}), UnknownFormat, "ZIP archive, not a document"),
        ("a.rtf", b"{\\rtf1\\ansi text}", UnknownFormat, "RTF"),
        (
            "a.doc",
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600,
            UnknownFormat,
            "Save it as DOCX",
        ),
        (
            "a.docx",
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le"),
            EncryptedDocument,
            "locked with a password",
        ),
        ("a.docx", b"hello", BrokenDocument, "is not a DOCX"),
        ("a.epub", b"PK\x03\x04 cut", BrokenDocument, "damaged or cut short"),
        ("a.pdf", b"hello", BrokenDocument, "is not a PDF"),
    ],
)
def test_what_is_not_read_is_named(
    read: Read, name: str, content: bytes, error: type[DocumentError], told: str
) -> None:
    """Each kind of unreadable file has a message of its own."""
    with pytest.raises(error, match=told):
        read(name, content)


def test_load_reads_everything(folder: Path) -> None:
    """The corpus holds the documents in the order in which they were named."""
    corpus = load([folder / "b.md", folder / "a.txt"])
    assert ["# B", "A"] == [d.text for d in corpus.documents]


def test_the_same_content_is_read_once(folder: Path) -> None:
    """A file named twice is one document, and the second is reported."""
    first, second = str(folder / "a.txt"), str(folder / "copy.txt")
    opened = open_documents([first, second])
    assert [first] == [a.source for a in opened.documents]
    assert (Skipped(second, f"its content is the same as that of {first}"),) == opened.skipped


def test_standard_input_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a reader of one's own, bytes come from the process's standard input."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"piped")))
    assert "piped" == open_documents(["-"]).documents[0].finish().text


def test_no_library_is_imported_before_it_is_needed() -> None:
    """Importing the loaders loads none of the libraries that read formats."""
    code = (
        "import sys, memreader.loaders; "
        "print([m for m in ('pypdfium2','pypdf','selectolax','docx','charset_normalizer','lxml') "
        "if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "[]" == done.stdout.strip()


def test_standard_input_is_read_once() -> None:
    """Named twice, it would be empty the second time."""
    opened = open_documents(["-", "-"], stdin=lambda: b"words")
    assert ["<stdin>"] == [a.source for a in opened.documents]
    assert (Skipped("-", "standard input can be read once only"),) == opened.skipped


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX pipes and devices")
def test_pipes_and_devices_in_a_folder_are_not_waited_for(tmp_path: Path) -> None:
    """Also behind a link: reading one may never end."""
    (tmp_path / "a.txt").write_text("words")
    os.mkfifo(tmp_path / "b.txt")
    (tmp_path / "c.txt").symlink_to("/dev/zero")
    opened = open_documents([tmp_path])
    assert [str(tmp_path / "a.txt")] == [a.source for a in opened.documents]
    assert {str(tmp_path / name) for name in ("b.txt", "c.txt")} == {
        s.path for s in opened.skipped if s.reason == "a pipe or a device, not a file"
    }
