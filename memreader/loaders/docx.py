"""DOCX, through the extra `docs`: paragraphs, headings and tables in order."""

from __future__ import annotations

import io
import re
from typing import Any

from memreader.document import Arriving, Document, Heading, content_hash
from memreader.errors import BrokenDocument, MissingExtra, NoText
from memreader.loaders.epub import opened_archive
from memreader.loaders.text import clean

_LEVEL = re.compile(r"heading (\d)", re.IGNORECASE)


def arriving(data: bytes, source: str) -> Arriving:
    """A Word document. Raises MissingExtra without python-docx."""
    try:
        import docx
    except ImportError:
        raise MissingExtra("Reading DOCX", "docs") from None
    opened_archive(data, source)
    try:
        blocks = list(docx.Document(io.BytesIO(data)).iter_inner_content())
    except Exception as error:  # because python-docx lets errors of zipfile, lxml and its own pass
        raise BrokenDocument(f"{source} is damaged ({error}). Get the file again.") from error
    text, headings = _text(blocks)
    if not text.strip():
        raise NoText(f"{source} holds no text.")
    return Arriving.of(Document(text, source, (), tuple(headings), content_hash(data)))


def _text(blocks: list[Any]) -> tuple[str, list[Heading]]:
    parts: list[str] = []
    headings: list[Heading] = []
    length = 0
    for block in blocks:
        told = _table(block) if hasattr(block, "rows") else clean(block.text)
        style = getattr(getattr(block, "style", None), "name", "") or ""
        level = _LEVEL.match(style)
        if told.strip() and (level or style == "Title"):
            headings.append(Heading(length, int(level[1]) if level else 1, told.strip()))
        parts.append(told + "\n\n" if told.strip() else "")
        length += len(parts[-1])
    return "".join(parts), headings


def _table(table: Any) -> str:
    rows = []
    for row in table.rows:
        cells = [clean(" ".join(cell.text.split())) for cell in row.cells]
        # Merged cells are given once for each column they span.
        once = [c for i, c in enumerate(cells) if i == 0 or c != cells[i - 1]]
        rows.append(" | ".join(once))
    return "\n".join(rows)
