"""One reading from its parts: journal, budget, caller and run, and the answer at the end."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeVar

import anyio
from anyio.abc import TaskGroup

from memreader import events
from memreader.answer import Answer, Draft, Stopped
from memreader.answering import answer_of
from memreader.budget import Budget, Cost, Limits
from memreader.calls import Caller, EventStream
from memreader.coverage import Ledger
from memreader.document import Arriving
from memreader.embedding_calls import Embeddings
from memreader.errors import BudgetExceeded, CallFailed, StrategyFault
from memreader.identity import Identity
from memreader.indexing import Indexing
from memreader.llm.base import Model
from memreader.llm.dispatch import Dispatcher
from memreader.loaders.opening import Skipped
from memreader.memory.embedders import EmbedderOpener
from memreader.memory.embedding import Embedder
from memreader.memory.vectors import VectorStore
from memreader.probing import probed
from memreader.prompts import PromptFiles
from memreader.remarks import Remarks
from memreader.remembering import Remembering
from memreader.rendering import Rendering
from memreader.reranking import Reranker
from memreader.retrieving import Retriever, Retrieving
from memreader.run import Run
from memreader.search import Search
from memreader.stores import Stores
from memreader.strategy import Indexed, Strategy, name_of
from memreader.supply import Supply

Listener = Callable[[events.Event], None]
T = TypeVar("T")


class Ended(Protocol):
    """What a run ends with."""

    @property
    def stopped(self) -> Stopped:
        """Why no further call was made."""
        ...


E = TypeVar("E", bound=Ended)


@dataclass(slots=True)
class Control:
    """Stops a reading from outside: calls in flight finish, and the answer is partial."""

    reason: str | None = None
    _budget: Budget | None = None

    def interrupt(self, reason: str = "interrupted") -> None:
        """Make no further call. To be called in the event loop that reads."""
        self.reason = self.reason or reason
        if self._budget is not None:
            self._budget.stop(self.reason)

    def attach(self, budget: Budget) -> None:
        """The budget of the reading that this controls."""
        self._budget = budget
        if self.reason is not None:
            budget.stop(self.reason)


@dataclass(frozen=True, slots=True)
class Resumption:
    """How a reading treats what is in the journal."""

    fresh: bool = False
    """Ignore calls of other runs, and start a new run."""
    new_budget: bool = False
    """Continue the stopped run with a fresh budget beside the spend so far (`--resume`)."""


@dataclass(slots=True)
class Session:
    """One question about some documents, with one model and one strategy."""

    arriving: list[Arriving]
    question: str
    model: Model
    strategy: Strategy
    limits: Limits
    stores: Stores
    resumption: Resumption
    rescue: bool = False
    """Read again what the memory forgot, before the answer."""
    embedder: EmbedderOpener | None = None
    """Opens the embedding model; None where there is none."""
    retriever: Retriever | None = None
    """The user's own, for strategies that retrieve."""
    reranker: Reranker | None = None
    budget: Budget | None = None
    """Shared with other sessions; None makes one of this session's own from its limits."""
    ahead: bool = False
    """Build what is free of any question, and answer none."""
    stream: EventStream = field(default_factory=EventStream)
    control: Control = field(default_factory=Control)
    remarks: Remarks = field(default_factory=Remarks)
    caller: Caller | None = None
    began: float = field(default_factory=time.monotonic)

    def listen(self, on_event: Listener | None, control: Control | None) -> None:
        """Send events to a listener, and obey a control."""
        self.stream.listeners.append(self.remarks.take)
        if on_event is not None:
            self.stream.listeners.append(on_event)
        if control is not None:
            self.control = control

    def tell_of(self, skipped: Iterable[Skipped], model: Model) -> None:
        """Put what belongs to no step of the reading on its stream: files left out, remarks."""
        left_out = [f"skipped {s.path}: {s.reason}" for s in skipped]
        for text in [*left_out, *model.remarks]:
            self.stream.emit(events.Note(text=text))

    async def probe(self) -> None:
        """Learn what the endpoint can do, once; booked on this run's budget."""
        caller = self._caller()
        self.model = caller.model = await probed(caller, self.stores.probes)

    async def read(self) -> Answer:
        """Run the strategy and make the answer of its draft."""

        async def work(caller: Caller) -> Answer:
            run, draft = await self.worked(
                caller, lambda run: self.strategy.read(self.question, run)
            )
            return await answer_of(self, run, draft or run.kept or Draft("", status="partial"))

        answer = await self.recorded(work)
        self.stream.emit(events.RunFinished(answer=answer.to_json()))
        return answer

    async def recorded(self, work: Callable[[Caller], Awaitable[E]]) -> E:
        """Do work as a run that the journal knows: how it began, and how it ended."""
        caller = self._caller()
        if isinstance(self.strategy, Indexed):
            for a in self.arriving:
                if a.path is not None:
                    self.stores.shelf().place(a.id, a.path, a.source)
        carried = caller.journal.spend(caller.run_id)
        self.stream.emit(
            events.RunStarted(
                run_id=caller.run_id,
                strategy=name_of(self.strategy),
                model=self.model.name,
                question=self.question,
                wire=self.model.wire,
                documents={a.id: a.source for a in self.arriving},
                carried_calls=carried.calls,
                carried_cost_usd=carried.usd,
            )
        )
        state: str = "interrupted"
        try:
            ended = await work(caller)
            state = ended.stopped
        finally:
            caller.budget.release(caller.run_id)
            caller.journal.finish(caller.run_id, state, time.monotonic() - self.began)
        return ended

    async def worked(
        self, caller: Caller, step: Callable[[Run], Awaitable[T]]
    ) -> tuple[Run, T | None]:
        """A run, and what a step of the strategy made of it; None where it ended early.

        A cap or an interrupt, and a failed call that the strategy has no default for, are told by
        the run; what else is raised is raised plainly.
        """
        error: Exception | None = None
        made: T | None = None
        async with AsyncExitStack() as resources, anyio.create_task_group() as tasks:
            try:
                run = self._run(caller, tasks, self._search(caller, resources))
                made = await step(run)
            except BudgetExceeded as capped:
                run.cap(capped)
            except CallFailed as failed:  # the strategy has no default for it; coverage shows it
                run.note(f"The reading ended early: {failed}")
            except Exception as raised:  # because the task group would wrap it in a group
                error = raised
            tasks.cancel_scope.cancel()
        if error is not None:
            raise error
        if caller.broken is not None:
            raise StrategyFault(
                f"The strategy went on although the endpoint failed: {caller.broken}"
            ) from caller.broken
        if run.retrieving.ignored and not run.capped and not self.ahead:
            run.note(f"{name_of(self.strategy)} did not ask the retriever.")
        return run, made

    def _search(self, caller: Caller, resources: AsyncExitStack) -> Search:
        def metered(embedder: Embedder) -> Embeddings:
            return Embeddings(embedder, self.stores.embeddings(), caller)

        def note(text: str) -> None:
            self.stream.emit(events.Note(text=text))

        def warn(text: str) -> None:
            self.stream.emit(events.Note(text=text, warning=True))

        def open_store() -> AbstractAsyncContextManager[VectorStore]:
            return self.stores.vectors(warn)

        return Search(self.embedder, open_store, resources, metered, note)

    def _run(self, caller: Caller, tasks: TaskGroup, search: Search) -> Run:
        fence = replace(self.identity.fence, plain=self.model.wire == "plain")
        rendering = Rendering(PromptFiles.of(self.strategy), self.model, fence)
        caller.mask = rendering.fence.delimiter
        supply = Supply(self.arriving, self.model.counter, caller.ledger, self.stream.emit)
        memories, told = caller.journal.memories, self.identity.told
        return Run(
            self.question,
            supply,
            self.model,
            caller,
            rendering,
            Indexing(
                self.identity,
                self.stores.shelf(),
                self.stream.emit,
                fresh=self.ahead and self.resumption.fresh,
            ),
            search,
            tasks,
            Remembering(caller.run_id, told, memories, supply, self.stream.emit),
            self.rescue,
            Retrieving(self.retriever),
            self.reranker,
        )

    # --- parts -----------------------------------------------------------------------------

    def _caller(self) -> Caller:
        if self.caller is None:
            journal = self.stores.journal()
            run_id, continued = journal.start(
                self.identity.job, what=self.identity.what, fresh=self.resumption.fresh
            )
            carries = continued and not self.resumption.new_budget
            budget = self.budget or Budget(self.limits)
            spent = journal.spend(run_id)
            if carries:
                cost = Cost(spent.calls + spent.failed, spent.tokens, spent.usd or 0.0)
                budget.carry(cost, journal.seconds(run_id))
            self.control.attach(budget)
            self.caller = Caller(
                self.model,
                dispatcher_of(self.model),
                budget,
                journal,
                run_id,
                self.stream,
                Ledger(),
                fresh=self.resumption.fresh,
                carried=spent.calls,
            )
        return self.caller

    @property
    def identity(self) -> Identity:
        """What determines the reading."""
        return Identity(
            self.arriving, self.question, self.model, self.strategy, self.rescue, self.ahead
        )


def dispatcher_of(model: Model) -> Dispatcher:
    """The endpoint's dispatcher; a model in this process has one of its own."""
    if model.endpoint == "in-process":
        return Dispatcher(concurrency=model.concurrency, policy=model.retry)
    return Dispatcher.for_endpoint(model.endpoint, concurrency=model.concurrency)
