"""The dispatcher: one for each endpoint and process, between the callers and a client.

It limits what is in flight, paces, retries (the one retry policy; SDK retries are off) and lets
identical calls share one flight. It may be used from several threads and event loops at once.
"""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast

from memreader.errors import (
    CallFailed,
    EndpointError,
    MemreaderError,
    RateLimited,
    ServerFault,
    TransientError,
    Unreachable,
)
from memreader.llm.base import LLM, Reply, Request
from memreader.llm.gate import Gate, wake
from memreader.llm.retry import RetryPolicy

if TYPE_CHECKING:
    from tenacity import RetryCallState

__all__ = ["Dispatcher", "RetryPolicy"]

R = TypeVar("R")
OnAttempt = Callable[[], Awaitable[None]]
OnFailure = Callable[[TransientError], None]

HOPELESS = 5
"""Calls that fail for good, with none that ever worked, until the endpoint is given up."""


@dataclass(slots=True)
class _Follower:
    loop: asyncio.AbstractEventLoop
    woken: asyncio.Future[None]
    leads: bool = False
    reply: Any = None


@dataclass(slots=True)
class _Flight:
    followers: deque[_Follower] = field(default_factory=deque)


@dataclass(frozen=True, slots=True)
class _Call:
    """What one attempt needs, the same for all attempts of a call."""

    answer: Callable[[], Awaitable[Any]]
    turn: int
    tokens: int
    on_attempt: OnAttempt
    on_failure: OnFailure


