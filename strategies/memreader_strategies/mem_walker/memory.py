"""The working memory: texts of the places already visited, the oldest dropped first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from memreader.chunking import Chunk
from memreader.evidence import relevance
from memreader.fitting import best_that_fit, first_that_fit
from memreader.llm.base import TokenCounter
from memreader.words import content_words, sentences


@dataclass(frozen=True, slots=True)
class Visited:
    """A text that was seen on the way: a node's summary, or a segment itself."""

    node: int
    text: str
    tokens: int
    segment: Chunk | None = None
    """The segment, where the text is that of a segment."""


@dataclass(slots=True)
class WorkingMemory:
    """Texts in the order of the walk. The model writes nothing here: it is the text itself."""

    budget: int
    """Tokens that may be shown at most."""
    counter: TokenCounter
    question: str
    items: list[Visited] = field(default_factory=list)

    def add(self, node: int, text: str, segment: Chunk | None = None) -> None:
        """Put a visited place at the end; one that was seen before moves there."""
        if not text.strip():
            return
        here = Visited(node, text, self.counter.count(text) + 2, segment)
        same = (node, segment is None)
        self.items = [i for i in self.items if (i.node, i.segment is None) != same]
        self.items.append(here)

    def shown(self, room: int) -> str:
        """What a prompt with so much room shows of it: the newest texts that fit, in order.

        Where not even the newest fits, its sentences nearest to the question are shown.
        """
        budget = min(room, self.budget)
        kept = first_that_fit(self.items[::-1], budget, lambda item: item.tokens)
        if not kept and self.items:
            return nearest(self.question, self.items[-1].text, budget, self.counter)
        return "\n\n".join(item.text for item in kept[::-1])

    @property
    def segments(self) -> list[Chunk]:
        """The segments that were read and are still in reach, the newest last."""
        return [i.segment for i in self.items if i.segment is not None]


def nearest(question: str, text: str, budget: int, counter: TokenCounter) -> str:
    """Sentences of a text within a budget of tokens, those nearest to the question, in order."""
    spans = list(sentences(text))
    ranked = sorted(spans, key=lambda s: -relevance(question, text[s[0] : s[1]]).score)
    return _within(text, ranked, budget, counter)


def extract(text: str, budget: int, counter: TokenCounter) -> str:
    """Sentences of a text within a budget of tokens, in order: those with the most new words.

    It stands for a summary that could not be had: a walk finds its way by words.
    """
    every = list(sentences(text))
    short = [s for s in every if counter.count(text[s[0] : s[1]]) < budget]
    left = {s: frozenset(content_words(text[s[0] : s[1]])) for s in short or every[:1]}
    ranked: list[tuple[int, int]] = []
    known: set[str] = set()
    while left and sum(end - start for start, end in ranked) < 8 * budget:
        best = max(left, key=lambda s: (len(left[s] - known) / (8 + len(left[s])), -s[0]))
        if ranked and not left[best] - known:
            break
        known |= left.pop(best)
        ranked.append(best)
    return _within(text, ranked, budget, counter)


def _within(
    text: str, ranked: Sequence[tuple[int, int]], budget: int, counter: TokenCounter
) -> str:
    kept = best_that_fit(ranked, budget, lambda s: counter.count(text[s[0] : s[1]]) + 1)
    if not kept and ranked:
        return _cut(text[slice(*ranked[0])], budget, counter)
    return " ".join(text[start:end] for start, end in sorted(kept))


def _cut(text: str, budget: int, counter: TokenCounter) -> str:
    """The beginning of a text without sentences that would fit, cut between words."""
    while text and counter.count(text) > budget:
        text = text[: len(text) * 2 // 3].rpartition(" ")[0] or text[: len(text) * 2 // 3]
    return text
