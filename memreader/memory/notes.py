"""Notes: a text memory whose every sentence knows the places it rests on.

A serial reader lets the model rewrite its memory at each chunk. Code follows each sentence of the
new text to where it came from: to the chunk that was just read, or to the sentence of the old
text that it repeats. So the sources survive any number of rewrites, without a word from the model.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from memreader.chunking import Chunk
from memreader.document import Span
from memreader.evidence import Evidence, align, says_not_found
from memreader.fitting import best_that_fit
from memreader.words import content_words, sentences, words

KEPT = 0.5
"""Share of an item's content words that has to stand in another text for it to live on there."""
ABOUT = 0.34
"""The same share, from which two items speak of one matter: then one may replace the other."""
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_BULLET = re.compile(r"^(?:[-*•>–]\s*(?=[^-*•>–])|[-*•>–]+\s+)")
_COUNTED = re.compile(r"^\(?(\d{1,3})[.)]\s+(?=\S)")


@dataclass(frozen=True, slots=True)
class Item:
    """A sentence of the notes."""

    text: str
    evidence: tuple[Evidence, ...] = ()
    """The places it rests on; none where code found none."""
    since: int = 0
    """Index of the chunk at which it was first noted."""

    @property
    def sources(self) -> tuple[Span, ...]:
        """Spans of the evidence."""
        return tuple(e.span for e in self.evidence if e.span is not None)


@dataclass(frozen=True, slots=True)
class Notes:
    """A text memory, sentence by sentence."""

    items: tuple[Item, ...] = ()
    cut: tuple[Item, ...] = field(default=(), compare=False)
    """What a budget has just left out."""

    @property
    def text(self) -> str:
        """The notes as prompts show them."""
        return "\n".join(item.text for item in self.items)

    @property
    def sources(self) -> tuple[Span, ...]:
        """Spans that the notes rest on, each once, in order of the items."""
        return tuple(dict.fromkeys(s for item in self.items for s in item.sources))

    @property
    def evidence(self) -> list[Evidence]:
        """Evidence of all items, each span once."""
        found = {e.span: e for item in reversed(self.items) for e in item.evidence if e.span}
        return [found[s] for s in self.sources]

    def rewritten(self, text: str, chunk: Chunk) -> Notes:
        """The notes after the model wrote them anew beside a chunk."""
        items = [self.traced(told, chunk) for told in _told(text)]
        return Notes(tuple({item.text: item for item in reversed(items)}.values())[::-1])

    def regained(self, text: str, chunk: Chunk) -> Notes:
        """With what the model wrote of a passage that is read again; nothing is lost by it."""
        notes = self.gained(text, chunk)
        for item in self.rewritten(text, chunk).items:
            if not item.sources and item.since == chunk.index:
                notes = notes.added(item)
        return notes

    def gained(self, text: str, chunk: Chunk) -> Notes:
        """With what the model wrote that rests on the chunk, and nothing else."""
        notes = self
        for item in self.rewritten(text, chunk).items:
            if any(chunk.span.overlaps(span) for span in item.sources):
                notes = notes.added(item)
        return notes

    def retold(self, text: str) -> Notes:
        """The notes after the model wrote them anew from themselves alone, without any chunk."""
        return Notes(tuple(self._retold(told) for told in _told(text)))

    def _retold(self, told: str) -> Item:
        """A sentence with the places of all items that it tells again."""
        near = [item for item in self.items if holds(item.text, told) >= KEPT]
        if not near:  # told in other words: the item that shares most, if it shares half
            best = max(self.items, key=lambda item: holds(told, item.text), default=None)
            near = [best] if best is not None and holds(told, best.text) >= KEPT else []
        since = min((item.since for item in near), default=0)
        return Item(told, _each(*(e for item in near for e in item.evidence)), since)

    def knows(self, item: Item) -> bool:
        """Whether an item says nothing that does not stand here already."""
        return any(holds(item.text, own.text) >= 0.99 for own in self.items)

    def added(self, item: Item) -> Notes:
        """With one more item; unchanged where the same is noted already."""
        if self.knows(item):
            return self
        return Notes((*self.items, item))

    def within(
        self, budget: int, count: Callable[[str], int], rank: Callable[[Item], Any]
    ) -> Notes:
        """The best items that fit a budget of tokens, in their order; the rest is left out."""
        ranked = sorted(range(len(self.items)), key=lambda i: rank(self.items[i]), reverse=True)
        kept = set(best_that_fit(ranked, budget, lambda i: count(self.items[i].text) + 1))
        left_out = tuple(item for i, item in enumerate(self.items) if i not in kept)
        return Notes(tuple(item for i, item in enumerate(self.items) if i in kept), left_out)

    def forgotten(self, new: Notes) -> tuple[Item, ...]:
        """Items that live on nowhere in newer notes, and that nothing there contradicts."""
        return tuple(item for item in self.items if not new.keeps(item) and not new.corrects(item))

    def keeps(self, item: Item) -> bool:
        """Whether an item, or what it rests on, stands here still."""
        spans = set(item.sources)
        return any(
            holds(item.text, own.text) >= KEPT or (spans and spans <= set(own.sources))
            for own in self.items
        )

    def corrects(self, item: Item) -> bool:
        """Whether something here speaks of the same matter with other figures."""
        figures = set(_NUMBER.findall(item.text))
        return any(
            holds(item.text, own.text) >= ABOUT
            and bool(figures)
            and bool(set(_NUMBER.findall(own.text)) - figures)
            for own in self.items
        )

    def traced(self, told: str, chunk: Chunk) -> Item:
        """A sentence with what it rests on: quoted or told from the chunk, or carried over."""
        old = max(self.items, key=lambda item: holds(told, item.text), default=None)
        carried = holds(told, old.text) if old is not None else 0.0
        if old is not None and carried == 1.0:  # told again: nothing in a chunk outdoes that
            return replace(old, text=told)
        here = place(told, chunk)
        if here is not None and here.verified != "located" and carried < 0.99:
            kept = old.evidence if old is not None and carried >= KEPT else ()
            return Item(told, _each(here, *kept), chunk.index)
        if old is not None and carried >= max(KEPT, here.score if here else 0.0):
            return replace(old, text=told)
        kept = old.evidence if old is not None and carried >= KEPT else ()
        return Item(told, _each(*([here] if here else []), *kept), chunk.index)


