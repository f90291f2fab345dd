"""What is being built: calls for an index are tallied, and count for no question's coverage.

An index is free of the question: its calls read the text to summarise it or to take facts out of
it. What was read *for the question* is what the coverage counts, the same whether the index was
built a moment ago or last week.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from memreader.llm.base import Usage


@dataclass(slots=True)
class Tally:
    """What an index takes: each of its calls counts, whether it was paid now or earlier."""

    calls: int = 0
    usage: Usage = field(default_factory=Usage)
    usd: float | None = 0.0
    """None where a price is not known."""
    failed: int = 0
    """Calls that were given up: the index lacks what they would have read."""

    def add(self, usage: Usage, usd: float | None) -> None:
        """Count a finished call."""
        self.calls += 1
        self.usage += usage
        self.usd = None if usd is None or self.usd is None else self.usd + usd


_BUILDING: ContextVar[Tally | None] = ContextVar("building", default=None)


def being_built() -> Tally | None:
    """The tally of the index that the present call is for; None where it is for a question."""
    return _BUILDING.get()


@contextmanager
def building() -> Iterator[Tally]:
    """Calls made inside, and by tasks begun inside, are for an index."""
    tally = Tally()
    token = _BUILDING.set(tally)
    try:
        yield tally
    finally:
        _BUILDING.reset(token)
