"""The one retry policy: how often a failed call is tried again, and after what waits."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from memreader.errors import RateLimited, TransientError, Unreachable
from memreader.llm.faults import TimedOut


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and after what waits a call is tried again. Times are seconds."""

    attempts: int = 5
    rate_limited_attempts: int = 8
    unreachable_attempts: int = 3
    timed_out_attempts: int = 2
    """Few: each has already taken the whole read time-out."""
    base: float = 0.5
    """First wait, doubled from attempt to attempt and spread by the jitter."""
    cap: float = 30.0
    patience: float = 300.0
    """A server that asks for a longer wait than this is not waited for."""
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    clock: Callable[[], float] = time.monotonic
    jitter: Callable[[], float] = random.random

    def attempts_for(self, error: BaseException) -> int:
        """Attempts in all for a call that fails like this."""
        match error:
            case RateLimited():
                return self.rate_limited_attempts
            case Unreachable():
                return self.unreachable_attempts
            case TimedOut():
                return self.timed_out_attempts
            case _:
                return self.attempts

    def wait(self, error: BaseException, attempt: int) -> float:
        """Seconds until the next attempt: what the server asks for, else exponential."""
        asked = error.retry_after if isinstance(error, TransientError) else None
        if asked is not None:
            return max(0.0, asked)
        grown = min(self.cap, self.base * 2.0 ** (attempt - 1))
        return grown * (0.5 + 0.5 * self.jitter())

    def gives_up(self, error: BaseException, attempt: int) -> bool:
        """Whether no further attempt is made after this one."""
        asked = error.retry_after if isinstance(error, TransientError) else None
        return attempt >= self.attempts_for(error) or (asked or 0.0) > self.patience
