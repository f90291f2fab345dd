"""What the Oracle does where a prompt asks for an action or a summary: `memreader.testing`."""

from __future__ import annotations

import re
from collections.abc import Sequence

from memreader.evidence import NO_INFORMATION

_OPTION = re.compile(
    r"^<<<(?P<delimiter>[b-v]{10}) \w+ (?P<number>\d+)>>>\n(?P<text>.*?)\n"
    r"<<<end (?P=delimiter)>>>$",
    re.DOTALL | re.MULTILINE,
)


def action(prompt: str, quote: str | None) -> str:
    """The numbered option that holds a sentence, else the way back where there is one.

    Of a prompt without options: commit where the sentence is there, else revert.
    """
    options = [(m["number"], _flat(m["text"])) for m in _OPTION.finditer(prompt)]
    if not options:
        return "revert" if quote is None else "commit"
    holding = [n for n, text in options if quote is not None and _flat(quote) in text]
    back = "-1" if " -1 " in prompt.split("<<<", 1)[0] else options[0][0]
    return holding[0] if holding else back


def kept(sentences: Sequence[str], material: str) -> str:
    """What a text comes to without a question: the sentences it knows, else the first line."""
    flat = _flat(material)
    known = [sentence for sentence in sentences if _flat(sentence) in flat]
    first = next(filter(None, map(str.strip, material.splitlines())), NO_INFORMATION)
    return " ".join(known) or first


def _flat(text: str) -> str:
    return " ".join(text.split())
