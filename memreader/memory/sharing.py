"""What several readings of one process share: opened by the first, closed by the last."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Generic, TypeVar

T = TypeVar("T")


class Shared(Generic[T]):
    """One open thing for each key. Used from threads: what opens it may block."""

    def __init__(self, opened: Callable[[str], AbstractContextManager[T]]) -> None:
        self._opened = opened
        self._lock = threading.Lock()
        self._held: dict[str, _Held[T]] = {}

    def take(self, key: str) -> T:
        """Open it, or share it; every `take` is followed by one `give_back`."""
        with self._lock:
            if key not in self._held:
                context = self._opened(key)
                self._held[key] = _Held(context, context.__enter__())
            held = self._held[key]
            held.users += 1
            return held.thing

    def give_back(self, key: str) -> None:
        """Close it if nobody else uses it."""
        with self._lock:
            held = self._held[key]
            held.users -= 1
            if not held.users:
                del self._held[key]
                held.context.__exit__(None, None, None)


class _Held(Generic[T]):
    def __init__(self, context: AbstractContextManager[T], thing: T) -> None:
        self.context, self.thing, self.users = context, thing, 0
