"""One model call, metered: journal, budget, dispatcher, coverage and events in one place.

No strategy can go around it, so that metering, journalling and budgets cannot be forgotten.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import anyio

from memreader import events
from memreader.answer import Spend
from memreader.budget import Budget, Cost
from memreader.building import being_built
from memreader.chunking import Chunk
from memreader.coverage import Ledger
from memreader.errors import (
    CallFailed,
    EndpointError,
    PromptTooLong,
    SilentTruncation,
    TransientError,
)
from memreader.journal import Journal
from memreader.llm.base import LLM, Model, Reply, Request, Usage
from memreader.llm.truncation import check_truncation
from memreader.prompt_tokens import from_above


class Dispatch(Protocol):
    """Limits, retries and shared flights of one endpoint (`llm.dispatch.Dispatcher`)."""

    async def complete(
        self,
        llm: LLM,
        request: Request,
        *,
        key: str,
        tokens: int,
        on_attempt: Callable[[], Awaitable[None]],
        on_failure: Callable[[TransientError], None],
    ) -> Reply:
        """Answer one request."""
        ...


@dataclass(slots=True)
class EventStream:
    """Numbers events and hands them to the listeners, in order."""

    listeners: list[Callable[[events.Event], None]] = field(default_factory=list)
    _began: float = field(default_factory=time.monotonic)
    _number: int = 0

    def emit(self, event: events.Event) -> None:
        """Give the event its number and time, and pass it on."""
        self._number += 1
        numbered = replace(event, number=self._number, at=time.monotonic() - self._began)
        for listener in self.listeners:
            listener(numbered)


@dataclass(slots=True)
class _Flight:
    """The open booking of one call's present attempt."""

    worst: Cost
    billed: Cost
    """What a failed attempt counts as when the server may have done the work."""
    attempts: int = 0
    open: bool = False


