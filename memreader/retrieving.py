"""A user's own retriever: what it finds is placed in the documents, or is not used.

A retriever gives places (`Span`) or texts. A text is searched in the documents: exactly, then
ignoring case, punctuation and white space, then fuzzily in the stretch that shares most words
with it, then sentence by sentence. Only text of the documents is ever shown and cited.

Objects of other libraries are adapted by the entry-point group `memreader.retrievers`: functions
that give a `Retriever` for an object they know, and None for any other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import anyio.to_thread

from memreader.document import Corpus, Document, Span
from memreader.errors import ConfigurationError, MemreaderError
from memreader.evidence import align
from memreader.plugins import installed, loaded
from memreader.words import sentences, words

GROUP = "memreader.retrievers"
SHORTEST = 30
"""Characters of a sentence by which a passage is placed; shorter ones stand anywhere."""

Passage = Span | str


class Retriever(Protocol):
    """Finds passages for a question."""

    async def retrieve(self, question: str, most: int) -> Sequence[Passage]:
        """At most `most` passages, the best first."""
        ...


def as_retriever(given: Any) -> Retriever:
    """A retriever of ours as it is; one of LlamaIndex, LangChain or a plug-in through its adapter.

    Raises ConfigurationError for an object that is neither.
    """
    for name in installed(GROUP):
        adapted: Retriever | None = loaded(GROUP, name, "adapter of retrievers")(given)
        if adapted is not None:
            return adapted
    if callable(getattr(given, "retrieve", None)):
        return given  # type: ignore[no-any-return]
    raise ConfigurationError(
        f"{type(given).__name__} is no retriever. Give an object with "
        f"`async def retrieve(question, most)` that returns Spans or texts, or a retriever of "
        f"LlamaIndex or LangChain."
    )


@dataclass(slots=True)
class Retrieving:
    """The retriever of a reading, if there is one."""

    retriever: Retriever | None = None
    asked: bool = False

    @property
    def ignored(self) -> bool:
        """Whether there is a retriever that nobody asked."""
        return self.retriever is not None and not self.asked

    async def found(self, question: str, most: int, corpus: Corpus) -> tuple[list[Span], int]:
        """Places of what it finds, the best first, and how many passages stand nowhere.

        Raises ConfigurationError where there is no retriever or it fails.
        """
        self.asked = True
        if self.retriever is None:
            raise ConfigurationError("No retriever is set. Give one: Reader(retriever=...).")
        try:
            passages = list(await self.retriever.retrieve(question, most))[:most]
        except MemreaderError:
            raise
        except Exception as error:  # because a stranger's retriever may fail in any way
            name = type(self.retriever).__name__
            raise ConfigurationError(f"The retriever {name} failed: {error!r}.") from error
        for passage in passages:
            if not isinstance(passage, Span | str):
                raise ConfigurationError(
                    f"The retriever {type(self.retriever).__name__} gave "
                    f"{type(passage).__name__} for a passage; it has to give texts or Spans."
                )
        placed = await anyio.to_thread.run_sync(lambda: [places(p, corpus) for p in passages])
        return [span for spans in placed for span in spans], sum(not spans for spans in placed)


def places(passage: Passage, corpus: Corpus) -> list[Span]:
    """Where a passage stands in the documents; empty where it does not."""
    if isinstance(passage, Span):
        known = {d.id: len(d.text) for d in corpus.documents}
        inside = 0 <= passage.start < passage.end <= known.get(passage.document, 0)
        return [passage] if inside else []
    text = passage.strip()
    if not text:
        return []
    for fuzzy in (False, True):
        for document in corpus.documents:
            if (span := _whole(text, document, fuzzy=fuzzy)) is not None:
                return [span]
    return _by_sentences(text, corpus)


def _whole(text: str, document: Document, *, fuzzy: bool) -> Span | None:
    start, stretch = _nearest(text, document) if fuzzy else (0, document.text)
    match = align(text, stretch, fuzzy=fuzzy)
    if match is None:
        return None
    return Span(document.id, start + match.start, start + match.end)


def _nearest(text: str, document: Document) -> tuple[int, str]:
    """The stretch of a document, thrice as long as the text, that shares most words with it."""
    wanted = set(words(text))

    def shared(stretch: tuple[int, str]) -> int:
        return len(wanted & set(words(stretch[1])))

    return max(_stretches(document.text, len(text)), key=shared, default=(0, ""))


def _stretches(text: str, length: int) -> Iterator[tuple[int, str]]:
    for start in range(0, len(text), length):
        begin = max(0, start - length)
        yield begin, text[begin : start + 2 * length]


def _by_sentences(text: str, corpus: Corpus) -> list[Span]:
    """Places of the sentences, where they are at least half of the text: else it is foreign."""
    told = [text[s:e] for s, e in sentences(text) if e - s >= SHORTEST]
    found = [
        (sentence, span)
        for sentence in told
        for span in [_first(sentence, corpus)]
        if span is not None
    ]
    enough = sum(len(sentence) for sentence, _ in found) * 2 >= len(text)
    return [span for _, span in found] if enough else []


def _first(sentence: str, corpus: Corpus) -> Span | None:
    spans = (_whole(sentence, document, fuzzy=False) for document in corpus.documents)
    return next((span for span in spans if span is not None), None)
