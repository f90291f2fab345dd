"""Run: everything a strategy may touch while it reads.

Metering, tracing, journalling, fencing and budgets live behind it, so that a strategy stays at
the size of its algorithm.
"""

from __future__ import annotations

import json
from collections.abc import (
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Mapping,
    Sequence,
)
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, TypeVar

from anyio.abc import TaskGroup

from memreader import events
from memreader.answer import Draft, Version
from memreader.calls import Caller
from memreader.chunking import Chunk
from memreader.document import Corpus, Span, content_hash
from memreader.errors import BudgetExceeded, ModelTooSmall
from memreader.evidence import NO_INFORMATION, Evidence
from memreader.grounding import Grounding, Source
from memreader.llm.base import Message, Model, Reply, Request
from memreader.llm.truncation import stopped_early
from memreader.prompts import Value
from memreader.rendering import Rendering, chunk_budget
from memreader.repairing import Unreadable, repaired
from memreader.shelf import Shelf
from memreader.streams import Stream
from memreader.structured import (
    PlainForm,
    S,
    Shape,
    Unparsed,
    json_schema,
    parse,
    plain_text,
)
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
    shelf: Shelf
    index_key: str
    """Hash of what an index depends on besides its name: chunker, options, model, prompts."""
    tasks: TaskGroup
    versions: list[Version] = field(default_factory=list)
    kept: Draft | None = None
    capped: bool = False
    """Whether a cap or an interrupt has stopped the reading."""
    clipped: bool = False
    """Whether a final reply was cut at its limit."""

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
        shape: type[Shape] | None = None,
    ) -> Reply:
        """Ask in free text with the strategy's prompt of this name.

        `values` fill the prompt's names; `sources` are what it shows: chunks among them count as
        read. `final` may use the budget's reserve.

        Raises BudgetExceeded, PromptTooLong, CallFailed, EndpointError.
        """
        request = self._request(prompt, values, max_tokens, shape, temperature, sample)
        return await self._sent(request, prompt, sources, final=final)

    def _request(
        self,
        prompt: str,
        values: Mapping[str, Value],
        max_tokens: int,
        shape: type[Shape] | None,
        temperature: float,
        sample: int,
    ) -> Request:
        text = self.rendering.prompt(prompt, values, shape)
        schema = json_schema(shape) if shape is not None and self.model.wire == "schema" else None
        return Request((Message("user", text),), max_tokens, (), schema, temperature, None, sample)

    async def _sent(
        self, request: Request, step: str, sources: Sequence[Source], *, final: bool
    ) -> Reply:
        reply = await self.caller.call(request, step=step, chunks=_chunks(sources), final=final)
        return replace(reply, text=self.rendering.fence.stripped(reply.text))

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
        form = shape.plain if self.model.wire == "plain" else None
        if form is not None:
            max_tokens = min(max_tokens, form.max_tokens)
        elif self.model.wire == "plain":
            raise ModelTooSmall(
                f"{self.model.name} answers in plain text only, and this strategy needs "
                f"{shape.__name__} replies. Use a larger model."
            )
        asked = None if form is not None else shape
        request = self._request(prompt, values, max_tokens, asked, temperature, sample)
        reply = await self._sent(request, prompt, sources, final=final)
        if form is not None:
            if stopped_early(request, reply):  # at its limit a plain reply may well end
                self._shortened(prompt, reply.usage.output_tokens, final=final)
            return self._derived(shape, form, plain_text(reply.text), sources)
        try:
            parsed = parse(reply.text, shape)
        except Unparsed as error:
            about = Unreadable(request, reply, str(error), prompt, _chunks(sources), final)
            return await repaired(about, shape, self.caller, self.rendering)
        if reply.finish_reason == "length":
            self._shortened(prompt, max_tokens, final=final)
        return parsed

    def _shortened(self, step: str, limit: int, *, final: bool) -> None:
        """A reply that can be read was cut all the same: the end of its last field is missing."""
        self.clipped = self.clipped or final
        self.note(f"The reply of step `{step}` was cut after {limit:,} tokens.")

    def _derived(self, shape: type[S], form: PlainForm, text: str, sources: Sequence[Source]) -> S:
        """Fill a shape from free text: code decides what a small model cannot (DESIGN.md, 3)."""
        found, quote = self._grounding.judged(form, text, sources)
        refused = form.must_be_supported and not found
        fields: dict[str, Any] = {form.answer: NO_INFORMATION if refused else text}
        if form.evidence is not None:
            fields[form.evidence] = quote
        if form.confidence is not None:
            fields[form.confidence] = round(5 * found, 2)
        return shape.model_validate(fields)

    # --- evidence --------------------------------------------------------------------------

    def evidence(self, quoted: str, answer: str, chunk: Chunk) -> tuple[Evidence, ...]:
        """Evidence for an answer from one chunk: its quoted lines found in the text, or located.

        Lines that are not found are given as unverified only where nothing else is there.
        """
        return self._grounding.evidence(quoted, answer, chunk)

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
        form = reply.plain
        if self.model.wire == "plain" and form is not None:
            return str(getattr(reply, form.evidence or form.answer))
        labels = type(reply).labels().items()
        return "\n".join(f"{label}: {getattr(reply, name)}".strip() for name, label in labels)

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

    def remember(self, content: object, sources: Sequence[Span]) -> Version:
        """A new version of the strategy's memory, with the spans it rests on."""
        text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
        unique = tuple(dict.fromkeys(sources))
        version = Version(len(self.versions) + 1, text, unique)
        self.versions.append(version)
        self.emit(events.MemoryVersion(version=version.number, sources=unique))
        return version

    async def index(self, name: str, build: Callable[[], Awaitable[T]]) -> T:
        """A question-free index as plain JSON values, built once and kept in the shelf."""
        documents = "\n".join(a.id for a in self.supply.arriving)
        key = content_hash(f"{documents}\n{self.index_key}\n{name}")
        kept = self.shelf.get(key)
        if kept is not None:
            return kept  # type: ignore[no-any-return]
        built = await build()
        self.shelf.put(key, name, built)
        return built

    def reserve(self, *, input_tokens: int, output_tokens: int) -> None:
        """Keep room in the budget for the final answer's call."""
        self.caller.budget.reserve(self.caller.worst(input_tokens, output_tokens))

    def keep(self, draft: Draft) -> None:
        """The best draft so far: it becomes the answer if a cap ends the reading."""
        self.kept = draft

    def note(self, text: str) -> None:
        """A remark on a decision, for the trace and the person."""
        self.emit(events.Note(text=text))

    def emit(self, event: events.Event) -> None:
        """Put an event on the stream."""
        self.caller.stream.emit(event)


def _chunks(sources: Sequence[Source]) -> list[Chunk]:
    return [s for s in sources if isinstance(s, Chunk)]
