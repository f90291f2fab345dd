"""HTML: the text that a reader would see, with its headings."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from memreader.document import Arriving, Document, Heading, clean, content_hash
from memreader.errors import NoText
from memreader.loaders.text import decoded, tidied

_SKIPPED = frozenset(
    "script style template noscript head svg math iframe object canvas select button".split()
)
_BLOCKS = frozenset(
    "address article aside blockquote body dd details div dl dt fieldset figcaption figure footer "
    "form h1 h2 h3 h4 h5 h6 header hr html li main nav ol p section summary table tbody tfoot "
    "thead tr ul caption".split()
)
_TIGHT = frozenset("li tr dt dd tbody thead tfoot".split())
_LAYOUT = "table, h1, h2, h3, h4, h5, h6, pre, ul, ol"
"""What makes a table's cell a frame around a part of the page instead of a value."""
_HEADING = re.compile(r"h[1-6]$")
_SPACE = re.compile(r"[ \t\n\r\f]+")
_UNSEEN = re.compile(r"display\s*:\s*none", re.IGNORECASE)
# Encodings that pages declare. Python knows more codecs, and some of those run for minutes.
_CHARSET = re.compile(
    rb"""<(?:meta[^>]+charset|\?xml[^>]+encoding)\s*=\s*["']?\s*(utf-?8|us-ascii|iso-?8859-\d+|"""
    rb"""latin-?1|windows-\d+|cp\d+|koi8-[ru]|gb2312|gbk|gb18030|big5(?:-hkscs)?|euc-(?:jp|kr)|"""
    rb"""shift[_-]jis|iso-2022-(?:jp|kr)|tis-620|macintosh)\b""",
    re.IGNORECASE,
)
# Browsers read these labels as the larger encodings that pages really use.
_MEANT = {"iso-8859-1": "cp1252", "latin1": "cp1252", "us-ascii": "cp1252", "gb2312": "gb18030"}
_SELF_CLOSED = re.compile(
    r"<(?!(?:area|base|br|col|embed|hr|img|input|link|meta|param|source|track|wbr)\b)"
    r"([a-zA-Z][\w-]*)((?:\s[^<>]*)?)/>"
)


def arriving(data: bytes, source: str) -> Arriving:
    """An HTML document. Raises NoText where nothing is to be seen."""
    text, headings = extracted(markup(data, source))
    if not text.strip():
        raise NoText(f"{source} holds no text that a reader would see.")
    return Arriving.of(Document(text, source, (), tuple(headings), content_hash(data)))


def markup(data: bytes, source: str, *, xml: bool = False) -> str:
    """The markup of a page as text: by byte order mark, declaration, or detection."""
    declared = _CHARSET.search(data[:4096])
    if declared and not data.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        name = declared[1].decode("ascii").lower()
        try:
            told = tidied(data.decode(_MEANT.get(name, name)))
        except (LookupError, UnicodeError):
            told = decoded(data, source)  # a wrong declaration is common: look at the bytes
    else:
        told = decoded(data, source)
    if xml or re.match(r"\s*<\?xml", told):
        # HTML knows no `<title/>`: read as HTML, it would swallow the rest of the page.
        told = _SELF_CLOSED.sub(r"<\1\2></\1>", told)
    return told


def extracted(page: str, *, book: str | None = None) -> tuple[str, list[Heading]]:
    """Visible text and headings of a page.

    A page without headings gets its title as one, unless that is only the title of its `book`.
    """
    from selectolax.lexbor import LexborHTMLParser

    tree = LexborHTMLParser(page)
    out = _Text()
    if tree.body is not None:
        _walk(tree.body, out)
    text = clean(out.text())
    title = tree.css_first("title")
    name = _folded(title.text()) if title is not None else ""
    if text.strip() and name and not out.headings and name != book:
        if text.startswith(f"{name}\n"):
            return text, [Heading(0, 1, name)]
        return f"{name}\n\n{text}", [Heading(0, 1, name)]
    return text, out.headings


def _folded(text: str) -> str:
    return clean(_SPACE.sub(" ", text)).strip()


