"""What is measured: a strategy with a model, and the two controls that put it in proportion.

`lexical` is search without any model: nobody shall mistake search for reading. `gold-page`
shows the model the right pages alone: its own ceiling, whatever the strategy.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace

from evals.places import Place, excerpt
from evals.tasks import Question
from memreader import events
from memreader.answer import Answer
from memreader.budget import Limits
from memreader.document import Arriving, Document, Span
from memreader.evidence import relevance
from memreader.llm.base import Model
from memreader.session import Resumption, Session
from memreader.stores import Stores
from memreader.strategy import Strategy
from memreader_strategies.full_context import FullContext


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
        whole = WithModel(self.model, FullContext(), self.stores, self.limits, self.probe)
        reading = await whole(question, [e.document for e in excerpts.values()])
        cited = [
            excerpts[c.document].original(c.start, c.end) if c.end else c for c in reading.cited
        ]
        read = [part for e in excerpts.values() for _, part in e.parts] if reading.read else []
        return replace(reading, cited=tuple(cited), read=tuple(read))


@dataclass(slots=True)
class Tally:
    """Counts calls and tokens from the events, so that a replay from the journal counts alike."""

    calls: list[events.CallFinished] = field(default_factory=list)
    failed: int = 0

    def __call__(self, event: events.Event) -> None:
        """Take an event."""
        if isinstance(event, events.CallFinished) and event.step != "probe":
            self.calls.append(event)
        elif isinstance(event, events.AttemptFailed):
            self.failed += 1


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
    )
