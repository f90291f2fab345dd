"""Labelled replies: sections by label, in the several ways in which models write labels."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

_BLANK = r"[ \t\u00a0\u3000\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]*"
"""Spaces and the invisible marks that stand around words of right-to-left scripts."""
_HEADING = rf"(?:#+{_BLANK})?"
_COLON = rf"{_BLANK}[:：]"
_LISTED = rf"(?:(?:[-*+•]|\d{{1,2}}[.)]){_BLANK})?"

_PLAIN = rf"^{_BLANK}{_HEADING}[*_]*LABEL[*_]*{_COLON}[*_]*{_BLANK}"
_IN_A_LIST = rf"^{_BLANK}{_LISTED}{_HEADING}[*_]*LABEL[*_]*{_COLON}[*_]*{_BLANK}"
_ALONE = rf"^{_BLANK}(?:#+{_BLANK}[*_]*LABEL[*_]*|[*_]{{2}}LABEL[*_]{{2}}){_BLANK}$"


@dataclass(frozen=True, slots=True)
class Sections:
    """What stood under each label that was found."""

    texts: Mapping[str, str]
    """By name of the field."""
    start: int
    """Where the first of them begins; the length of the text where there is none."""


def sections(text: str, labels: Mapping[str, str]) -> Sections:
    """The sections of a reply, by field name; `labels` are in the order of the contract.

    Quoted lines start with a dash or `>` and are no labels. Only where no label stands otherwise
    may all of them be items of a list, or headings without a colon.
    """
    found = _by(_PLAIN, text, labels)
    if found.texts:
        return found
    for form in (_IN_A_LIST, _ALONE):
        other = _by(form, text, labels)
        if len(other.texts) == len(labels):
            return other
    return found


def begins(text: str, label: str) -> bool:
    """Whether a text begins with a label."""
    return _form(_PLAIN, label).match(text.lstrip()) is not None


def _by(form: str, text: str, labels: Mapping[str, str]) -> Sections:
    """Sections found from the last field backwards.

    A document may hold lines that look like labels, and a model quotes documents in the fields
    that come first; so the last occurrence of a label, before the section that follows it, is
    the model's own.
    """
    texts: dict[str, str] = {}
    end = _own_end(form, text, labels)
    for name, label in reversed(list(labels.items())):
        hits = [m for m in _form(form, label).finditer(text) if m.start() < end]
        if hits:
            texts[name] = text[hits[-1].end() : end].strip()
            end = hits[-1].start()
    return Sections(texts, end)


_SCORES = ("Confidence Score", "Confidence")
"""Sections that records have: shown some, a model may end a reply of another form with one."""


def _own_end(form: str, text: str, labels: Mapping[str, str]) -> int:
    """Where the reply ends: before a last line that is a score nobody asked for."""
    last = text.rstrip().rfind("\n") + 1
    stray = [label for label in _SCORES if label not in labels.values()]
    if any(_form(form, label).match(text[last:]) for label in stray):
        return last
    return len(text)


@lru_cache(maxsize=256)
def _form(form: str, label: str) -> re.Pattern[str]:
    return re.compile(form.replace("LABEL", re.escape(label)), re.IGNORECASE | re.MULTILINE)
