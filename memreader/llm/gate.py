"""The gate of one endpoint: how many calls may be in flight, and how fast they may begin.

Callers may run in several threads, each with an event loop of its own: state changes under a
thread lock that is never held across an await, and a waiter is woken in its own loop.
"""

from __future__ import annotations

import asyncio
import heapq
import math
import threading
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

WINDOW = 60.0
"""Seconds over which requests and tokens are counted: limits are for a minute."""


@dataclass(slots=True, order=True)
class _Waiter:
    turn: int
    loop: asyncio.AbstractEventLoop = field(compare=False)
    woken: asyncio.Future[None] = field(compare=False)
    granted: bool = field(default=False, compare=False)
    gone: bool = field(default=False, compare=False)


def wake(loop: asyncio.AbstractEventLoop, future: asyncio.Future[None]) -> bool:
    """Resolve a future in its own loop, from any thread; False where that loop is closed."""

    def resolve() -> None:
        if not future.done():
            future.set_result(None)

    try:
        loop.call_soon_threadsafe(resolve)
    except RuntimeError:  # the loop was closed with the waiter in it
        return False
    return True


class Pace:
    """Requests and tokens of the last minute, against what the endpoint allows in a minute."""

    def __init__(self, requests: int | None = None, tokens: int | None = None) -> None:
        self.requests = requests
        self.tokens = tokens
        self._begun: deque[tuple[float, int]] = deque()
        self._sum = 0

    def begin(self, tokens: int, now: float) -> float:
        """Count a call in and return 0, or return the seconds after which to ask again.

        A call larger than the limit itself goes alone: it would wait for ever otherwise.
        """
        if self.requests is None and self.tokens is None:
            return 0.0
        while self._begun and self._begun[0][0] <= now - WINDOW:
            self._sum -= self._begun.popleft()[1]
        delay = max(self._until_request(now), self._until_tokens(tokens, now))
        if delay <= 0:
            self._begun.append((now, tokens))
            self._sum += tokens
        return delay

    def _until_request(self, now: float) -> float:
        if self.requests is None or len(self._begun) < self.requests:
            return 0.0
        return self._begun[len(self._begun) - self.requests][0] + WINDOW - now

    def _until_tokens(self, tokens: int, now: float) -> float:
        if self.tokens is None or not self._begun or self._sum + tokens <= self.tokens:
            return 0.0
        over = self._sum + tokens - self.tokens
        begun = self._begun[-1][0]
        for at, size in self._begun:
            over -= size
            if over <= 0:
                begun = at
                break
        return begun + WINDOW - now


class Gate:
    """Slots with a limit that halves when the endpoint complains and recovers by one at a time."""

    def __init__(
        self,
        maximum: int,
        *,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self.maximum = self.limit = max(1, maximum)
        self.pace = Pace()
        self.in_flight = 0
        self.peak = 0
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._waiting: list[_Waiter] = []
        self._good = 0
        self._paused_until = -math.inf
        self._shrunk_at = -math.inf

    def allow(
        self, maximum: int | None, requests: int | None = None, tokens: int | None = None
    ) -> None:
        """Set limits anew; None leaves one as it is."""
        with self._lock:
            if maximum is not None and maximum != self.maximum:
                self.maximum = self.limit = max(1, maximum)
            self.pace.requests = requests or self.pace.requests
            self.pace.tokens = tokens or self.pace.tokens
            self._pump()

    async def enter(self, turn: int, tokens: int) -> float:
        """Wait for a slot, then for the pace and any pause; returns the time of entry.

        Lower turns go first, so that a call's later attempt keeps its place. The slot is held
        during the waits for pace and pause, which hold up every call alike.
        """
        await self._slot(turn)
        try:
            while True:
                now = self._clock()
                with self._lock:
                    delay = self._paused_until - now
                    if delay <= 0:
                        delay = self.pace.begin(tokens, now)
                if delay <= 0:
                    return now
                await self._sleep(delay)
        except BaseException:
            self.leave()
            raise

    def leave(self) -> None:
        """Give the slot back."""
        with self._lock:
            self.in_flight -= 1
            self._pump()

    def slow_down(self, seconds: float, entered: float) -> None:
        """Pause all calls, and halve the limit, once for all calls of one burst."""
        with self._lock:
            now = self._clock()
            self._paused_until = max(self._paused_until, now + seconds)
            self._good = 0
            if entered > self._shrunk_at:
                self._shrunk_at = now
                self.limit = max(1, self.limit // 2)

    def went_well(self) -> None:
        """Count a success: as many as the limit raise it by one."""
        with self._lock:
            self._good += 1
            if self.limit < self.maximum and self._good >= self.limit:
                self._good = 0
                self.limit += 1
                self._pump()

    async def _slot(self, turn: int) -> None:
        loop = asyncio.get_running_loop()
        with self._lock:
            if self.in_flight < self.limit and not self._waiting:
                self._grant()
                return
            waiter = _Waiter(turn, loop, loop.create_future())
            heapq.heappush(self._waiting, waiter)
            self._pump()
        try:
            await waiter.woken
        except BaseException:
            with self._lock:
                if waiter.granted:
                    self.in_flight -= 1
                    self._pump()
                waiter.gone = True
            raise

    def _grant(self) -> None:
        self.in_flight += 1
        self.peak = max(self.peak, self.in_flight)

    def _pump(self) -> None:
        """Hand free slots to those who wait, by turn. The lock is held."""
        while self._waiting and self.in_flight < self.limit:
            waiter = heapq.heappop(self._waiting)
            if waiter.gone or not wake(waiter.loop, waiter.woken):
                continue
            waiter.granted = True
            self._grant()
