"""One reading from its parts: journal, budget, caller and run, and the answer at the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace

import anyio
from anyio.abc import TaskGroup

from memreader import events
from memreader.answer import Answer, Draft, Forgotten, Status, Stopped
from memreader.budget import Budget, Cost, Limits
from memreader.calls import Caller, EventStream
from memreader.citing import citation, cited, stands
from memreader.coverage import Ledger
from memreader.document import Arriving
from memreader.errors import BudgetExceeded, CallFailed, StrategyFault
from memreader.evidence import NO_INFORMATION
from memreader.identity import Identity
from memreader.indexing import Indexing
from memreader.llm.base import Model
from memreader.llm.dispatch import Dispatcher
from memreader.loaders.opening import Skipped
from memreader.probing import probed
from memreader.prompts import PromptFiles
from memreader.remarks import Remarks
from memreader.remembering import Remembering
from memreader.rendering import Rendering
from memreader.reranking import Reranker
from memreader.retrieving import Retriever, Retrieving
from memreader.run import Run
from memreader.search import EmbedderOpener, Search
from memreader.stores import Stores
from memreader.strategy import Strategy, name_of
from memreader.supply import Supply

Listener = Callable[[events.Event], None]


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
        caller = self._caller()
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
            run, draft = await self._read(caller)
            answer = await self._answer(run, draft)
            state = answer.stopped
        finally:
            caller.budget.release(caller.run_id)
            caller.journal.finish(caller.run_id, state, time.monotonic() - self.began)
        self.stream.emit(events.RunFinished(answer=answer.to_json()))
        return answer

    async def _read(self, caller: Caller) -> tuple[Run, Draft]:
        error: Exception | None = None
        async with AsyncExitStack() as resources, anyio.create_task_group() as tasks:
            draft = Draft("", status="partial")
            try:
                search = Search(self.embedder, self.stores.vectors, resources)
                run = self._run(caller, tasks, search)
                draft = await self.strategy.read(self.question, run)
            except BudgetExceeded as capped:
                run.cap(capped)
                draft = run.kept or draft
            except CallFailed as failed:  # the strategy has no default for it; coverage shows it
                run.note(f"The reading ended early: {failed}")
                draft = run.kept or draft
            except Exception as raised:  # because the task group would wrap it in a group
                error = raised
            tasks.cancel_scope.cancel()
        if error is not None:
            raise error
        if caller.broken is not None:
            raise StrategyFault(
                f"The strategy went on although the endpoint failed: {caller.broken}"
            ) from caller.broken
        if run.retrieving.ignored and not run.capped:
            run.note(f"{name_of(self.strategy)} did not ask the retriever.")
        return run, draft

    def _run(self, caller: Caller, tasks: TaskGroup, search: Search) -> Run:
        fence = replace(self._identity.fence, plain=self.model.wire == "plain")
        rendering = Rendering(PromptFiles.of(self.strategy), self.model, fence)
        caller.mask = rendering.fence.delimiter
        supply = Supply(self.arriving, self.model.counter, caller.ledger, self.stream.emit)
        memories, told = caller.journal.memories, self._identity.told
        return Run(
            self.question,
            supply,
            self.model,
            caller,
            rendering,
            Indexing(self._identity, self.stores.shelf(), self.stream.emit),
            search,
            tasks,
            Remembering(caller.run_id, told, memories, supply, self.stream.emit),
            self.rescue,
            Retrieving(self.retriever),
            self.reranker,
        )

    async def _answer(self, run: Run, draft: Draft) -> Answer:
        corpus = await run.corpus()
        run.supply.account_for_the_rest(corpus)
        caller, ledger = run.caller, run.caller.ledger
        read = ledger.spans_read()
        if NO_INFORMATION in draft.text:  # our own marker is no answer
            draft = _withheld(draft)
        evidence = cited(draft, corpus, self.question, read) if draft.text else []
        if draft.text and not stands(draft, evidence, self.question, corpus, read):
            run.note("The answer rests on nothing that was read; it is withheld.")
            draft, evidence = _withheld(draft), []
        forgot = self._account_for_the_memory(run)
        spans = [e.span for e in evidence if e.span is not None]
        used = run.versions[-1].sources if run.versions else spans
        coverage = ledger.report(corpus, [*used, *spans], spans)
        lacking = run.capped or caller.clipped or coverage.failed
        status: Status = "partial" if lacking else draft.status
        stopped: Stopped = "finished"
        if run.capped:
            stopped = "interrupted" if caller.budget.stop_reason else "budget"
        return Answer(
            text=draft.text,
            status=status,
            strategy=name_of(self.strategy),
            model=self.model.name,
            citations=tuple(citation(e, corpus) for e in evidence),
            coverage=coverage,
            usage=caller.spend(),
            cost_usd=None if self.model.price is None else caller.journal.spend(caller.run_id).usd,
            seconds=time.monotonic() - self.began,
            stopped=stopped,
            run_id=caller.run_id,
            notes=tuple(self.remarks.notes),
            problems=self.remarks.problems,
            carried_calls=caller.carried,
            rationale=draft.rationale,
            memory=tuple(run.versions),
            forgot=forgot,
            manifest=self._identity.manifest,
        )

    def _account_for_the_memory(self, run: Run) -> Forgotten | None:
        """How much the memory forgot, said in a line; nothing is lost in silence."""
        memory = run.memory
        if not run.capped:
            memory.table.end(memory.run, len(memory.versions))
        forgot = memory.forgot
        if forgot is not None and forgot.facts:
            run.note(str(forgot))
        if self.rescue and not memory.asked and not run.capped:
            run.note(f"{name_of(self.strategy)} does not read again what it forgot: no rescue.")
        return forgot

    # --- parts -----------------------------------------------------------------------------

    def _caller(self) -> Caller:
        if self.caller is None:
            journal = self.stores.journal()
            run_id, continued = journal.start(
                self._identity.job, what=self._identity.what, fresh=self.resumption.fresh
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
    def _identity(self) -> Identity:
        return Identity(self.arriving, self.question, self.model, self.strategy, self.rescue)


def dispatcher_of(model: Model) -> Dispatcher:
    """The endpoint's dispatcher; a model in this process has one of its own."""
    if model.endpoint == "in-process":
        return Dispatcher(concurrency=model.concurrency, policy=model.retry)
    return Dispatcher.for_endpoint(model.endpoint, concurrency=model.concurrency)


def _withheld(draft: Draft) -> Draft:
    """The draft without its answer."""
    return Draft("", status="not_found" if draft.status == "complete" else draft.status)