def place(told: str, chunk: Chunk) -> Evidence | None:
    """Where a sentence stands in a chunk, or the sentence there that it tells again."""
    match = align(told, chunk.text)
    if match is not None:
        return _evidence(chunk, match.start, match.end, match.verified, 1.0)
    wanted = set(content_words(told))
    if not wanted:
        return None
    best, where = 0.0, (0, 0)
    for start, end in _sentences(chunk.text):
        score = len(wanted & _there(chunk.text[start:end])) / len(wanted)
        if score > best:
            best, where = score, (start, end)
    return _evidence(chunk, *where, "located", best) if best >= KEPT else None


def _evidence(chunk: Chunk, start: int, end: int, verified: str, score: float) -> Evidence:
    span = Span(chunk.span.document, chunk.span.start + start, chunk.span.start + end)
    return Evidence(chunk.text[start:end], span, verified, score)  # type: ignore[arg-type]


def _told(text: str) -> Iterable[str]:
    """Sentences of a rewritten memory, without bullets, numbers and "nothing found".

    A line ends a sentence too: models are asked for one fact a line, and many set no full stops.
    """
    for line in _bare_lines(text):
        for start, end in sentences(line):
            if not says_not_found(line[start:end]):
                yield line[start:end]


def _bare_lines(text: str) -> Iterable[str]:
    """Lines without bullets, and without the numbers of a list, which count from 1."""
    number = 0
    for line in map(str.strip, text.splitlines()):
        counted = _COUNTED.match(line)
        if counted is not None and int(counted[1]) == number + 1:
            number += 1
            yield line[counted.end() :]
        else:
            yield _BULLET.sub("", line)


def holds(part: str, whole: str) -> float:
    """Share of the content words of one text that stand in another."""
    wanted = _wanted(part)
    if not wanted:
        return 1.0 if part.strip() == whole.strip() else 0.0
    return len(wanted & _there(whole)) / len(wanted)


# The items of a memory are compared with one another at every step, most of them unchanged.
@lru_cache(maxsize=4096)
def _wanted(text: str) -> frozenset[str]:
    return frozenset(content_words(text))


@lru_cache(maxsize=4096)
def _there(text: str) -> frozenset[str]:
    return frozenset(words(text))


@lru_cache(maxsize=16)
def _sentences(text: str) -> tuple[tuple[int, int], ...]:
    """A chunk's sentences, which every line of a memory is looked for in."""
    return tuple(sentences(text))


def _each(*evidence: Evidence) -> tuple[Evidence, ...]:
    return tuple({e.span: e for e in reversed(evidence)}.values())[::-1]
