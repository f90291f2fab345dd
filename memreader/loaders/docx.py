"""DOCX, through the extra `docs`: paragraphs, headings and tables in order, then the notes."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import Any

from memreader.document import Arriving, Document, Heading, clean, content_hash
from memreader.errors import BrokenDocument, MissingExtra, NoText
from memreader.loaders.archive import opened_archive

_LEVEL = re.compile(r"heading (\d)", re.IGNORECASE)
_WORD = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_NOTES = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/"
_UNSEEN = frozenset({"del", "moveFrom", "Fallback", "pPr", "rPr", "instrText", "delText"})
"""What a reader does not see: deletions, formats, field codes, and what repeats a text box."""
_MARKS = {"tab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "-"}


def arriving(data: bytes, source: str) -> Arriving:
    """A Word document. Raises MissingExtra without python-docx."""
    try:
        import docx
    except ImportError:
        raise MissingExtra("Reading DOCX", "docs") from None
    opened_archive(data, source).close()
    try:
        text, headings = _text(docx.Document(io.BytesIO(data)))
    except Exception as error:  # because python-docx lets errors of zipfile, lxml and its own pass
        raise BrokenDocument(
            f"{source} is not a sound DOCX: it is damaged ({type(error).__name__}). "
            f"Get the file again."
        ) from error
    if not text.strip():
        raise NoText(f"{source} holds no text.")
    return Arriving.of(Document(text, source, (), tuple(headings), content_hash(data)))


def _text(document: Any) -> tuple[str, list[Heading]]:
    levels = _levels(document)
    parts: list[str] = []
    headings: list[Heading] = []
    length = 0
    for block in _blocks(document.element.body):
        told = clean(_table(block) if _tag(block) == "tbl" else _visible(block)).strip("\n")
        if not told.strip():
            continue
        level = levels.get(_style(block))
        if level:
            shift = len(told) - len(told.lstrip())
            headings.append(Heading(length + shift, level, " ".join(told.split())))
        parts.append(told + "\n\n")
        length += len(parts[-1])
    notes = "".join(f"{note}\n" for note in _notes(document))
    return "".join(parts) + clean(notes), headings


def _blocks(parent: Any) -> Iterator[Any]:
    """Paragraphs and tables in order, also those in content controls, which python-docx skips."""
    for child in parent:
        if _tag(child) in ("p", "tbl"):
            yield child
        elif _tag(child) in ("sdt", "sdtContent", "ins", "moveTo", "customXml", "smartTag"):
            yield from _blocks(child)


def _visible(node: Any) -> str:
    """The text of a node as accepted changes would leave it, with links and text boxes."""
    parts: list[str] = []
    for child in node:
        tag = _tag(child)
        if tag == "t":
            parts.append(child.text or "")
        elif tag in _MARKS:
            parts.append(_MARKS[tag])
        elif tag == "txbxContent":
            parts.append("\n" + "\n".join(_visible(block) for block in _blocks(child)) + "\n")
        elif tag not in _UNSEEN:
            parts.append(_visible(child))
    return "".join(parts)


def _table(table: Any) -> str:
    """One line a row; a table inside a cell is told within it."""
    rows = []
    for row in table.iter(f"{_WORD}tr"):
        if next(row.iterancestors(f"{_WORD}tbl")) is not table:
            continue
        cells = [
            " ".join(
                " ".join(_table(b) if _tag(b) == "tbl" else _visible(b) for b in _blocks(c)).split()
            )
            for c in row.iter(f"{_WORD}tc")
            if next(c.iterancestors(f"{_WORD}tr")) is row
        ]
        rows.append(" | ".join(cells))
    return "\n".join(rows)


def _levels(document: Any) -> dict[str, int]:
    """Heading level by style id; a style of one's own has the level of what it is based on."""
    found: dict[str, int] = {}
    for style in document.styles:
        base, seen = style, 0
        while base is not None and seen < 20:
            named = _LEVEL.match(base.name or "")
            if named or base.name == "Title":
                found[style.style_id] = int(named[1]) if named else 1
                break
            base, seen = getattr(base, "base_style", None), seen + 1
    return found


def _notes(document: Any) -> list[str]:
    """Footnotes and endnotes, each on a line."""
    from docx.oxml import parse_xml

    found = []
    for relation in document.part.rels.values():
        if relation.reltype in (f"{_NOTES}footnotes", f"{_NOTES}endnotes"):
            for note in parse_xml(relation.target_part.blob):
                told = " ".join(" ".join(_visible(b) for b in _blocks(note)).split())
                if told:
                    found.append(f"[{note.get(f'{_WORD}id')}] {told}")
    return found


def _style(block: Any) -> str:
    named = block.find(f"{_WORD}pPr/{_WORD}pStyle")
    return str(named.get(f"{_WORD}val")) if named is not None else ""


def _tag(node: Any) -> str:
    return str(node.tag).rpartition("}")[2]
