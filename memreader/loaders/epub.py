"""EPUB: a ZIP of HTML pages, read in the order of its spine."""

from __future__ import annotations

import io
import posixpath
import re
import zipfile
from collections.abc import Iterator
from urllib.parse import unquote
from xml.etree import ElementTree

from memreader.document import Arriving, Document, Piece, content_hash
from memreader.errors import BrokenDocument, EncryptedDocument, NoText
from memreader.loaders.html import extracted
from memreader.loaders.text import clean

MOST_BYTES = 500 << 20
"""Unpacked size above which an archive is refused: a small file can unpack to anything."""


def arriving(data: bytes, source: str) -> Arriving:
    """An EPUB, chapter by chapter."""
    archive = opened_archive(data, source)
    if "META-INF/encryption.xml" in archive.namelist() and b"EncryptedData" in archive.read(
        "META-INF/encryption.xml"
    ):
        fonts_only = b".xhtml" not in archive.read("META-INF/encryption.xml")
        if not fonts_only:
            raise EncryptedDocument(f"{source} is protected (DRM). Give a copy without protection.")
    pages = _spine(archive, source)

    def check(document: Document) -> None:
        if not document.text.strip():
            raise NoText(f"{source} holds no text: its chapters are empty or pictures.")

    return Arriving(content_hash(data), source, _pieces(archive, pages, source), check)


def opened_archive(data: bytes, source: str) -> zipfile.ZipFile:
    """A ZIP archive of a bearable size. Raises BrokenDocument."""
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except zipfile.BadZipFile:
        raise BrokenDocument(f"{source} is damaged or cut short. Get the file again.") from None
    if sum(entry.file_size for entry in archive.infolist()) > MOST_BYTES:
        raise BrokenDocument(
            f"{source} unpacks to more than {MOST_BYTES >> 20:,} MB, which no document does. "
            f"It may be an attack; it is not read."
        )
    return archive


def _pieces(archive: zipfile.ZipFile, pages: list[str], source: str) -> Iterator[Piece]:
    for name in pages:
        try:
            markup = clean(archive.read(name).decode("utf-8-sig", "replace"))
        except (KeyError, zipfile.BadZipFile, OSError, RuntimeError) as error:
            raise BrokenDocument(f"{source} lacks its part {name} ({error}).") from error
        text, headings = extracted(markup)
        if text.strip():
            # Each chapter ends with a blank line, so that chunks never depend on how it arrived.
            yield Piece(text.rstrip() + "\n\n", headings=tuple(headings))


def _spine(archive: zipfile.ZipFile, source: str) -> list[str]:
    container = _xml(archive, "META-INF/container.xml", source)
    root = next((e for e in container.iter() if e.tag.endswith("}rootfile")), None)
    package_name = root.get("full-path", "") if root is not None else ""
    package = _xml(archive, package_name, source)
    folder = posixpath.dirname(package_name)
    items = {
        e.get("id", ""): posixpath.normpath(posixpath.join(folder, unquote(e.get("href", ""))))
        for e in package.iter()
        if e.tag.endswith("}item")
    }
    refs = [e.get("idref", "") for e in package.iter() if e.tag.endswith("}itemref")]
    return [items[ref] for ref in refs if ref in items]


def _xml(archive: zipfile.ZipFile, name: str, source: str) -> ElementTree.Element:
    try:
        raw = archive.read(name)
        if re.search(rb"<!ENTITY", raw):
            raise BrokenDocument(f"{source} defines XML entities, which is not safe to read.")
        return ElementTree.fromstring(raw)
    except (KeyError, ElementTree.ParseError, zipfile.BadZipFile) as error:
        raise BrokenDocument(
            f"{source} is not a sound EPUB: its part {name or 'package'} is missing or broken."
        ) from error