class Dispatcher:
    """Limits, retries and shared flights of one endpoint."""

    _shared: ClassVar[dict[str, Dispatcher]] = {}
    _shared_lock: ClassVar[threading.Lock] = threading.Lock()

    def __init__(
        self, *, concurrency: int = 4, policy: RetryPolicy | None = None, name: str = "the endpoint"
    ) -> None:
        self.policy = policy or RetryPolicy()
        self.name = name
        self._gate = Gate(concurrency, clock=self.policy.clock, sleep=self.policy.sleep)
        self._lock = threading.Lock()
        self._flights: dict[str, _Flight] = {}
        self._turns = itertools.count()
        self._succeeded = False
        self._failed = 0

    @classmethod
    def for_endpoint(
        cls,
        endpoint: str,
        *,
        concurrency: int | None = None,
        requests_per_minute: int | None = None,
        tokens_per_minute: int | None = None,
        policy: RetryPolicy | None = None,
    ) -> Dispatcher:
        """The endpoint's dispatcher in this process; limits that are given replace its own."""
        with cls._shared_lock:
            found = cls._shared.get(endpoint)
            if found is None:
                found = cls(concurrency=concurrency or 4, policy=policy, name=endpoint)
                cls._shared[endpoint] = found
        found.allow(concurrency, requests_per_minute, tokens_per_minute)
        return found

    def allow(
        self,
        concurrency: int | None = None,
        requests_per_minute: int | None = None,
        tokens_per_minute: int | None = None,
    ) -> None:
        """Set limits anew; None leaves one as it is."""
        self._gate.allow(concurrency, requests_per_minute, tokens_per_minute)

    @property
    def in_flight(self) -> int:
        """Slots taken now."""
        return self._gate.in_flight

    @property
    def limit(self) -> int:
        """Slots there are now: fewer than configured after the endpoint asked to slow down."""
        return self._gate.limit

    @property
    def peak(self) -> int:
        """Most slots ever taken at once."""
        return self._gate.peak

    async def complete(self, llm: LLM, request: Request, **how: Any) -> Reply:
        """Answer a request; keyword arguments, flights and errors are those of `run`."""
        return await self.run(partial(llm.complete, request), **how)

    async def run(
        self,
        answer: Callable[[], Awaitable[R]],
        *,
        key: str,
        tokens: int,
        on_attempt: OnAttempt,
        on_failure: OnFailure,
    ) -> R:
        """What `answer` gives, or share the flight of an equal `key`.

        `tokens` is the call's worst case, for the pace. `on_attempt` is awaited before every
        attempt, with the slot already taken, so that a booking never waits for one; what it
        raises is not retried. `on_failure` hears of every attempt that failed.
        Raises CallFailed after the last attempt, EndpointError where no call can work.
        """
        flight, follower = self._board(key)
        if follower is not None and (shared := await self._follow(key, flight, follower)):
            return cast(R, shared)
        call = _Call(answer, next(self._turns), tokens, on_attempt, on_failure)
        try:
            reply = await self._attempts(call)
        except BaseException:
            self._hand_over(key, flight)
            raise
        self._land(key, flight, reply)
        return cast(R, reply)

    # --- shared flights ------------------------------------------------------------------

    def _board(self, key: str) -> tuple[_Flight, _Follower | None]:
        with self._lock:
            flight = self._flights.get(key)
            if flight is None:
                flight = self._flights[key] = _Flight()
                return flight, None
            loop = asyncio.get_running_loop()
            follower = _Follower(loop, loop.create_future())
            flight.followers.append(follower)
            return flight, follower

    async def _follow(self, key: str, flight: _Flight, follower: _Follower) -> Any:
        """The leader's reply; None where this follower has to lead."""
        try:
            await follower.woken
        except BaseException:
            with self._lock:
                if follower in flight.followers:
                    flight.followers.remove(follower)
                leads = follower.leads
            if leads:
                self._hand_over(key, flight)
            raise
        return follower.reply

    def _hand_over(self, key: str, flight: _Flight) -> None:
        with self._lock:
            while flight.followers:
                follower = flight.followers.popleft()
                follower.leads = True
                if wake(follower.loop, follower.woken):
                    return
            self._flights.pop(key, None)

    def _land(self, key: str, flight: _Flight, reply: Any) -> None:
        with self._lock:
            self._flights.pop(key, None)
            for follower in flight.followers:
                follower.reply = reply
                wake(follower.loop, follower.woken)
            flight.followers.clear()

    # --- attempts ------------------------------------------------------------------------

    async def _attempts(self, call: _Call) -> Any:
        try:
            reply = await self._attempt(call)
        except (TransientError, Unreachable) as error:
            reply = await self._retried(call, error)
        self._succeeded, self._failed = True, 0
        return reply

    async def _retried(self, call: _Call, error: TransientError | Unreachable) -> Any:
        """Further attempts after a first one that failed, which counts as the first here too."""
        from tenacity import AsyncRetrying, retry_if_exception_type

        failed: list[TransientError | Unreachable] = [error]

        async def attempt() -> Any:
            if failed:
                raise failed.pop()
            return await self._attempt(call)

        retrying = AsyncRetrying(
            retry=retry_if_exception_type((TransientError, Unreachable)),
            stop=self._stops,
            wait=self._waits,
            sleep=self.policy.sleep,
            reraise=True,
        )
        try:
            return await retrying(attempt)
        except (TransientError, Unreachable) as last:
            raise self._final(last) from last

    async def _attempt(self, call: _Call) -> Any:
        entered = await self._gate.enter(call.turn, call.tokens)
        try:
            await call.on_attempt()
            reply = await self._answered(call, entered)
        finally:
            self._gate.leave()
        self._gate.went_well()
        return reply

    async def _answered(self, call: _Call, entered: float) -> Any:
        try:
            return await call.answer()
        except TransientError as error:
            if isinstance(error, RateLimited):
                seconds = min(self.policy.wait(error, 1), self.policy.patience)
                self._gate.slow_down(seconds, entered)
            call.on_failure(error)
            raise
        except MemreaderError as error:
            # The booking has to be settled all the same; nothing was billed.
            call.on_failure(ServerFault(str(error)))
            raise

    def _stops(self, state: RetryCallState) -> bool:
        return self.policy.gives_up(_error(state), state.attempt_number)

    def _waits(self, state: RetryCallState) -> float:
        """Seconds outside the gate; a rate limit's pause is kept by the gate, for all calls."""
        error = _error(state)
        if isinstance(error, RateLimited) and error.retry_after is not None:
            return 0.0
        return self.policy.wait(error, state.attempt_number)

    def _final(self, error: TransientError | Unreachable) -> MemreaderError:
        if isinstance(error, Unreachable):
            return error
        if isinstance(error, RateLimited):
            asked = f", and asks to wait {error.retry_after:,.0f} s" if error.retry_after else ""
            return EndpointError(
                f"{self.name} still limits our rate{asked}: {str(error).rstrip('.')}. "
                f"Wait, or lower `concurrency`, `requests_per_minute` or `tokens_per_minute`; "
                f"finished calls are kept."
            )
        self._failed += 1
        if not self._succeeded and self._failed >= HOPELESS:
            return EndpointError(
                f"{self.name} failed every one of the first {self._failed} calls: "
                f"{str(error).rstrip('.')}. `memreader doctor` says more."
            )
        return CallFailed(str(error))


def _error(state: RetryCallState) -> BaseException:
    error = state.outcome.exception() if state.outcome is not None else None
    return error if error is not None else AssertionError("tenacity stops on failures only")
