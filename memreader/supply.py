"""What there is to read: chunks made as they are asked for, each entered in the ledger."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

import anyio.to_thread

from memreader import events
from memreader.chunking import Chunk, chunk_arriving, chunk_document
from memreader.coverage import Ledger
from memreader.document import Arriving, Corpus, Span
from memreader.llm.base import TokenCounter
from memreader.tokens import count_long


@dataclass(slots=True)
class Supply:
    """The documents of a reading, cut on demand: reading starts while a PDF is extracted."""

    arriving: Sequence[Arriving]
    counter: TokenCounter
    ledger: Ledger
    emit: Callable[[events.Event], None]
    size: int | None = None
    """Tokens of a chunk, once chunks were asked for."""
    all_made: bool = False

    async def corpus(self) -> Corpus:
        """All documents, whole."""
        return Corpus(tuple([await anyio.to_thread.run_sync(a.finish) for a in self.arriving]))

    async def chunks(self, size: int) -> AsyncIterator[Chunk]:
        """Chunks of all documents in order, each at most `size` tokens."""
        self.size = size
        index = 0
        for number, arriving in enumerate(self.arriving, start=1):
            first = index
            async for chunk in self._cut(arriving, size, index):
                index = chunk.index + 1
                expected = self._expected(arriving, chunk, first, number)
                self.ledger.add(chunk)
                self.emit(
                    events.ChunkMade(
                        index=chunk.index, span=chunk.span, tokens=chunk.tokens, expected=expected
                    )
                )
                yield chunk
        self._all_made()

    async def whole(self) -> list[Chunk]:
        """Each document as one chunk, for readers that show documents as they are."""
        chunks: list[Chunk] = []
        for document in (await self.corpus()).documents:
            text = document.text.strip()
            if not text:
                continue
            start = document.text.find(text)
            span = Span(document.id, start, start + len(text))
            chunks.append(Chunk(len(chunks), span, text, count_long(self.counter, text)))
            self.ledger.add(chunks[-1])
        self._all_made()
        return chunks

    def account_for_the_rest(self, corpus: Corpus) -> None:
        """Cut what a capped reading never reached, so that the coverage counts it as skipped."""
        if self.all_made or self.size is None:
            return
        index = 0
        for document in corpus.documents:
            for chunk in chunk_document(document, self.size, self.counter, first_index=index):
                self.ledger.add(chunk)
                index = chunk.index + 1
        self._all_made()

    async def _cut(self, arriving: Arriving, size: int, index: int) -> AsyncIterator[Chunk]:
        if arriving.complete:
            for chunk in chunk_document(arriving.finish(), size, self.counter, first_index=index):
                yield chunk
            return
        chunks = chunk_arriving(arriving, size, self.counter, first_index=index)
        while (made := await anyio.to_thread.run_sync(next, chunks, None)) is not None:
            yield made

    def _expected(self, arriving: Arriving, chunk: Chunk, first: int, number: int) -> int | None:
        """Chunks in all: this document's by the share that is cut, the others' like those so far.

        `first` is the index of this document's first chunk, `number` its place, from 1.
        """
        share = arriving.share
        if arriving.complete:
            share = chunk.span.end / len(arriving.finish().text)
        if not share:
            return None
        here = first + (chunk.index + 1 - first) / share
        return max(chunk.index + 1, round(here * len(self.arriving) / number))

    def _all_made(self) -> None:
        if not self.all_made:
            self.all_made = True
            self.emit(events.ChunksMade(chunks=self.ledger.made, tokens=self.ledger.tokens))
