"""What of several things fits a budget of tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

T = TypeVar("T")


def first_that_fit(items: Sequence[T], budget: int, size: Callable[[T], int]) -> Sequence[T]:
    """The first items within a budget, up to the one that would pass it."""
    used = 0
    for number, item in enumerate(items):
        used += size(item)
        if used > budget:
            return items[:number]
    return items


def best_that_fit(ranked: Iterable[T], budget: int, size: Callable[[T], int]) -> list[T]:
    """The best items within a budget, in their rank; one that is too large is passed over."""
    kept: list[T] = []
    for item in ranked:
        needed = size(item)
        if needed <= budget:
            kept.append(item)
            budget -= needed
    return kept
