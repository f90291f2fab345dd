"""The ledger of what was read: each chunk's fate, proved by the prompts themselves."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from memreader.answer import Coverage
from memreader.chunking import Chunk
from memreader.document import Corpus, Span


@dataclass(slots=True)
class Ledger:
    """Which chunks exist, were shown to the model, or failed."""

    _spans: list[Span] = field(default_factory=list)
    _tokens: list[int] = field(default_factory=list)
    _read: set[int] = field(default_factory=set)
    _failed: set[int] = field(default_factory=set)

    @property
    def made(self) -> int:
        """Chunks cut so far."""
        return len(self._spans)

    @property
    def tokens(self) -> int:
        """Tokens of all chunks cut so far."""
        return sum(self._tokens)

    @property
    def read(self) -> int:
        """Chunks read so far."""
        return len(self._read)

    def add(self, chunk: Chunk) -> None:
        """A chunk was cut. The text itself is not kept."""
        if chunk.index == len(self._spans):
            self._spans.append(chunk.span)
            self._tokens.append(chunk.tokens)

    def shown(self, chunks: Iterable[Chunk], prompt: str) -> tuple[int, ...]:
        """A finished call had this prompt: the chunks whose whole text stands in it were read."""
        seen = tuple(c.index for c in chunks if c.text in prompt)
        self._read.update(seen)
        self._failed.difference_update(seen)
        return seen

    def failed(self, chunks: Iterable[Chunk]) -> tuple[int, ...]:
        """The reply about these chunks was lost: they count as failed, and as not read."""
        indices = tuple(c.index for c in chunks)
        self._failed.update(indices)
        self._read.difference_update(indices)
        return indices

    @property
    def spans(self) -> list[Span]:
        """Spans of all chunks cut so far, by index."""
        return list(self._spans)

    def span(self, index: int | None) -> Span | None:
        """The span of a chunk; None for one that was never cut."""
        known = index is not None and 0 <= index < len(self._spans)
        return self._spans[index] if known and index is not None else None

    def spans_read(self) -> list[Span]:
        """Spans of the chunks that were read, in order."""
        return [self._spans[i] for i in sorted(self._read)]

    def report(self, corpus: Corpus, used: Iterable[Span], cited: Iterable[Span]) -> Coverage:
        """The final account."""
        total, pages = self.tokens, [p for d in corpus.documents for p in d.pages]
        return Coverage(
            chunks=self.made,
            read=len(self._read),
            used=len(self._holding(used)),
            cited=len(self._holding(cited)),
            failed=len(self._failed),
            skipped=self.made - len(self._read | self._failed),
            pages=len(pages) or None,
            pages_without_text=tuple(n for d in corpus.documents for n in d.pages_without_text),
            fraction_read=round(sum(self._tokens[i] for i in self._read) / total, 4)
            if total
            else 0.0,
        )

    def _holding(self, spans: Iterable[Span]) -> set[int]:
        wanted = list(spans)
        return {i for i, s in enumerate(self._spans) if any(s.overlaps(w) for w in wanted)}
