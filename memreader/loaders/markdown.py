"""Markdown: the text as it is, with its headings."""

from __future__ import annotations

import re

from memreader.document import Arriving, Document, Heading, content_hash
from memreader.loaders.text import readable

_FENCE = re.compile(r"^ {0,3}(```+|~~~+)")
_ATX = re.compile(r"^ {0,3}(#{1,6})[ \t]+(.+?)[ \t#]*$")
_UNDERLINE = re.compile(r"^ {0,3}(=+|-+)[ \t]*$")


def arriving(data: bytes, source: str) -> Arriving:
    """A Markdown document; its canonical text is its source. Raises NoText for a blank one."""
    text = readable(data, source)
    return Arriving.of(Document(text, source, (), tuple(_headings(text)), content_hash(data)))


def _headings(text: str) -> list[Heading]:
    """Headings of both styles, outside code fences and the front matter."""
    found: list[Heading] = []
    fence = ""
    previous, previous_start, position = "", 0, 0
    body = _after_front_matter(text)
    for line in text.split("\n"):
        bare = line
        if position < body:
            bare = ""
        elif opening := _FENCE.match(bare):
            fence = "" if fence and bare.strip().startswith(fence) else fence or opening[1]
        elif not fence:
            if atx := _ATX.match(bare):
                found.append(Heading(position, len(atx[1]), atx[2]))
            elif previous.strip() and (under := _UNDERLINE.match(bare)):
                level = 1 if under[1].startswith("=") else 2
                found.append(Heading(previous_start, level, previous.strip()))
                bare = ""
            elif bare.lstrip().startswith(("|", ">", "- ", "* ")):
                bare = ""  # a dashed line below these is no underline
        previous, previous_start = ("" if fence or _ATX.match(bare) else bare), position
        position += len(line) + 1
    return found


def _after_front_matter(text: str) -> int:
    """Where the text begins after a YAML block at its top."""
    if not text.startswith("---\n"):
        return 0
    end = text.find("\n---\n", 3)
    return end + 5 if end >= 0 else 0
