"""Step 6: what a reply cites is searched in what was shown (ALR², arXiv 2410.03227).

A prompted model invents "retrieved" sentences; so each is looked up in the passage that it names
(exactly, normalised, fuzzily), then in the other passages (exactly, normalised). What is found
nowhere is dropped.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from memreader.document import Span
from memreader.evidence import Evidence, Match, align, relevance
from memreader.grounding import MOST, quote_lines
from memreader.words import content_words, sentences
from memreader_strategies.retrieval.pieces import Piece

_NUMBERED = re.compile(r"^(?:\[\s*(?:passage\s*)?(\d+)[^\]\n]*\]|passage\s+(\d+)\s*[:.])\s*", re.I)
_FIGURE = re.compile(r"\d+")
BARE = 4
"""Content words below which a quote is widened to its sentence: "5" proves nothing by itself."""


@dataclass(frozen=True, slots=True)
class Cited:
    """Evidence that stands in a passage that was shown."""

    piece: Piece
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class Checked:
    """A reply's citations after they were looked up."""

    found: tuple[Cited, ...] = ()
    """Each place once, in the order of the reply."""
    dropped: tuple[str, ...] = ()
    """What stands nowhere."""

    @property
    def ratio(self) -> float:
        """Share of what was cited that stands where it can be seen; 1 where nothing was."""
        cited = len(self.found) + len(self.dropped)
        return len(self.found) / cited if cited else 1.0

    def __str__(self) -> str:
        cited = len(self.found) + len(self.dropped)
        if not cited:
            return "No evidence was cited."
        return f"Evidence verified: {len(self.found)} of {cited} ({self.ratio:.0%})."


def checked_quotes(told: str, pieces: Sequence[Piece]) -> Checked:
    """The lines of a reply, each looked up in its passage."""
    found: dict[Span, Cited] = {}
    dropped = []
    for line in quote_lines(told):
        number, quote = _numbered(line)
        cited = _looked_up(quote, number, pieces)
        if cited is None:
            dropped.append(quote)
        elif cited.evidence.span is not None:
            found.setdefault(cited.evidence.span, cited)
    return Checked(tuple(found.values()), tuple(dropped))


def checked_numbers(told: str, pieces: Sequence[Piece]) -> Checked:
    """The passages that a reply names; invented numbers are dropped."""
    named = dict.fromkeys(int(figure) for figure in _FIGURE.findall(told))
    found = [pieces[n - 1] for n in named if 1 <= n <= len(pieces)]
    dropped = [str(n) for n in named if not 1 <= n <= len(pieces)]
    return Checked(
        tuple(Cited(p, Evidence(p.text, p.span, "exact")) for p in found), tuple(dropped)
    )


def by_code(question: str, pieces: Sequence[Piece]) -> Checked:
    """The sentence of each piece that shares most with the question, where no call gives any."""
    found = []
    for piece in pieces:
        best = relevance(question, piece.text)
        if best.score > 0:
            span = Span(
                piece.span.document, piece.span.start + best.start, piece.span.start + best.end
            )
            quote = piece.text[best.start : best.end]
            found.append(Cited(piece, Evidence(quote, span, "located", best.score)))
    return Checked(tuple(sorted(found, key=lambda c: -c.evidence.score)[:MOST]))


def _numbered(line: str) -> tuple[int | None, str]:
    match = _NUMBERED.match(line)
    if match is None:
        return None, line
    return int(match[1] or match[2]), line[match.end() :].strip()


def _looked_up(quote: str, number: int | None, pieces: Sequence[Piece]) -> Cited | None:
    """In the named passage first; in another one only what stands there word for word."""
    named = [pieces[number - 1]] if number is not None and 1 <= number <= len(pieces) else []
    for piece in named or pieces:
        match = align(quote, piece.text)
        if match is not None:
            return _cited(piece, match)
    for piece in pieces:
        match = align(quote, piece.text, fuzzy=False)
        if match is not None:
            return _cited(piece, match)
    return None


def _cited(piece: Piece, match: Match) -> Cited:
    start, end = match.start, match.end
    if len(content_words(piece.text[start:end])) < BARE:
        around = [(s, e) for s, e in sentences(piece.text) if s <= start and end <= e]
        start, end = around[0] if around else (start, end)
    span = Span(piece.span.document, piece.span.start + start, piece.span.start + end)
    return Cited(piece, Evidence(piece.text[start:end], span, match.verified))
