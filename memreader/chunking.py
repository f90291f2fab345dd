"""Chunks: runs of a document's text that fit a token budget and lose nothing.

The contract, tested with hypothesis: `chunk.text == document.text[start:end]`, only white space
stays uncovered, order is kept, nothing is over budget, no code point is cut, and the same text
gives the same chunks. Structure comes first: a chunk ends at a heading, else a paragraph, else a
sentence or line, else a word, else between two code points.

Where several boundaries of the same kind could end a chunk, the one whose following text has
the smallest hash wins. So boundaries depend on what stands around them rather than on all that
came before: after an edit they re-synchronise, and calls keyed by chunk text are found again.
"""

from __future__ import annotations

import re
import unicodedata
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from itertools import accumulate, chain

from memreader.document import Arriving, Document, Heading, Piece, Span
from memreader.endpoint_counter import for_parts
from memreader.errors import ConfigurationError
from memreader.llm.base import TokenCounter

SMALLEST_BUDGET = 16
"""Tokens. Below this a single code point could pass the budget."""
SAMPLE = 16_000
"""Characters by which a counter for small parts is scaled."""

_PARAGRAPH = re.compile(r"\n[^\S\n]*\n\s*")
_SENTENCE = re.compile(r"""(?<=[.!?…])["'”’»)\]]*\s+|(?<=[。！？；])["”’」』）]*\s*|\n""")
_WORD = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Chunk:
    """A part of a document that one model call can read."""

    index: int
    """Position among all chunks of the reading, over all documents."""
    span: Span
    text: str
    tokens: int
    """By the serving model's tokenizer, or a conservative estimate."""
    again: bool = False
    """A passage that is shown a second time: it counts for no coverage."""


class _Boundary(IntEnum):
    """How good a place is to end a chunk; headings add their rank on top."""

    NONE = 0
    WORD = 1
    SENTENCE = 2
    PARAGRAPH = 3
    HEADING = 4


@dataclass(frozen=True, slots=True)
class _Atom:
    """A stretch of text that is packed whole, and the kind of boundary before it."""

    start: int
    text: str
    tokens: int
    boundary: int


def chunk_document(
    document: Document, budget: int, counter: TokenCounter, *, first_index: int = 0
) -> Iterator[Chunk]:
    """Chunks of a finished document, at most `budget` tokens each."""
    return _chunks(document.id, _pieces(document), budget, counter, first_index)


def chunk_arriving(
    arriving: Arriving, budget: int, counter: TokenCounter, *, first_index: int = 0
) -> Iterator[Chunk]:
    """Chunks of a document while its text is still being extracted."""
    pieces = iter(arriving.advance, None)
    return _chunks(arriving.id, pieces, budget, counter, first_index)


def _pieces(document: Document) -> Iterator[Piece]:
    """The document as its loader gave it: page by page, so that its chunks are the same."""
    ranges = [(p.start, p.end) for p in document.pages] or [(0, len(document.text))]
    headings = sorted(document.headings, key=lambda h: h.start)
    for start, end in ranges:
        inside = [
            Heading(h.start - start, h.level, h.title) for h in headings if start <= h.start < end
        ]
        text = (
            document.text if (start, end) == (0, len(document.text)) else document.text[start:end]
        )
        yield Piece(text, headings=tuple(inside))


def _chunks(
    document: str, pieces: Iterable[Piece], budget: int, counter: TokenCounter, index: int
) -> Iterator[Chunk]:
    if budget < SMALLEST_BUDGET:
        raise ConfigurationError(
            f"A chunk budget of {budget} tokens is too small to read with; "
            f"give at least {SMALLEST_BUDGET}."
        )
    sample, pieces = _sampled(pieces)
    atoms = _atoms(pieces, budget, for_parts(counter, sample))
    for start, text, tokens in _pack(atoms, budget, counter):
        yield Chunk(index, Span(document, start, start + len(text)), text, tokens)
        index += 1


def _sampled(pieces: Iterable[Piece]) -> tuple[str, Iterable[Piece]]:
    """The first text that is not blank, and all the pieces again."""
    waiting, taken = iter(pieces), list[Piece]()
    for piece in waiting:
        taken.append(piece)
        if piece.text and not piece.text.isspace():
            return piece.text[:SAMPLE], chain(taken, waiting)
    return "", taken


def _pack(
    atoms: Iterator[_Atom], budget: int, counter: TokenCounter
) -> Iterator[tuple[int, str, int]]:
    """Pack atoms greedily; yield start, text without outer white space, tokens."""
    window: list[_Atom] = []
    total = 0
    for atom in atoms:
        while window and total + atom.tokens > budget:
            taken, ready = _emit(window, _best_cut(window, atom.boundary, budget), budget, counter)
            yield from ready
            window = window[taken:]
            total = sum(a.tokens for a in window)
        window.append(atom)
        total += atom.tokens
    while window:
        taken, ready = _emit(window, len(window), budget, counter)
        yield from ready
        window = window[taken:]


