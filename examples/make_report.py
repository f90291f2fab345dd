"""Build examples/report.pdf from examples/report/*.md and verify examples/questions.jsonl.

Run `python examples/make_report.py`. Same sources, same bytes. The exit code is 1 if a gold quote
is not on exactly the page that the questions file states, or a page label there is wrong.
"""

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pypdfium2
from reportlab import platypus
from reportlab.lib import colors
from reportlab.lib.enums import TA_JUSTIFY, TA_RIGHT
from reportlab.lib.pagesizes import A5
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.platypus import Paragraph, Spacer, Table
from reportlab.platypus.tableofcontents import TableOfContents

HERE = Path(__file__).parent
TITLE = "Velmouth Estuary Commission: Annual and Engineering Report 2031–32"
INK, PALE = colors.HexColor("#1d4e5f"), colors.HexColor("#e9f0f2")
MARGIN, TOP, BOTTOM = 18 * mm, 19 * mm, 18 * mm
WIDTH = A5[0] - 2 * MARGIN


def style(name: str, size: float, font: str = "Times-Roman", **more: Any) -> Any:
    """A paragraph style whose leading follows its size unless told otherwise."""
    given = {"fontName": font, "fontSize": size, "leading": size * 1.4} | more
    return ParagraphStyle(name, **given)


BODY = style("body", 10, leading=13.8, alignment=TA_JUSTIFY, spaceAfter=6)
ITEM = style("item", 10, leading=13.8, leftIndent=18, spaceAfter=4, bulletFontName="Times-Roman")
CELL = style("cell", 8.6, "Helvetica", leading=11)
NUMBER = style("number", 8.6, "Helvetica", leading=11, alignment=TA_RIGHT)
CAPTION = style(
    "caption", 9, "Helvetica-Bold", textColor=INK, spaceBefore=7, spaceAfter=4, keepWithNext=1
)
BOX = style("box", 9.2, leading=12.6, spaceAfter=3)
NOTE = style("note", 8.4, leading=11, leftIndent=10, bulletFontName="Times-Roman", bulletFontSize=7)
COVER = style("cover", 11, "Helvetica", textColor=colors.white, leading=16)
CHAPTER = style(
    "chapter", 19, "Helvetica-Bold", textColor=INK, leading=24, spaceBefore=20, spaceAfter=15
)
SECTION = style(
    "section", 12, "Helvetica-Bold", textColor=INK, spaceBefore=11, spaceAfter=5, keepWithNext=1
)
CONTENTS = [
    style("toc0", 9.6, "Times-Bold", leading=12.2, spaceBefore=5),
    style("toc1", 9.6, leading=12.2, leftIndent=14),
]


@dataclass(frozen=True)
class Part:
    """A run of source files whose pages share one numbering."""

    name: str
    files: tuple[int, ...]
    numerals: str
    prefix: str = ""


PARTS = (
    Part("front", (0, 1), "ROMAN_LOWER"),
    Part("body", tuple(range(2, 12)), "ARABIC"),
    Part("appendix A", (12,), "ARABIC", "A-"),
    Part("appendix B", (13,), "ARABIC", "B-"),
    Part("glossary", (14,), "ARABIC", "G-"),
)


@dataclass
class Labels:
    """The printed number of each page; `text` keeps the last pass for the table of contents."""

    starts: dict[str, int] = field(default_factory=dict)
    text: dict[int, str] = field(default_factory=dict)
    chapter: str = ""

    def enter(self, part: Part, page: int) -> bool:
        """Label a page; true if it is the first of its part."""
        number = page - self.starts.setdefault(part.name, page) + 1
        plain = str(number) if part.numerals == "ARABIC" else roman(number)
        self.text[page] = part.prefix + plain
        return number == 1


def roman(number: int) -> str:
    """Small roman numerals, as far as front matter needs them."""
    tens, units = divmod(number, 10)
    return "x" * tens + ("", "i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix")[units]


