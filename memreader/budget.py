"""Caps on spend, enforced before a call is made.

Each attempt is booked at its worst case; the booking is settled with what the call really cost.
While other bookings are open, a call that does not fit waits for them, since they usually cost
less than their worst case; only when none is open is the cap reached. A reserve keeps room for
the final answer.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import anyio

from memreader.errors import BudgetExceeded


@dataclass(frozen=True, slots=True)
class Limits:
    """Caps of one run; None is no cap."""

    calls: int | None = None
    """Model calls, failed attempts included."""
    tokens: int | None = None
    """Input and output tokens together."""
    usd: float | None = None
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Cost:
    """Calls, tokens and US dollars, spent or booked."""

    calls: int = 0
    tokens: int = 0
    usd: float = 0.0

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.calls + other.calls, self.tokens + other.tokens, self.usd + other.usd)

    def __sub__(self, other: Cost) -> Cost:
        return Cost(self.calls - other.calls, self.tokens - other.tokens, self.usd - other.usd)


FINAL_SHARE = 0.85
"""Share of the seconds that calls other than the final ones may use."""


@dataclass(slots=True)
class Budget:
    """Spend against limits. One for each run, or for several runs that share their caps.

    Used from one event loop.
    """

    limits: Limits = field(default_factory=Limits)
    spent: Cost = field(default_factory=Cost)
    clock: Callable[[], float] = time.monotonic
    stop_reason: str | None = None
    """Set by `stop`: no further call is booked."""
    _open: Cost = field(default_factory=Cost)
    _bookings: int = 0
    _reserves: dict[str, Cost] = field(default_factory=dict)
    _changed: anyio.Event = field(default_factory=anyio.Event)
    _began: float = 0.0

    def __post_init__(self) -> None:
        self._began = self.clock()

    def carry(self, spent: Cost, seconds: float) -> None:
        """Count what earlier processes used up of the same budget."""
        self.spent += spent
        self._began = min(self._began, self.clock() - seconds)

    def reserve(self, cost: Cost, owner: str = "") -> None:
        """Keep room for a reading's final calls, as far as a cap leaves room for others too."""
        self._reserves[owner] = cost

    def release(self, owner: str) -> None:
        """A reading is over: its reserve is free for those that share the budget."""
        self._reserves.pop(owner, None)
        self._wake()

    def stop(self, reason: str) -> None:
        """Book nothing more; calls in flight go on."""
        self.stop_reason = self.stop_reason or reason
        self._wake()

    def deadline(self, *, final: bool) -> float | None:
        """Seconds left for a call that starts now; None without a cap."""
        if self.limits.seconds is None:
            return None
        share = 1.0 if final else FINAL_SHARE
        return self._began + share * self.limits.seconds - self.clock()

    def out_of_time(self) -> BudgetExceeded:
        """What is raised where the seconds are used up, but for those kept for the final call."""
        return BudgetExceeded("seconds", self.limits.seconds or 0.0, self.clock() - self._began)

    async def book(self, worst: Cost, *, final: bool = False, owner: str = "") -> None:
        """Book a call's worst case, waiting for open bookings where that may make room.

        Raises BudgetExceeded where the call could pass a cap, or after `stop`.
        """
        while True:
            over = self._over(worst, final=final, owner=owner)
            if over is None:
                self._open += worst
                self._bookings += 1
                return
            if not self._bookings or over.limit in ("seconds", "interrupt"):
                raise over
            await self._changed.wait()

    def settle(self, worst: Cost, actual: Cost) -> None:
        """Replace a booking by what the attempt really cost."""
        self._open -= worst
        self._bookings -= 1
        self.spent += actual
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()

    def _reserved(self, *, final: bool, owner: str) -> Cost:
        """What a call may not touch: a final one may use its own reading's reserve."""
        whole = sum(self._reserves.values(), Cost())
        own = self._reserves.get(owner, Cost()) if final else Cost()
        crowded = {
            name: 0
            for name in ("calls", "tokens", "usd")
            if (cap := getattr(self.limits, name)) is not None and 2 * getattr(whole, name) > cap
        }
        return replace(whole - own, **crowded)

    def _over(self, worst: Cost, *, final: bool, owner: str) -> BudgetExceeded | None:
        if self.stop_reason is not None:
            return Stopped(self.stop_reason)
        left = self.deadline(final=final)
        if left is not None and left <= 0 and self.limits.seconds is not None:
            return self.out_of_time()
        needed = self.spent + self._open + worst + self._reserved(final=final, owner=owner)
        for name in ("calls", "tokens", "usd"):
            cap, value = getattr(self.limits, name), getattr(needed, name)
            if cap is not None and value > cap + 1e-12:
                return BudgetExceeded(name, cap, value)
        return None


class Stopped(BudgetExceeded):
    """The run was told to stop: treated like a cap."""

    def __init__(self, reason: str) -> None:
        super(BudgetExceeded, self).__init__(f"Stopped: {reason}.")
        self.limit, self.cap, self.needed = "interrupt", 0.0, 0.0
