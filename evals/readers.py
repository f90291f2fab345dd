"""What is measured: a strategy with a model, and the two controls that put it in proportion.

`lexical` is search without any model: nobody shall mistake search for reading. `gold-page`
shows the model the right pages alone: its own ceiling, whatever the strategy.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from evals.places import Excerpt, Place, excerpt
from evals.tasks import Question
from memreader import events
from memreader.answer import Answer
from memreader.budget import Limits
from memreader.document import Arriving, Document, Span
from memreader.evidence import relevance
from memreader.llm.base import Model
from memreader.memory.embedders import EmbedderOpener
from memreader.session import Resumption, Session
from memreader.stores import Stores
from memreader.strategy import Strategy
from memreader_strategies.full_context import FullContext


@dataclass(frozen=True, slots=True)
class Building:
    """What building an index took."""

    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    seconds: float = 0.0
    """From the beginning of the reading to the last index that was built."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a reader made of one question."""

    text: str
    status: str
    cited: tuple[Place, ...]
    read: tuple[Place, ...] | None = None
    """What was shown to a model; None for a reader without one."""
    seconds: float = 0.0
    calls: int = 0
    """Finished calls, those found in the journal among them; the endpoint's probe is left out."""
    from_journal: int = 0
    failed_attempts: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    longest_prompt: int = 0
    index: Building = Building()
    """What of it was for an index that was not there yet."""


Read = Callable[[Question, Sequence[Document]], Awaitable[Reading | None]]
"""A reader; None where it has nothing to do, as the gold page where none is known."""


async def lexical(question: Question, documents: Sequence[Document]) -> Reading:
    """The sentence (or two neighbours) that shares most with the question, as the answer."""
    began = time.monotonic()
    document, best = max(
        ((d, relevance(question.question, d.text)) for d in documents), key=lambda p: p[1].score
    )
    place = Place(document.source, best.start, best.end)
    text = document.text[best.start : best.end]
    cited = (place,) if text else ()
    return Reading(text, "complete", cited, seconds=time.monotonic() - began)


@dataclass(frozen=True, slots=True)
class WithModel:
    """Reads with a model: any strategy over whole documents, or the gold pages alone."""

    model: Model
    strategy: Strategy
    stores: Stores = field(default_factory=Stores)
    limits: Limits = field(default_factory=Limits)
    probe: bool = True
    embedder: EmbedderOpener | None = None

    async def __call__(self, question: Question, documents: Sequence[Document]) -> Reading:
        """Read the documents with the strategy.

        As `Reader.aask` does it, but keeps the session: its ledger knows which spans were read.
        """
        arriving = [Arriving.of(d) for d in documents]
        session = Session(
            arriving,
            question.asked,
            self.model,
            self.strategy,
            self.limits,
            self.stores,
            Resumption(),
            embedder=self.embedder,
        )
        tally = Tally()
        session.listen(tally, None)
        if self.probe:
            await session.probe()
        began = time.monotonic()
        answer = await session.read()
        seconds = time.monotonic() - began
        spans = session.caller.ledger.spans_read() if session.caller else []
        return _reading(answer, spans, documents, tally, seconds)

    async def gold_page(self, question: Question, documents: Sequence[Document]) -> Reading | None:
        """Read the gold pages alone, whole, in one call; None where there are none."""
        gold = question.gold(documents)
        touched = [(d, [g for g in gold if g.document == d.source]) for d in documents]
        excerpts = {d.source: excerpt(d, places) for d, places in touched if places}
        if not excerpts:
            return None
        whole = replace(self, strategy=FullContext())
        return await whole.of_excerpts(question, excerpts)

    async def of_excerpts(self, question: Question, excerpts: Mapping[str, Excerpt]) -> Reading:
        """Read parts of documents, and say where in the whole documents the places are."""
        reading = await self(question, [e.document for e in excerpts.values()])

        def original(place: Place) -> Place:
            return excerpts[place.document].original(place.start, place.end)

        return replace(
            reading,
            cited=tuple(original(c) if c.end else c for c in reading.cited),
            read=tuple(map(original, reading.read or ())),
        )


@dataclass(slots=True)
class Tally:
    """Counts calls and tokens from the events, so that a replay from the journal counts alike."""

    calls: list[events.CallFinished] = field(default_factory=list)
    failed: int = 0
    began: float = 0.0
    built: float = 0.0

    def __call__(self, event: events.Event) -> None:
        """Take an event."""
        if isinstance(event, events.CallFinished) and event.step != "probe":
            self.calls.append(event)
        elif isinstance(event, events.RunStarted):
            self.began = self.built = event.at
        elif isinstance(event, events.IndexReady) and not event.reused:
            self.built = event.at
        elif isinstance(event, events.AttemptFailed):
            self.failed += 1

    @property
    def index(self) -> Building:
        """What the calls for indexes took."""
        calls = [c for c in self.calls if c.for_index]
        return Building(
            len(calls),
            sum(c.input_tokens for c in calls),
            sum(c.output_tokens for c in calls),
            self.built - self.began,
        )


def _reading(
    answer: Answer,
    spans: Sequence[Span],
    documents: Sequence[Document],
    tally: Tally,
    seconds: float,
) -> Reading:
    names = {d.id: d.source for d in documents}
    return Reading(
        text=answer.text,
        status=answer.status,
        cited=tuple(Place(c.document, c.start, c.end) for c in answer.citations),
        read=tuple(Place(names[s.document], s.start, s.end) for s in spans),
        seconds=seconds,
        calls=len(tally.calls),
        from_journal=sum(c.from_journal for c in tally.calls),
        failed_attempts=tally.failed,
        input_tokens=sum(c.input_tokens for c in tally.calls),
        output_tokens=sum(c.output_tokens for c in tally.calls),
        longest_prompt=max((c.input_tokens for c in tally.calls), default=0),
        index=tally.index,
    )
