"""Plain text: its encoding found out, its line ends made one kind, nothing else changed."""

from __future__ import annotations

import codecs
import re

from memreader.document import Arriving, Document, content_hash
from memreader.errors import UnknownFormat

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
SAMPLE = 1 << 16
"""Bytes by which an encoding is guessed and a binary file recognised."""


def arriving(data: bytes, source: str) -> Arriving:
    """A text document. Raises UnknownFormat for a binary file."""
    return Arriving.of(Document(decoded(data, source), source, id=content_hash(data)))


def decoded(data: bytes, source: str) -> str:
    """The text of some bytes, with line feeds as its only line ends."""
    text = _decode(data, source)
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return clean(text)


def clean(text: str) -> str:
    """Without NULs and lone surrogates, which no model and no database takes."""
    if "\0" in text:
        text = text.replace("\0", "")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        text = text.encode("utf-8", "replace").decode("utf-8")
    return text


def _decode(data: bytes, source: str) -> str:
    for bom, encoding in _BOMS:
        if data.startswith(bom):
            return data.decode(encoding, "replace")
    _refuse_binary(data[:SAMPLE], source)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode(_guessed(data, source), "replace")


def _refuse_binary(sample: bytes, source: str) -> None:
    strange = len(_CONTROL.findall(sample))
    if b"\0" in sample or strange > len(sample) / 50:
        raise UnknownFormat(
            f"{source} is a binary file, not text, whatever its name says. "
            f"memreader reads PDF, text, Markdown, HTML, EPUB and DOCX."
        )


def _guessed(data: bytes, source: str) -> str:
    from charset_normalizer import from_bytes

    best = from_bytes(data[: 1 << 20]).best()
    if best is None:
        raise UnknownFormat(f"{source} is in no encoding that can be recognised. Save it as UTF-8.")
    return best.encoding