def inline(text: str) -> str:
    """Our few inline marks as ReportLab's markup."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    text = re.sub(r"\*\*(.+?)\*\*", r"<b>\1</b>", text)
    text = re.sub(r"\*(.+?)\*", r"<i>\1</i>", text)
    return re.sub(r"\[\^(\d+)\]", r"<super>\1</super>", text)


def entered(flowable: Any, kind: str, level: int, text: str) -> Any:
    """Mark a flowable so that `record` lists it when it is drawn."""
    flowable.entry = (kind, level, text)
    return flowable


def heading(text: str, level: int) -> list[Any]:
    """A chapter (which begins a page) or a section."""
    made = entered(Paragraph(inline(text), (CHAPTER, SECTION)[level]), "contents", level, text)
    rule = platypus.HRFlowable(width="100%", thickness=1.2, color=INK, spaceAfter=10)
    return [platypus.PageBreak(), made, rule] if level == 0 else [made]


def table(block: list[str]) -> list[Any]:
    """A caption and rows of cells; columns of numbers are set to the right."""
    rows = [[cell.strip() for cell in line.strip("| ").split("|")] for line in block[1:]]
    columns = list(zip(*rows, strict=True))
    numeric = [all(re.fullmatch(r"[-+]?[\d.,]+", cell) for cell in col[1:]) for col in columns]
    styles = [NUMBER if right and n else CELL for n, right in enumerate(numeric)]
    total = rows[-1][0].split()[0] in {"All", "Total", "Year"}
    cells = []
    for n, row in enumerate(rows):
        bold = n == 0 or (total and n == len(rows) - 1)
        marks = [f"<b>{inline(cell)}</b>" if bold else inline(cell) for cell in row]
        cells.append([Paragraph(m, s) for m, s in zip(marks, styles, strict=True)])
    sizes = [min(max(map(len, (*col[1:], *col[0].split()))), 36) + 4 for col in columns]
    made = Table(cells, [WIDTH * size / sum(sizes) for size in sizes], repeatRows=1, spaceAfter=11)
    lines = [("LINEABOVE", (0, n), (-1, n), 0.25, colors.lightgrey) for n in range(2, len(rows))]
    frame = [("LINEABOVE", (0, 0), (-1, 0), 1, INK), ("LINEBELOW", (0, -1), (-1, -1), 1, INK)]
    look = [("BACKGROUND", (0, 0), (-1, 0), PALE), ("VALIGN", (0, 1), (-1, -1), "TOP")]
    pads = [(f"{side}PADDING", (0, 0), (-1, -1), 3) for side in ("TOP", "BOTTOM")]
    made.setStyle([*lines, *frame, *look, *pads])
    caption = entered(Paragraph(inline(block[0]), CAPTION), "tables", 1, block[0])
    return [caption, made]


def box(block: list[str]) -> list[Any]:
    """A tinted box: a note, or a figure in words (listed by its caption)."""
    title, *rest = [line.removeprefix(">").strip() for line in block]
    made = Table([[[Paragraph(inline(line), BOX) for line in (title, *rest)]]], [WIDTH])
    made.spaceBefore, made.spaceAfter = 5, 10
    look = [("BACKGROUND", (0, 0), (-1, -1), PALE), ("LINEBEFORE", (0, 0), (0, -1), 2.5, INK)]
    pads = [(f"{side}PADDING", (0, 0), (-1, -1), 8) for side in ("LEFT", "RIGHT", "TOP")]
    made.setStyle([*look, *pads])
    caption = title.strip("*")
    if caption.startswith("Figure"):
        entered(made, "figures", 1, caption)
    return [made]


def listing(kind: str) -> list[Any]:
    """The table of contents, or the list of tables or figures."""
    made = TableOfContents(notifyKind=kind, levelStyles=CONTENTS, dotsMinLevel=-1)
    sides = ("LEFT", "RIGHT", "TOP", "BOTTOM")
    made.tableStyle = [(f"{side}PADDING", (0, 0), (-1, -1), 0) for side in sides]
    return [made]


def note(number: str, text: str) -> list[Any]:
    """A footnote, under a short rule."""
    rule = platypus.HRFlowable(width="25%", thickness=0.5, color=INK, hAlign="LEFT")
    return [platypus.KeepTogether([rule, Paragraph(inline(text), NOTE, bulletText=number)])]


def bullets(block: list[str]) -> list[Any]:
    """The items of a list, with a dot or the source's own number."""
    pairs = [line.split(" ", 1) for line in block]
    return [Paragraph(inline(t), ITEM, bulletText=m.replace("-", "\u2022")) for m, t in pairs]


def flow(block: list[str]) -> list[Any]:
    """The flowables of one block of source text."""
    mark, _, text = block[0].partition(" ")
    if set(mark) == {"#"}:
        made = heading(text, len(mark) - 1)
    elif mark.startswith("[["):
        made = listing(mark.strip("[]"))
    elif mark == ">":
        made = box(block)
    elif len(block) > 1 and block[1].startswith("|"):
        made = table(block)
    elif mark == "-" or re.fullmatch(r"\d+\.", mark):
        made = bullets(block)
    elif mark.startswith("[^"):
        made = note(mark.strip("[^]:"), text)
    else:
        made = [Paragraph(inline(" ".join(block)), BODY)]
    return made


def blocks(text: str) -> Iterator[list[str]]:
    """Runs of lines between blank lines."""
    for run in re.split(r"\n\s*\n", text.strip()):
        yield run.split("\n")


def cover(text: str) -> list[Any]:
    """The cover, white on the coloured ground that `begin_page` paints."""
    name, report, *lines = (" ".join(block).lstrip("# ") for block in blocks(text))
    big = style("big", 27, "Helvetica-Bold", textColor=colors.white, leading=32, spaceAfter=12)
    middle = style("middle", 15, "Helvetica", textColor=colors.white, leading=20, spaceAfter=8)
    rest = [Paragraph(inline(line), COVER) for line in lines]
    top = [Spacer(1, 22 * mm), Paragraph(name, big), Paragraph(report, middle), rest[0]]
    return [*top, Spacer(1, 68 * mm), *rest[1:]]