@dataclass(slots=True)
class Caller:
    """Makes the calls of one run."""

    model: Model
    dispatcher: Dispatch
    budget: Budget
    journal: Journal
    run_id: str
    stream: EventStream
    ledger: Ledger
    mask: str = ""
    """The fence's delimiter: absent from journal keys, so that unchanged chunks are found."""
    fresh: bool = False
    """Ignore calls that other runs paid for."""
    carried: int = 0
    """Calls of this run that earlier processes paid for."""
    reused: set[str] = field(default_factory=set)
    """Keys of the calls that other runs paid for."""
    clipped: bool = False
    """Whether a final reply was cut at its limit."""
    repairs: int = 0
    retries: int = 0
    broken: EndpointError | None = None
    """Why the endpoint can answer no further call; no strategy may pass over it."""

    def tokens(self, request: Request, chunks: Sequence[Chunk] = ()) -> int:
        """Prompt tokens of a request that shows these chunks, chat template included, from above.

        Without chunks it is counted whole.
        """
        shown = from_above(self.model.counter, request.text, chunks)
        return shown + self.model.overhead * len(request.messages)

    async def call(
        self, request: Request, *, step: str, chunks: Sequence[Chunk] = (), final: bool = False
    ) -> Reply:
        """Answer from the journal, or make the call and journal it.

        Raises PromptTooLong before a call that cannot fit, BudgetExceeded before one that could
        pass a cap, CallFailed after the last attempt, EndpointError where none can help.
        """
        if thinking := self.model.thinking:
            request = replace(request, max_tokens=request.max_tokens + thinking)
        key = request.key(self.model.identity, mask=self.mask)
        reply = self._journalled(key)
        replayed = reply is not None
        if reply is None:
            tokens = self._fitting(request, step, chunks)
            reply = await self._paid(request, key, step, tokens, chunks, final=final)
        self._finished(request, reply, key, step, chunks, replayed=replayed)
        return reply

    def _finished(
        self,
        request: Request,
        reply: Reply,
        key: str,
        step: str,
        chunks: Sequence[Chunk],
        *,
        replayed: bool,
    ) -> None:
        """Enter a finished call in the ledger, or in the tally of the index it was made for."""
        tally = being_built()
        if tally is None:
            shown = self.ledger.shown(chunks, request.text)
        else:
            tally.add(reply.usage, self._price(reply.usage))
            shown = tuple(c.index for c in chunks)
        self.stream.emit(
            events.CallFinished(
                step=step,
                key=key,
                input_tokens=reply.usage.input_tokens,
                cached_input_tokens=reply.usage.cached_input_tokens,
                output_tokens=reply.usage.output_tokens,
                cost_usd=0.0 if replayed else self._price(reply.usage),
                from_journal=replayed,
                sources=shown,
                for_index=tally is not None,
            )
        )

    def worst(self, input_tokens: int, output_tokens: int) -> Cost:
        """What a call of this size may cost at worst."""
        return self._cost(Usage(input_tokens, 0, output_tokens))

    def give_up(self, step: str, reason: str, chunks: Sequence[Chunk]) -> None:
        """Record that the reply about these chunks is lost."""
        if (tally := being_built()) is not None:
            tally.failed += 1
        self.stream.emit(
            events.CallGivenUp(step=step, reason=reason, sources=self.ledger.failed(chunks))
        )

    def spend(self) -> Spend:
        """Calls and tokens of the run so far, over all its processes."""
        paid = self.journal.spend(self.run_id)
        return Spend(
            calls=paid.calls,
            cached_calls=len(self.reused),
            input_tokens=paid.usage.input_tokens,
            cached_input_tokens=paid.usage.cached_input_tokens,
            output_tokens=paid.usage.output_tokens,
            failed_calls=paid.failed,
            repairs=self.repairs,
            retries=self.retries,
        )

    def _journalled(self, key: str) -> Reply | None:
        reply = self.journal.get(key)
        if reply is None:
            return None
        own = self.journal.paid_by(key) == self.run_id
        if self.fresh and not own:
            return None
        if not own:
            self.reused.add(key)
        return reply

    def _fitting(self, request: Request, step: str, chunks: Sequence[Chunk]) -> int:
        """Prompt tokens of a request that fits the window: counted whole where that is in doubt."""
        window = self.model.window + self.model.thinking
        tokens = self.tokens(request, chunks)
        if chunks and tokens + request.max_tokens > window:
            tokens = self.tokens(request)
        if tokens + request.max_tokens > window:
            raise PromptTooLong(
                f"The prompt of step `{step}` has {tokens:,} tokens; with {request.max_tokens:,} "
                f"for the reply it does not fit the window of {window:,} tokens of "
                f"{self.model.name}. Ask a shorter question, use a strategy that reads in chunks, "
                f"or a model with a larger window."
            )
        return tokens

    async def _paid(
        self,
        request: Request,
        key: str,
        step: str,
        tokens: int,
        chunks: Sequence[Chunk],
        *,
        final: bool,
    ) -> Reply:
        worst = self.worst(tokens, request.max_tokens)
        flight = _Flight(worst, self._cost(Usage(tokens, 0, 0)))

        async def on_attempt() -> None:
            await self.budget.book(worst, final=final, owner=self.run_id)
            flight.open = True
            flight.attempts += 1
            self.retries += flight.attempts > 1
            self.stream.emit(events.CallStarted(step=step, key=key, attempt=flight.attempts))

        def on_failure(error: TransientError) -> None:
            self._settle_failure(flight, key, billed=error.may_be_billed)
            self.stream.emit(events.AttemptFailed(step=step, key=key, reason=str(error)))

        try:
            with anyio.move_on_after(self.budget.deadline(final=final)) as scope:
                reply = await self.dispatcher.complete(
                    self.model.llm,
                    request,
                    key=key,
                    tokens=tokens + request.max_tokens,
                    on_attempt=on_attempt,
                    on_failure=on_failure,
                )
            if scope.cancelled_caught:
                raise self.budget.out_of_time()
        except EndpointError as error:
            self.broken = error
            raise
        except CallFailed as error:
            self.give_up(step, str(error), chunks)
            raise
        finally:
            if flight.open and "reply" not in locals():
                self._settle_failure(flight, key, billed=True)
        if flight.open:  # not so where the call shared another one's flight
            self._check_whole(request, reply, flight, key, tokens)
            self._settle(flight, key, reply)
        return reply

    def _check_whole(
        self, request: Request, reply: Reply, flight: _Flight, key: str, tokens: int
    ) -> None:
        """A reply to a prompt that the server cut is paid, and is no answer."""
        try:
            check_truncation(request, reply, self.model, at_most=tokens)
        except SilentTruncation as error:
            self.broken = error
            self._settle_failure(flight, key, billed=True)
            raise

    def _settle(self, flight: _Flight, key: str, reply: Reply) -> None:
        flight.open = False
        self.journal.put(self.run_id, key, reply, self._price(reply.usage))
        self.budget.settle(flight.worst, self._cost(reply.usage))

    def _settle_failure(self, flight: _Flight, key: str, *, billed: bool) -> None:
        if not flight.open:
            return
        flight.open = False
        actual = flight.billed if billed else Cost(calls=1)
        usd = actual.usd if self.model.price is not None else None
        self.journal.put_failure(self.run_id, key, actual.tokens, usd)
        self.budget.settle(flight.worst, actual)

    def _price(self, usage: Usage) -> float | None:
        return None if self.model.price is None else self.model.price.of(usage)

    def _cost(self, usage: Usage) -> Cost:
        return Cost(1, usage.input_tokens + usage.output_tokens, self._price(usage) or 0.0)
