"""START HERE. `Reader.aask` is the whole path: load, chunk, run, strategy, answer."""

from __future__ import annotations

import asyncio
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Callable,
    Coroutine,
    Iterable,
    Mapping,
    Sequence,
)
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import anyio
import anyio.to_thread

from memreader import events
from memreader.ahead import build, require_index
from memreader.answer import Answer
from memreader.budget import Budget, Limits
from memreader.built import Built
from memreader.document import Arriving, Corpus, Document, clean
from memreader.errors import ConfigurationError
from memreader.llm.base import Model
from memreader.loaders.opening import Opened, Skipped, open_documents
from memreader.memory.embedders import EmbedderOpener, as_opener
from memreader.memory.embedding import Embedder
from memreader.questions import Asked, read_all
from memreader.reranking import Reranker
from memreader.retrieving import Retriever, as_retriever
from memreader.session import Control, Listener, Resumption, Session
from memreader.stores import Stores
from memreader.strategy import Strategy, configured, make

Item = str | Path | Document | Arriving
Documents = Item | Corpus | Opened | Sequence[Item]
R = TypeVar("R")
Opener = Callable[[], AbstractAsyncContextManager[Model]]


@dataclass(frozen=True)
class Reader:
    """Answers questions about documents, with one model and one strategy.

    Takes arguments only; `memreader.ask` and the command line resolve settings.
    """

    model: Model | Opener
    """A model, or what opens one for each reading (`memreader.llm.registry`)."""
    strategy: Strategy | str = "map_reduce"
    options: Mapping[str, Any] = field(default_factory=dict)
    """Options of a strategy that is given by name."""
    limits: Limits = field(default_factory=Limits)
    stores: Stores = field(default_factory=Stores)
    """Where journal, shelf, vectors and probes are kept; in memory unless given a folder."""
    resumption: Resumption = field(default_factory=Resumption)
    probe: bool = True
    """Probe an endpoint on first use; False assumes labelled replies."""
    rescue: bool = False
    """Before the answer, read again what the memory forgot; the strategy has to offer it."""
    embedder: Embedder | EmbedderOpener | Any = None
    """For strategies that search by meaning: one of ours, an embedding of LlamaIndex, or what
    opens one for each reading (`memreader.memory.embedders`). None where there is none."""
    retriever: Retriever | Any = None
    """Your own, for strategies that retrieve: ours, of LlamaIndex or of LangChain."""
    reranker: Reranker | None = None

    def __post_init__(self) -> None:
        if isinstance(self.model, str):
            raise ConfigurationError(
                f"Reader takes a Model, or what opens one. For the name {self.model!r} use "
                f"memreader.ask(..., model={self.model!r}) or "
                f"memreader.open_reader(model={self.model!r})."
            )
        if not isinstance(self.model, Model) and not callable(self.model):
            raise ConfigurationError(
                f"A model is a Model, or what opens one, not {self.model!r}. "
                f"A name like 'ollama:qwen3' goes to memreader.ask or memreader.open_reader."
            )
        made = hasattr(self.strategy, "read") and not isinstance(self.strategy, type)
        if not made and not isinstance(self.strategy, str):
            raise ConfigurationError(
                f"A strategy is a name or an object with a method `read`, not {self.strategy!r}. "
                f"Of a class of your own make one first: MyStrategy()."
            )
        self._embedder()

    async def aask(
        self,
        documents: Documents,
        question: str,
        *,
        on_event: Listener | None = None,
        control: Control | None = None,
    ) -> Answer:
        """Read the documents and answer the question.

        Raises DocumentError, ConfigurationError and EndpointError; a cap or an interrupt is no
        error but gives a partial answer.
        """
        found = opened(documents)
        strategy = self.strategy_object()
        async with self._model() as model:
            session = self._session(list(found.documents), question, model, strategy)
            session.listen(on_event, control)
            session.tell_of(found.skipped, model)
            if self.probe:
                await session.probe()
            return await session.read()

    async def aask_all(
        self,
        documents: Documents,
        questions: Sequence[str],
        *,
        on_event: Callable[[str, events.Event], None] | None = None,
        control: Control | None = None,
    ) -> list[Asked]:
        """Answer several questions about the same documents, each with a memory of its own.

        They are read side by side: documents are opened once, calls go through one scheduler,
        and the limits hold for all of them together. A question asked twice is read once.
        `on_event` also gets the question. What fails for one question is in its `Asked`.
        """
        several = list(dict.fromkeys(map(clean, questions)))
        found = opened(documents)
        here = [Arriving.of(await anyio.to_thread.run_sync(a.finish)) for a in found.documents]
        budget, control = Budget(self.limits), control or Control()
        async with self._model() as model:
            sessions = [
                self._session(here, question, model, self.strategy_object(), budget)
                for question in several
            ]
            for session in sessions:
                listener = partial(on_event, session.question) if on_event else None
                session.listen(listener, control)
                session.tell_of(found.skipped, model)
            if self.probe and sessions:
                await sessions[0].probe()
            for session in sessions:
                session.model = sessions[0].model
            return await read_all(sessions, model.concurrency)

    async def abuild(
        self,
        documents: Documents,
        *,
        on_event: Listener | None = None,
        control: Control | None = None,
    ) -> Built:
        """Build ahead of time what the strategy needs of the documents, whatever is asked.

        As `aask` it keeps to the limits, and goes on where it was stopped. Where it is complete,
        what is kept of older versions of the same files is removed.

        Raises what `aask` does, and ConfigurationError for a strategy that builds no index.
        """
        found = opened(documents)
        strategy = self.strategy_object()
        require_index(strategy)
        async with self._model() as model:
            session = self._session(list(found.documents), "", model, strategy)
            session.ahead = True
            session.listen(on_event, control)
            session.tell_of(found.skipped, model)
            if self.probe:
                await session.probe()
            return await build(session)

    def build(self, documents: Documents, **listening: Any) -> Built:
        """`abuild` for synchronous code; inside a running event loop it works in a thread."""
        return _waited_for(partial(self.abuild, documents, **listening))

    def ask_all(
        self, documents: Documents, questions: Sequence[str], **listening: Any
    ) -> list[Asked]:
        """`aask_all` for synchronous code; inside a running event loop it works in a thread."""
        return _waited_for(partial(self.aask_all, documents, questions, **listening))

    def ask(self, documents: Documents, question: str, **listening: Any) -> Answer:
        """`aask` for synchronous code; inside a running event loop it works in a thread."""
        return _waited_for(partial(self.aask, documents, question, **listening))

    async def stream(self, documents: Documents, question: str) -> AsyncGenerator[events.Event]:
        """The events of a reading as they happen; the last one carries the answer."""
        queue: asyncio.Queue[events.Event | None] = asyncio.Queue()
        reading = asyncio.ensure_future(self.aask(documents, question, on_event=queue.put_nowait))
        reading.add_done_callback(lambda _: queue.put_nowait(None))
        try:
            while (event := await queue.get()) is not None:
                yield event
            await reading
        finally:
            reading.cancel()
            # Who leaves early goes on when nothing is running any more.
            await asyncio.gather(reading, return_exceptions=True)

    def strategy_object(self) -> Strategy:
        """The strategy with its options."""
        if isinstance(self.strategy, str):
            return make(self.strategy, self.options)
        if self.options:
            return configured(type(self.strategy), self.options, type(self.strategy).__name__)
        return self.strategy

    def _session(
        self,
        documents: list[Arriving],
        question: str,
        model: Model,
        strategy: Strategy,
        budget: Budget | None = None,
    ) -> Session:
        if not isinstance(question, str):
            raise ConfigurationError(f"A question is a text, not {question!r}.")
        return Session(
            documents,
            clean(question),
            model,
            strategy,
            self.limits,
            self.stores,
            self.resumption,
            rescue=self.rescue,
            embedder=self._embedder(),
            retriever=None if self.retriever is None else as_retriever(self.retriever),
            reranker=self.reranker,
            budget=budget,
        )

    def _embedder(self) -> EmbedderOpener | None:
        return as_opener(self.embedder, named=False)

    @asynccontextmanager
    async def _model(self) -> AsyncIterator[Model]:
        if isinstance(self.model, Model):
            yield self.model
        else:
            async with self.model() as model:
                yield model


