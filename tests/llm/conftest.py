"""Fixtures of the tests around models and endpoints."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import pytest

from memreader.llm.base import Message, Reply, Request
from memreader.llm.dispatch import Dispatcher
from memreader.llm.retry import RetryPolicy


@pytest.fixture
def anyio_backend() -> str:
    """The dispatcher and the clients run on asyncio."""
    return "asyncio"


@dataclass
class Time:
    """A clock that moves only when somebody sleeps."""

    now: float = 1000.0
    slept: list[float] = field(default_factory=list)

    def clock(self) -> float:
        """Seconds."""
        return self.now

    async def sleep(self, seconds: float) -> None:
        """Move the clock, and let others run."""
        self.slept.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)

    @property
    def policy(self) -> RetryPolicy:
        """The default policy on this clock, without chance."""
        return RetryPolicy(sleep=self.sleep, clock=self.clock, jitter=lambda: 1.0)


@pytest.fixture
def time() -> Time:
    """A clock for one test."""
    return Time()


@dataclass
class Fake:
    """A model that does what its functions say, one for each call; the last one for the rest."""

    steps: list[Callable[[], Awaitable[Reply] | Reply]]
    calls: int = 0

    async def complete(self, request: Request) -> Reply:
        """The next step."""
        step = self.steps[min(self.calls, len(self.steps) - 1)]
        self.calls += 1
        made = step()
        return made if isinstance(made, Reply) else await made


@dataclass
class Heard:
    """What a caller hears of one call."""

    attempts: int = 0
    failures: list[Exception] = field(default_factory=list)

    async def on_attempt(self) -> None:
        """Count."""
        self.attempts += 1

    def on_failure(self, error: Exception) -> None:
        """Keep."""
        self.failures.append(error)


Send = Callable[..., Awaitable[Reply]]


@pytest.fixture
def send() -> Send:
    """Send one request through a dispatcher."""

    async def through(
        dispatcher: Dispatcher, llm: object, key: str = "k", heard: Heard | None = None, **how: int
    ) -> Reply:
        heard = heard or Heard()
        return await dispatcher.complete(
            llm,  # type: ignore[arg-type]
            ask(),
            key=key,
            tokens=how.get("tokens", 10),
            on_attempt=heard.on_attempt,
            on_failure=heard.on_failure,
        )

    return through


def ask(text: str = "hello there", **how: object) -> Request:
    """A request with one message."""
    return Request((Message("user", text),), how.pop("max_tokens", 50), **how)  # type: ignore[arg-type]


@pytest.fixture
def request_for() -> Callable[..., Request]:
    """Make a request with one message."""
    return ask


@pytest.fixture
def fakes() -> tuple[type[Fake], type[Heard]]:
    """The fake model and the fake caller."""
    return Fake, Heard
