"""Bounded concurrency with results in input order, as they become ready."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable
from typing import Generic, TypeVar

import anyio
from anyio.abc import TaskGroup

from memreader.errors import BudgetExceeded

T = TypeVar("T")
R = TypeVar("R")


class Stream(AsyncIterator[R], Generic[T, R]):
    """Runs `fn` over items with a bounded number of workers.

    Items are pulled one at a time, as workers are free. A BudgetExceeded ends the pulling and
    leaves its item out; any other error ends the stream and is raised where it is consumed, as
    itself rather than in a group. Workers live in the run's task group, hence end with it.
    """

    def __init__(
        self,
        fn: Callable[[T], Awaitable[R]],
        items: Iterable[T] | AsyncIterable[T],
        workers: int,
        tasks: TaskGroup,
        on_cap: Callable[[BudgetExceeded], None],
    ) -> None:
        self._fn = fn
        self._items = items if isinstance(items, AsyncIterable) else _async(items)
        self._source = aiter(self._items)
        self._on_cap = on_cap
        self._pulling = anyio.Lock()
        self._ready: dict[int, list[R]] = {}
        self._pulled = self._next = 0
        self._exhausted = False
        self._error: BaseException | None = None
        self._changed = anyio.Event()
        self._working = max(1, workers)
        for _ in range(self._working):
            tasks.start_soon(self._work)

    def __aiter__(self) -> AsyncIterator[R]:
        return self

    async def __anext__(self) -> R:
        while True:
            if self._error is not None:
                raise self._error
            while self._next in self._ready:
                done = self._ready.pop(self._next)
                self._next += 1
                if done:
                    return done[0]
            if not self._working and self._next not in self._ready:
                raise StopAsyncIteration
            await self._changed.wait()

    async def _work(self) -> None:
        try:
            while (pulled := await self._pull()) is not None:
                index, item = pulled
                self._ready[index] = await self._result(item)
                self._wake()
        except Exception as error:  # because it is raised in the consumer, not in the task group
            self._error = self._error or error
            self._exhausted = True
        finally:
            self._working -= 1
            self._wake()

    async def _result(self, item: T) -> list[R]:
        """The result of one item; nothing where a cap was reached."""
        try:
            return [await self._fn(item)]
        except BudgetExceeded as error:
            self._exhausted = True
            self._on_cap(error)
            return []

    async def _pull(self) -> tuple[int, T] | None:
        async with self._pulling:
            if self._exhausted:
                return None
            try:
                item = await anext(self._source)
            except StopAsyncIteration:
                self._exhausted = True
                return None
            index, self._pulled = self._pulled, self._pulled + 1
            return index, item

    def _wake(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()


async def _async(items: Iterable[T]) -> AsyncIterator[T]:
    for item in items:
        yield item
