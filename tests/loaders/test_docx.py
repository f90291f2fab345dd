"""DOCX: order, headings, tables, and what python-docx passes over."""

from __future__ import annotations

import io
import sys
from typing import Any

import pytest

from memreader.errors import BrokenDocument, MissingExtra, NoText
from tests.loaders.conftest import Read
from tests.loaders.makers import archive

docx = pytest.importorskip("docx", reason="the extra `docs` is not installed")


def _saved(document: Any) -> bytes:
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def _table(document: Any, *rows: list[str]) -> Any:
    table = document.add_table(0, len(rows[0]))
    for row in rows:
        for cell, told in zip(table.add_row().cells, row, strict=True):
            cell.text = told
    return table


def test_blocks_come_in_order(read: Read) -> None:
    """Paragraphs and tables stand in the order of the document."""
    document = docx.Document()
    document.add_paragraph("Before")
    _table(document, ["a", "b"], ["0", "0"])
    document.add_paragraph("After")
    assert "Before\n\na | b\n0 | 0\n\nAfter\n\n" == read("a.docx", _saved(document)).text


def test_a_merged_cell_is_told_once(read: Read) -> None:
    """A cell over two columns is one value; equal neighbours stay two."""
    document = docx.Document()
    table = _table(document, ["wide", "", "c"], ["1", "1", "2"])
    table.cell(0, 0).merge(table.cell(0, 1))
    assert "wide | c\n1 | 1 | 2\n\n" == read("a.docx", _saved(document)).text


def test_headings_by_style(read: Read) -> None:
    """Title, heading styles, and styles based on them."""
    document = docx.Document()
    document.add_heading("The Title", 0)
    document.add_heading("Part", 1)
    own = document.styles.add_style("House Section", 1)
    own.base_style = document.styles["Heading 2"]
    document.add_paragraph("Section", style=own)
    document.add_paragraph("text")
    found = read("a.docx", _saved(document))
    assert [(1, "The Title"), (1, "Part"), (2, "Section")] == [
        (h.level, h.title) for h in found.headings
    ]
    assert all(found.text.startswith(h.title, h.start) for h in found.headings)


def test_content_controls_and_insertions_are_not_lost(read: Read) -> None:
    """Text in forms and tracked insertions is read, tracked deletions are not."""
    from docx.oxml import parse_xml
    from docx.oxml.ns import nsdecls

    document = docx.Document()
    body = document.element.body
    text = "<w:p><w:r><w:t>{}</w:t></w:r></w:p>"
    body.insert(
        0,
        parse_xml(
            f"<w:sdt {nsdecls('w')}><w:sdtContent>{text.format('In a control')}"
            f"</w:sdtContent></w:sdt>"
        ),
    )
    body.insert(
        1,
        parse_xml(
            f"<w:p {nsdecls('w')}><w:ins><w:r><w:t>New</w:t></w:r></w:ins>"
            f"<w:del><w:r><w:delText>Old</w:delText></w:r></w:del>"
            f"<w:r><w:tab/><w:t>words</w:t></w:r></w:p>"
        ),
    )
    assert "In a control\n\nNew\twords\n\n" == read("a.docx", _saved(document)).text


def test_footnotes_stand_at_the_end(read: Read) -> None:
    """Footnotes are read, each on its line."""
    from docx.opc.constants import RELATIONSHIP_TYPE
    from docx.opc.packuri import PackURI
    from docx.opc.part import Part
    from docx.oxml.ns import nsdecls

    document = docx.Document()
    document.add_paragraph("Body")
    notes = (
        f'<w:footnotes {nsdecls("w")}><w:footnote w:id="1"><w:p><w:r><w:t>The note.</w:t></w:r>'
        f"</w:p></w:footnote></w:footnotes>"
    )
    kind = "application/vnd.openxmlformats-officedocument.wordprocessingml.footnotes+xml"
    part = Part(PackURI("/word/footnotes.xml"), kind, notes.encode(), document.part.package)
    document.part.relate_to(part, RELATIONSHIP_TYPE.FOOTNOTES)
    assert "Body\n\n[1] The note.\n" == read("a.docx", _saved(document)).text


def test_an_empty_document_holds_no_text(read: Read) -> None:
    """A new, unwritten document is NoText."""
    with pytest.raises(NoText, match=r"a\.docx holds no text"):
        read("a.docx", _saved(docx.Document()))


def test_a_damaged_document_is_told(read: Read) -> None:
    """An archive that is no sound DOCX is broken."""
    with pytest.raises(BrokenDocument, match=r"a\.docx is not a sound DOCX"):
        read("a.docx", archive({"word/document.xml": "<nothing/>"}))


def test_without_the_extra_the_install_line_is_given(
    read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    """python-docx is optional; the message says how to get it."""
    monkeypatch.setitem(sys.modules, "docx", None)
    with pytest.raises(MissingExtra, match=r"Reading DOCX.*\[docs\]"):
        read("a.docx", archive({"word/document.xml": "<nothing/>"}))
