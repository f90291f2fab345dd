"""Run: everything a strategy may touch while it reads.

Metering, tracing, journalling, fencing and budgets live behind it: a strategy is its algorithm.
"""

from __future__ import annotations

from collections.abc import (
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Mapping,
    Sequence,
)
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, TypeVar

from anyio.abc import TaskGroup

from memreader import events
from memreader.answer import Draft, Version
from memreader.asking import Asking
from memreader.calls import Caller
from memreader.choosing import By, Choice, Choosing, Wanted, way
from memreader.chunking import Chunk
from memreader.document import Corpus, Span
from memreader.errors import BudgetExceeded
from memreader.evidence import Evidence, relevance
from memreader.grounding import Grounding, Source
from memreader.indexing import Indexing
from memreader.llm.base import Model, Reply
from memreader.memory.notes import Item, Notes
from memreader.prompts import Value
from memreader.remembering import Remembering
from memreader.rendering import Rendering, chunk_budget
from memreader.reranking import Reranker
from memreader.retrieving import Retrieving
from memreader.search import Search
from memreader.streams import Stream
from memreader.structured import S, Shape, shown
from memreader.supply import Supply

T = TypeVar("T")
R = TypeVar("R")
_NONE: Mapping[str, Value] = MappingProxyType({})


@dataclass(slots=True)
class Run:
    """One reading in progress. Strategies get it as an argument and act through it alone."""

    question: str
    supply: Supply
    model: Model
    caller: Caller
    rendering: Rendering
    indexing: Indexing
    search: Search
    """Nearness of texts: an embedding model and a vector store, opened when they are wanted."""
    tasks: TaskGroup
    memory: Remembering
    rescue: bool = False
    """Whether what the memory forgot is to be read again before the answer: see `lost`."""
    retrieving: Retrieving = field(default_factory=Retrieving)
    """The user's own retriever, if one is given: see `retrieved`."""
    reranker: Reranker | None = None
    """The reranker that is set; None where there is none."""
    kept: Draft | None = None
    capped: bool = False
    """Whether a cap or an interrupt has stopped the reading."""

    # --- what there is to read -------------------------------------------------------------

    def chunks(self, size: int) -> AsyncIterator[Chunk]:
        """Chunks of all documents in order, each at most `size` tokens, made as they are asked for.

        A model that reads only shorter passages well gets those.
        """
        return self.supply.chunks(chunk_budget(size, self.model))

    async def whole(self) -> list[Chunk]:
        """Each document as one chunk, for readers that show documents as they are."""
        return await self.supply.whole()

    async def corpus(self) -> Corpus:
        """All documents, whole."""
        return await self.supply.corpus()

    async def retrieved(self, query: str, most: int) -> list[Span]:
        """Places that the user's own retriever finds, the best first.

        What it gives that stands in no document is left out, with a note.
        """
        spans, foreign = await self.retrieving.found(query, most, await self.corpus())
        if foreign:
            self.note(f"Passages of the retriever that stand in no document, left out: {foreign}.")
        return spans

    def room(self, *parts: str, reply: int = 0) -> int:
        """Tokens left in the window beside these parts and a reply of `reply` tokens."""
        used = sum(self.model.counter.count(part) for part in parts)
        return self.model.window - used - reply - self.model.overhead

    # --- calls -----------------------------------------------------------------------------

    async def ask(
        self,
        prompt: str,
        *,
        max_tokens: int,
        values: Mapping[str, Value] = _NONE,
        sources: Sequence[Source] = (),
        temperature: float = 0.0,
        sample: int = 0,
        final: bool = False,
    ) -> Reply:
        """Ask in free text with the strategy's prompt of this name.

        `values` fill the prompt's names; `sources` are what it shows: chunks among them count as
        read. `final` may use the budget's reserve.

        Raises BudgetExceeded, PromptTooLong, CallFailed, EndpointError.
        """
        asking = Asking(prompt, max_tokens, values, sources, temperature, sample, final)
        return await asking.free(self.caller, self.rendering)

    async def ask_for(
        self,
        shape: type[S],
        prompt: str,
        *,
        max_tokens: int,
        values: Mapping[str, Value] = _NONE,
        sources: Sequence[Source] = (),
        temperature: float = 0.0,
        sample: int = 0,
        final: bool = False,
    ) -> S:
        """Ask for a typed reply over the endpoint's wire format; repaired once where needed.

        Raises ReplyUnusable where even the repair gives nothing, and what `ask` raises.
        """
        asking = Asking(prompt, max_tokens, values, sources, temperature, sample, final)
        return await asking.typed(shape, self.caller, self.rendering, self._grounding)

    def way_to_choose(self, wanted: Wanted = "auto") -> By:
        """How to choose among texts with this model; the trace says why.

        `auto` takes what the probe found: by number, where the model names the right one.
        """
        by, why = way(wanted, self.model)
        self.note(why)
        return by

    async def choose(self, options: Sequence[str], by: By) -> Choice:
        """Put texts in the order in which they are likely to hold the answer to the question.

        `letter` takes one call, `confidence` a short one for each text, `similarity` none.
        """
        choosing = Choosing(self.question, self.caller, self.rendering, self.search, self.map)
        return await choosing.choose(options, by)

    # --- evidence --------------------------------------------------------------------------

    def evidence(self, quoted: str, answer: str, chunk: Chunk) -> tuple[Evidence, ...]:
        """Evidence for an answer from one chunk: its quoted lines found in the text, or located.

        Lines that are not found are given as unverified only where nothing else is there.
        """
        return self._grounding.evidence(quoted, answer, chunk)

    def noted(self, notes: Notes, told: str, chunk: Chunk, budget: int) -> Notes:
        """Notes after the model wrote them anew beside a chunk, within a budget of tokens.

        Each sentence keeps the places it rests on. Where the budget is passed, the sentences
        that have least to do with the question are left out.
        """
        return self.cut(self._grounding.noted(notes, told, chunk), budget)

    def cut(self, notes: Notes, budget: int) -> Notes:
        """The notes within a budget of tokens: what has most to do with the question stays."""

        def worth(item: Item) -> tuple[bool, float]:
            return self.memory.regained(item), relevance(self.question, item.text).score

        return notes.within(budget, self.model.counter.count, worth)

    @property
    def _grounding(self) -> Grounding:
        return Grounding(self.question, plain=self.model.wire == "plain")

    def narrowed(self, items: Sequence[T], rank: Callable[[T], Any]) -> list[T]:
        """What the model is shown of several items: all, but to a plain model the best alone.

        Measured on the 135 M embedded model: of one sentence it makes more right answers than of
        three or five (docs/design.md, section 8); so code chooses, and the model reads.
        """
        return [max(items, key=rank)] if self.model.wire == "plain" and items else list(items)

    def shown(self, reply: Shape) -> str:
        """A typed reply as later prompts show it: its sections, or a plain model's evidence."""
        return shown(reply, self.model.wire)

    # --- many at once ----------------------------------------------------------------------

    def stream(
        self, fn: Callable[[T], Awaitable[R]], items: Iterable[T] | AsyncIterable[T]
    ) -> AsyncIterator[R]:
        """Results of `fn` in input order, as they are ready, run by as many workers as allowed.

        At a cap no further item is begun; the items left are missing at the end (`capped`).
        """
        return Stream(fn, items, self.model.concurrency, self.tasks, self.cap)

    async def map(
        self, fn: Callable[[T], Awaitable[R]], items: Iterable[T] | AsyncIterable[T]
    ) -> list[R]:
        """All results of `fn` in input order; the first real error is raised plainly."""
        return [result async for result in self.stream(fn, items)]

    def cap(self, error: BudgetExceeded) -> None:
        """Take note that a cap was reached; whoever handles a BudgetExceeded says so here."""
        if not self.capped:
            self.capped = True
            self.emit(events.CapReached(reason=str(error)))

    # --- memory, drafts, notes -------------------------------------------------------------

    def remember(
        self,
        content: object,
        sources: Sequence[Span] = (),
        *,
        chunk: int | None = None,
        path: str = "",
    ) -> Version:
        """A new version of the strategy's memory, with the spans it rests on.

        `Notes` bring their own spans; what they forgot is told by `forgot` events. `chunk` is the
        index of the chunk after which the memory was as this, `path` tells apart memories that
        are carried side by side.
        """
        return self.memory.version(content, sources, chunk, path)

    def lost(self, budget: int, *, path: str = "") -> list[Chunk]:
        """Passages to read again before the answer, each at most `budget` tokens, where `rescue`
        is wanted: those around what this memory forgot and does not hold now.

        They are never more than the chunks that were read, and are given once. What is noted of
        them is added to the notes, and is not cut off again before other facts.
        """
        return self.memory.lost(budget, path) if self.rescue and not self.capped else []

    @property
    def versions(self) -> list[Version]:
        """The history of the memory so far."""
        return self.memory.versions

    @property
    def forgotten(self) -> list[Item]:
        """What the memory lost on its way without being contradicted."""
        return self.memory.forgotten

    async def index(
        self,
        name: str,
        build: Callable[[], Awaitable[T]],
        *,
        documents: Sequence[str] | None = None,
        depends: Mapping[str, Any] | None = None,
    ) -> T:
        """A question-free index as plain JSON values, built once and kept on the shelf.

        It is kept by the ids of `documents` (all of them, if None), by `depends` (the options
        and sizes it is built with; all options of the strategy, if None), model and prompts.
        Chunks that its calls show do not count as read for the question. An index with a hole,
        because of a failed call or a cap, is given but not kept.
        """
        ids = documents or [a.id for a in self.supply.arriving]
        return await self.indexing.index(name, build, ids, depends, lambda: self.capped)

    def reserve(self, *, input_tokens: int, output_tokens: int) -> None:
        """Keep room in the budget for the final answer's call."""
        worst = self.caller.worst(input_tokens, output_tokens + self.model.thinking)
        self.caller.budget.reserve(worst, self.caller.run_id)

    def keep(self, draft: Draft) -> None:
        """The best draft so far: it becomes the answer if a cap ends the reading."""
        self.kept = draft

    def note(self, text: str, *, warning: bool = False) -> None:
        """A remark on a decision, for the trace; as a `warning` it is told with the answer."""
        self.emit(events.Note(text=text, warning=warning))

    def emit(self, event: events.Event) -> None:
        """Put an event on the stream."""
        self.caller.stream.emit(event)