def _waited_for(call: Callable[[], Coroutine[Any, Any, R]]) -> R:
    if not _inside_a_loop():
        return anyio.run(call)
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(anyio.run, call).result()


def _inside_a_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def opened(documents: Documents) -> Opened:
    """Documents as the engine wants them; paths are opened, text has to be a Document.

    Raises DocumentError where a path cannot be read, ConfigurationError where there is nothing.
    """
    if isinstance(documents, Opened):
        return documents
    if isinstance(documents, Corpus):
        documents = documents.documents
    if isinstance(documents, Item | bytes) or not isinstance(documents, Iterable):
        documents = [documents]
    several = list(documents)
    if not several:
        raise ConfigurationError("No document was given. Give at least one file.")
    found: list[Arriving] = []
    skipped: list[Skipped] = []
    for item in several:
        if isinstance(item, Arriving):
            found.append(item)
        elif isinstance(item, Document):
            found.append(Arriving.of(item))
        elif not isinstance(item, str | Path):
            raise ConfigurationError(
                f"A document is a path or a memreader.Document, not {type(item).__name__}. "
                f"For text of your own: Document(text, name)."
            )
        else:
            inside = open_documents([item])
            found += inside.documents
            skipped += inside.skipped
    return Opened.distinct(found, skipped)