@dataclass(slots=True)
class _Text:
    """Text as it grows: white space folded, blocks apart."""

    parts: list[str] = field(default_factory=list)
    headings: list[Heading] = field(default_factory=list)
    length: int = 0
    breaks: int = 2
    """Line feeds that the text ends with, counted up to 2; its very beginning counts as 2."""
    pending: bool = False
    """Whether a blank waits for the next word."""
    cells: int = 0
    """Table cells around this place, in which a block begins no line."""

    def add(self, text: str) -> None:
        self.parts.append(text)
        self.length += len(text)

    def words(self, text: str) -> None:
        """Add running text, its white space folded."""
        folded = _SPACE.sub(" ", text)
        # Only the blank: a non-breaking space is a character of the text.
        bare = folded.strip(" ")
        if not bare:
            self.pending = self.pending or bool(folded)
            return
        if (self.pending or folded[0] == " ") and self.breaks == 0:
            self.add(" ")
        self.add(bare)
        self.pending, self.breaks = folded[-1] == " ", 0

    def verbatim(self, text: str) -> None:
        """Add preformatted text as it is."""
        if text:
            self.add(text)
            self.breaks, self.pending = (1 if text.endswith("\n") else 0), False

    def line(self, most: int = 1) -> None:
        """End the line, or the paragraph with `most` 2; inside a table's cell only the word."""
        if self.cells:
            self.pending = True
            return
        if self.breaks < most:
            self.add("\n" * (most - self.breaks))
            self.breaks = most
        self.pending = False

    def mark(self, text: str) -> None:
        """Add what stands before an item or a cell; what follows begins beside it."""
        self.add(text)
        self.breaks, self.pending = 2, False

    def since(self, start: int) -> str:
        """The text from `start` on, a place that was reached lately."""
        taken: list[str] = []
        reached = self.length
        for piece in reversed(self.parts):
            if reached <= start:
                break
            taken.append(piece)
            reached -= len(piece)
        return "".join(reversed(taken))[max(0, start - reached) :]

    def text(self) -> str:
        return "".join(self.parts).rstrip() + "\n" if self.parts else ""


def _walk(body: Any, out: _Text) -> None:
    """Add what a node shows. A stack of its own: pages nest deeper than Python may recurse."""
    # What is on the stack: a node to be entered, or the end of one that was.
    stack: list[tuple[Any, tuple[str, int] | None]] = [(body, None)]
    while stack:
        node, entered = stack.pop()
        if entered is not None:
            _leave(*entered, out)
            continue
        if node.next is not None and node is not body and node.tag != "body":
            stack.append((node.next, None))
        inside = _enter(node, out)
        if inside is None:
            continue
        stack.append((node, inside))
        if node.child is not None:
            stack.append((node.child, None))


def _enter(node: Any, out: _Text) -> tuple[str, int] | None:
    """Begin a node: what `_leave` has to know, or None where nothing inside is to be walked."""
    tag = node.tag
    if tag == "-text":
        out.words(node.text(deep=False) or "")
        return None
    if tag in _SKIPPED or tag.startswith(("-", "_", "!")) or _hidden(node):
        return None
    if tag == "br":
        out.line()
    elif tag == "pre":
        out.line(2)
        out.verbatim(node.text())
        out.line(2)
        return None
    elif tag in ("td", "th"):
        return _enter_cell(node, out)
    elif tag in _BLOCKS:
        out.line(1 if tag in _TIGHT else 2)
        if tag == "li" and not out.cells:
            out.mark("- ")
    return tag, out.length


def _enter_cell(node: Any, out: _Text) -> tuple[str, int]:
    if not out.cells and node.css_first(_LAYOUT) is not None:
        out.line(2)
        return "frame", out.length
    if out.breaks == 0:
        out.mark(" | ")
    out.cells += 1
    return "td", out.length


def _leave(tag: str, start: int, out: _Text) -> None:
    if tag == "td":
        out.cells -= 1
        # Also behind an empty cell: the next one begins with its bar.
        out.breaks, out.pending = 0, False
        return
    if tag == "li" and out.length == start:
        out.breaks = 0
    if _HEADING.match(tag) and out.length > start:
        raw = out.since(start)
        title = _folded(raw)
        if title:
            shift = len(raw) - len(raw.lstrip())
            out.headings.append(Heading(start + shift, int(tag[1]), title))
    if tag == "frame":
        out.line(2)
    elif tag in _BLOCKS:
        out.line(1 if tag in _TIGHT else 2)


def _hidden(node: Any) -> bool:
    attributes = node.attributes
    return bool(attributes) and (
        "hidden" in attributes or bool(_UNSEEN.search(attributes.get("style") or ""))
    )