def _best_cut(window: list[_Atom], incoming: int, budget: int) -> int:
    """How many atoms the next chunk takes.

    A heading may end a chunk that is half full; any other boundary must leave it four fifths
    full, which bounds the extra calls that content-defined boundaries cost.
    """
    fills = list(accumulate(a.tokens for a in window))
    kinds = [*(a.boundary for a in window[1:]), incoming]
    best, best_rank = len(window), (-1, 0)
    for cut, (fill, kind) in enumerate(zip(fills, kinds, strict=True), start=1):
        heading = kind >= _Boundary.HEADING
        if fill < budget * (0.5 if heading else 0.8):
            continue
        following = window[cut].text if cut < len(window) else ""
        tie = cut if heading else -zlib.crc32(following[:80].encode("utf-8", "surrogatepass"))
        if cut == len(window) and not heading:
            tie = -(1 << 31)  # the incoming atom is not in the window: middle of the hash range
        if (kind, tie) > best_rank:
            best, best_rank = cut, (kind, tie)
    return best


def _emit(
    window: list[_Atom], cut: int, budget: int, counter: TokenCounter
) -> tuple[int, list[tuple[int, str, int]]]:
    """Make one chunk of the first `cut` atoms, or of fewer where the joint count is over.

    Tokens of a whole can exceed the sum over its parts (STACK.md, section 7), so the joint text
    is counted, not trusted.
    """
    while True:
        joined = "".join(a.text for a in window[:cut])
        text = joined.strip()
        if not text:
            return cut, []
        start = window[0].start + len(joined) - len(joined.lstrip())
        tokens = counter.count(text)
        if tokens <= budget:
            return cut, [(start, text, tokens)]
        if cut == 1:
            return 1, [
                (start + at, part, counter.count(part))
                for at, part in _hard_split(text, budget, counter)
            ]
        cut = max(1, min(cut - 1, cut * budget // tokens))


def _atoms(pieces: Iterable[Piece], budget: int, counter: TokenCounter) -> Iterator[_Atom]:
    """Cut pieces into atoms: paragraphs, and finer where a paragraph is a large part of a chunk."""
    offset = 0
    for piece in pieces:
        for start, text, kind in _blocks(piece):
            yield from _split(offset + start, text, kind, _Boundary.SENTENCE, budget, counter)
        offset += len(piece.text)


def _blocks(piece: Piece) -> Iterator[tuple[int, str, int]]:
    """Paragraphs of a piece, cut at headings too: start, text, kind of boundary before."""
    headings = iter(sorted(piece.headings, key=lambda h: h.start))
    heading = next(headings, None)
    # The end of a piece (a page) is no boundary of its own: text runs on over it.
    position, kind = 0, int(_Boundary.WORD)
    for end in _ends(piece.text):
        while heading is not None and heading.start < end:
            if heading.start > position:
                yield position, piece.text[position : heading.start], kind
                position = heading.start
            kind = _Boundary.HEADING + max(0, 6 - heading.level)
            heading = next(headings, None)
        if end > position:
            yield position, piece.text[position:end], kind
            position, kind = end, int(_Boundary.PARAGRAPH)


def _ends(text: str) -> Iterator[int]:
    """Ends of the paragraphs of a text."""
    for match in _PARAGRAPH.finditer(text):
        yield match.end()
    yield len(text)


_SPLITTERS = {_Boundary.SENTENCE: _SENTENCE, _Boundary.WORD: _WORD}


def _split(
    start: int, text: str, kind: int, level: _Boundary, budget: int, counter: TokenCounter
) -> Iterator[_Atom]:
    """An atom, or finer ones where the text is too large to be packed well.

    Paragraphs over an eighth of the budget are cut at sentences; only what is over the whole
    budget is cut at words, and then between code points.
    """
    tokens = counter.count(text)
    limit = budget // 8 if level is _Boundary.SENTENCE else budget
    if tokens <= limit:
        yield _Atom(start, text, tokens, kind)
    elif level is _Boundary.NONE:
        for at, part in _hard_split(text, budget, counter):
            yield _Atom(start + at, part, counter.count(part), kind)
            kind = _Boundary.NONE
    else:
        for at, part in _cut(_SPLITTERS[level], text):
            yield from _split(start + at, part, kind, _Boundary(level - 1), budget, counter)
            kind = level


def _cut(pattern: re.Pattern[str], text: str) -> Iterator[tuple[int, str]]:
    """The text cut after each match: offset and part; parts joined give the text."""
    position = 0
    for match in pattern.finditer(text):
        if match.end() > position:
            yield position, text[position : match.end()]
            position = match.end()
    if position < len(text):
        yield position, text[position:]


def _hard_split(text: str, budget: int, counter: TokenCounter) -> Iterator[tuple[int, str]]:
    """Cut an unbroken run between code points, each part as long as the budget allows."""
    position = 0
    while position < len(text):
        length = _longest_prefix(text[position : position + 8 * budget], budget, counter)
        end = _before_combining(text, position, position + length)
        yield position, text[position:end]
        position = end


def _longest_prefix(text: str, budget: int, counter: TokenCounter) -> int:
    """Length of the longest prefix within budget, found by bisection; at least 1."""
    low, high = 1, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if counter.count(text[:middle]) <= budget:
            low = middle
        else:
            high = middle - 1
    return low


def _before_combining(text: str, start: int, end: int) -> int:
    """Move a cut left so that it does not part a letter from its accents or joiners."""
    cut = end
    while start + 1 < cut < len(text) and (
        unicodedata.combining(text[cut]) or text[cut] in "\u200d\ufe0f" or text[cut - 1] == "\u200d"
    ):
        cut -= 1
    return cut if cut > start + 1 or end == start + 1 else end
