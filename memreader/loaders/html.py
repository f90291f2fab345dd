"""HTML: the text that a reader would see, with its headings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from memreader.document import Arriving, Document, Heading, content_hash
from memreader.errors import NoText
from memreader.loaders.text import clean, decoded

_SKIPPED = frozenset(
    "script style template noscript head svg math iframe object canvas select button".split()
)
_BLOCKS = frozenset(
    "address article aside blockquote body dd details div dl dt fieldset figcaption figure footer "
    "form h1 h2 h3 h4 h5 h6 header hr html li main nav ol p pre section summary table tbody tfoot "
    "thead tr ul caption".split()
)
_HEADING = re.compile(r"h[1-6]$")
_SPACE = re.compile(r"[ \t\n\r\f]+")


def arriving(data: bytes, source: str) -> Arriving:
    """An HTML document. Raises NoText where nothing is to be seen."""
    text, headings = extracted(_decoded(data, source))
    if not text.strip():
        raise NoText(f"{source} holds no text that a reader would see.")
    return Arriving.of(Document(text, source, (), tuple(headings), content_hash(data)))


_CHARSET = re.compile(rb"""<meta[^>]+charset\s*=\s*["']?\s*([\w-]+)""", re.IGNORECASE)


def _decoded(data: bytes, source: str) -> str:
    declared = _CHARSET.search(data[:4096])
    if declared and not data.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        try:
            return clean(data.decode(declared[1].decode("ascii")))
        except (LookupError, UnicodeDecodeError):
            pass  # a wrong declaration is common: look at the bytes instead
    return decoded(data, source)


def extracted(markup: str) -> tuple[str, list[Heading]]:
    """Visible text and headings of a page."""
    from selectolax.lexbor import LexborHTMLParser

    page = LexborHTMLParser(markup)
    out = _Text()
    if page.body is not None:
        _walk(page.body, out)
    text = out.text()
    if not out.headings and (title := page.css_first("title")) is not None and text.strip():
        name = _SPACE.sub(" ", title.text()).strip()
        if name:
            return f"{name}\n\n{text}", [Heading(0, 1, name)]
    return text, out.headings


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

    def add(self, text: str) -> None:
        if text:
            self.parts.append(text)
            self.length += len(text)

    def words(self, text: str) -> None:
        """Add running text, its white space folded."""
        folded = _SPACE.sub(" ", text)
        if not folded.strip():
            self.pending = self.pending or bool(folded)
            return
        if (self.pending or folded[0] == " ") and self.breaks == 0:
            self.add(" ")
        self.add(folded.strip())
        self.pending, self.breaks = folded[-1] == " ", 0

    def verbatim(self, text: str) -> None:
        """Add preformatted text as it is."""
        self.add(text)
        self.breaks, self.pending = (1 if text.endswith("\n") else 0), False

    def line(self, most: int = 1) -> None:
        """End the line, or the paragraph with `most` 2."""
        if self.breaks < most:
            self.add("\n" * (most - self.breaks))
            self.breaks = most
        self.pending = False

    def text(self) -> str:
        return "".join(self.parts).rstrip() + "\n" if self.parts else ""


def _walk(node: Any, out: _Text) -> None:
    """Add what a node shows. Iterative over siblings, so that depth alone recurses."""
    for child in _children(node):
        tag = child.tag
        if tag == "-text":
            out.words(child.text(deep=False) or "")
        elif tag in _SKIPPED or "hidden" in (child.attributes or {}):
            continue
        elif tag == "br":
            out.line()
        elif tag == "pre":
            out.line(2)
            out.verbatim(child.text())
            out.line(2)
        elif tag in ("td", "th"):
            if out.breaks == 0:
                out.add(" | ")
            _walk(child, out)
            out.breaks = 0
        elif tag in _BLOCKS:
            _block(tag, child, out)
        elif not tag.startswith(("-", "_", "!")):
            _walk(child, out)


def _block(tag: str, node: Any, out: _Text) -> None:
    tight = 1 if tag in ("li", "tr", "dt", "dd", "tbody", "thead", "tfoot") else 2
    out.line(tight)
    if tag == "li":
        out.add("- ")
        out.breaks = 1
    start = out.length
    _walk(node, out)
    if _HEADING.match(tag) and out.length > start:
        title = "".join(out.parts)[start:].strip()
        out.headings.append(Heading(start, int(tag[1]), title))
    out.line(tight)


def _children(node: Any) -> Iterator[Any]:
    child = node.child
    while child is not None:
        yield child
        child = child.next
