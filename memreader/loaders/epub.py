"""EPUB: a ZIP of HTML pages, read in the order of its spine."""

from __future__ import annotations

import posixpath
import zipfile
from collections.abc import Iterator
from urllib.parse import unquote
from xml.etree import ElementTree

from memreader.document import Arriving, Document, Piece, content_hash
from memreader.errors import BrokenDocument, EncryptedDocument, NoText
from memreader.loaders.archive import missing, opened_archive, part
from memreader.loaders.html import extracted, markup

_FONTS = ("http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC")
"""Ways to garble embedded fonts, which hide no text."""
_NO_PAGES = ("image/", "audio/", "video/")
"""Media types of what may stand in a spine and holds no text."""


def arriving(data: bytes, source: str) -> Arriving:
    """An EPUB, chapter by chapter. Raises EncryptedDocument and BrokenDocument at once."""
    archive = opened_archive(data, source)
    title, chapters = _spine(archive, source)
    if lacking := [name for name in chapters if name not in archive.namelist()]:
        # Told now, not when the reading comes to it and has been paid for.
        raise missing(source, lacking[0])
    if _encrypted(archive, source) & set(chapters):
        raise EncryptedDocument(f"{source} is protected (DRM). Give a copy without protection.")

    def check(document: Document) -> None:
        if not document.text.strip():
            raise NoText(f"{source} holds no text: its chapters are empty or pictures.")

    return Arriving(content_hash(data), source, _pieces(archive, chapters, title, source), check)


def _pieces(
    archive: zipfile.ZipFile, chapters: list[str], title: str, source: str
) -> Iterator[Piece]:
    for number, name in enumerate(chapters, start=1):
        page = markup(part(archive, name, source), f"{source} (its part {name!r})", xml=True)
        text, headings = extracted(page, book=title)
        if text.strip():
            # Each chapter ends with a blank line, so that chunks never depend on how it arrived.
            share = number / len(chapters)
            yield Piece(text.rstrip() + "\n\n", headings=tuple(headings), share=share)


def _spine(archive: zipfile.ZipFile, source: str) -> tuple[str, list[str]]:
    """The book's title and the names of its chapters, in reading order."""
    container = _xml(archive, "META-INF/container.xml", source)
    root = next((e for e in container.iter() if e.tag.endswith("rootfile")), None)
    names = archive.namelist()
    package_name = _meant(root.get("full-path", "") if root is not None else "", "", names)
    package = _xml(archive, package_name, source)
    folder = posixpath.dirname(package_name)
    items, title = {}, ""
    for e in package.iter():
        if e.tag.endswith("}item") and not e.get("media-type", "").startswith(_NO_PAGES):
            href = e.get("href", "").partition("#")[0]
            items[e.get("id", "")] = _meant(href, folder, names)
        elif e.tag.endswith("}title") and not title:
            title = " ".join((e.text or "").split())
    refs = [e.get("idref", "") for e in package.iter() if e.tag.endswith("}itemref")]
    return title, [items[ref] for ref in refs if ref in items]


def _meant(href: str, folder: str, names: list[str]) -> str:
    """The part of the archive that a link means, or where it would be.

    Links are percent-encoded and relative, or ought to be; and some were made on file systems
    that know no capitals.
    """
    places = [
        posixpath.normpath(posixpath.join(folder, path)).lstrip("/")
        for path in (unquote(href), href)
    ]
    folded = {name.casefold(): name for name in names}
    found = [p for p in places if p in names] or [
        folded[p.casefold()] for p in places if p.casefold() in folded
    ]
    return [*found, *places][0]


def _encrypted(archive: zipfile.ZipFile, source: str) -> set[str]:
    """Names of the parts that are encrypted."""
    if "META-INF/encryption.xml" not in archive.namelist():
        return set()
    found = set()
    for data in _xml(archive, "META-INF/encryption.xml", source).iter():
        if not data.tag.endswith("EncryptedData"):
            continue
        inside = {e.tag.rpartition("}")[2]: e for e in data.iter()}
        method, reference = inside.get("EncryptionMethod"), inside.get("CipherReference")
        if reference is not None and (method is None or method.get("Algorithm") not in _FONTS):
            found.add(posixpath.normpath(unquote(reference.get("URI", ""))))
    return found


def _xml(archive: zipfile.ZipFile, name: str, source: str) -> ElementTree.Element:
    raw = part(archive, name, source)
    # Decoded here, as EPUB allows these two only: no other encoding may hide an entity from us.
    wide = raw.startswith((b"\xff\xfe", b"\xfe\xff"))
    text = raw.decode("utf-16" if wide else "utf-8-sig", "replace")
    if "<!ENTITY" in text:
        raise BrokenDocument(f"{source} defines XML entities, which is not safe to read.")
    try:
        return ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError) as error:
        raise BrokenDocument(
            f"{source} is not a sound EPUB: its part {name!r} is broken."
        ) from error