def story() -> list[Any]:
    """All flowables in reading order, with the change of numbering at each part."""
    sources = sorted((HERE / "report").glob("*.md"))
    made = cover(sources[0].read_text(encoding="utf-8"))
    for part in PARTS:
        made.append(platypus.NextPageTemplate(part.name))
        for number in part.files:
            if number:
                text = sources[number].read_text(encoding="utf-8")
                made += [item for block in blocks(text) for item in flow(block)]
    return made


def begin_page(part: Part, labels: Labels, canvas: Any, doc: Any) -> None:
    """Set the PDF page label where a numbering starts; paint the cover."""
    if labels.enter(part, doc.page):
        canvas.addPageLabel(doc.page - 1, part.numerals, 1, part.prefix or None)
    doc.opening = False
    if doc.page > 1:
        return
    canvas.setFillColor(INK)
    canvas.rect(0, 0, *A5, stroke=0, fill=1)
    canvas.setFillColor(colors.HexColor("#8fb3bd"))
    for gate in range(9):
        canvas.rect(MARGIN + gate * WIDTH / 9, 78 * mm, WIDTH / 9 - 5, 34 * mm, stroke=0, fill=1)
    canvas.setFillColor(colors.HexColor("#2f7285"))
    canvas.rect(0, 62 * mm, A5[0], 28 * mm, stroke=0, fill=1)


def end_page(labels: Labels, canvas: Any, doc: Any) -> None:
    """Print the page label at the foot and, except where a chapter opens, its title at the head."""
    if doc.page == 1:
        return
    canvas.setFillColor(INK)
    canvas.setStrokeColor(INK)
    canvas.setFont("Helvetica", 8.5)
    canvas.drawCentredString(A5[0] / 2, 10 * mm, labels.text[doc.page])
    if not doc.opening:
        canvas.setFont("Helvetica", 7.5)
        canvas.drawString(MARGIN, A5[1] - 13 * mm, labels.chapter)
        canvas.setLineWidth(0.3)
        canvas.line(MARGIN, A5[1] - 15 * mm, A5[0] - MARGIN, A5[1] - 15 * mm)


def record(doc: Any, labels: Labels, flowable: Any) -> None:
    """Note a heading, table or figure that was just drawn in its list and in the outline."""
    if not (entry := getattr(flowable, "entry", None)):
        return
    kind, level, text = entry
    key = re.sub(r"\W+", "-", f"{kind} {text}".lower())
    doc.canv.bookmarkPage(key)
    doc.notify(kind, (level, inline(text), doc.page, key))
    if kind == "contents":
        doc.canv.addOutlineEntry(text, key, level, closed=level == 0)
        if level == 0:
            labels.chapter, doc.opening = text, True


def build(path: Path) -> None:
    """Write the PDF, in as many passes as the table of contents needs."""
    labels = Labels()
    doc = platypus.BaseDocTemplate(
        str(path), pagesize=A5, title=TITLE, author="Velmouth Estuary Commission", invariant=1
    )
    frame = platypus.Frame(MARGIN, BOTTOM, WIDTH, A5[1] - TOP - BOTTOM, 0, 0, 0, 0)
    for part in PARTS:
        begin = partial(begin_page, part, labels)
        end = partial(end_page, labels)
        doc.addPageTemplates(platypus.PageTemplate(part.name, [frame], onPage=begin, onPageEnd=end))
    doc.beforeDocument = labels.starts.clear
    doc.afterFlowable = partial(record, doc, labels)
    flowables = story()
    for flowable in flowables:
        if isinstance(flowable, TableOfContents):
            flowable.formatter = lambda page: labels.text.get(page, "")
    doc.multiBuild(flowables)


def squash(text: str) -> str:
    """Text with every run of white space as one blank."""
    return " ".join(text.split())


def problems(pdf: Path, questions: Path) -> Iterator[str]:
    """Every way in which the gold disagrees with the built PDF."""
    document = pypdfium2.PdfDocument(pdf)
    pages = [squash(page.get_textpage().get_text_bounded()) for page in document]
    for line in questions.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if row["documents"][0]["pages"] != len(pages):
            yield f"{row['id']}: the PDF has {len(pages)} pages"
        for gold in row["evidence"]:
            found = [n for n, text in enumerate(pages, 1) if squash(gold["quote"]) in text]
            if found != [gold["page"]]:
                yield f"{row['id']}: {gold['quote']!r} is on pages {found}, not {gold['page']}"
            elif (label := document.get_page_label(gold["page"] - 1)) != gold["page_label"]:
                yield f"{row['id']}: page {gold['page']} is labelled {label!r}"


def main() -> int:
    """Build, verify, say what was found."""
    pdf = HERE / "report.pdf"
    build(pdf)
    wrong = list(problems(pdf, HERE / "questions.jsonl"))
    print("\n".join(wrong) or f"{pdf.name}: {pdf.stat().st_size:,} bytes, gold verified")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
