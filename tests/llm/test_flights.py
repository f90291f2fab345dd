"""The dispatcher: limits, pace, shared flights, several loops."""

from __future__ import annotations

import asyncio
import threading
import time as real_time
from collections.abc import Callable
from typing import Any

import pytest

from memreader.errors import (
    Refused,
)
from memreader.llm.base import Reply, Request
from memreader.llm.dispatch import Dispatcher
from memreader.llm.gate import Pace

pytestmark = pytest.mark.anyio
OK = Reply("yes")


def good() -> Reply:
    """A step that answers."""
    return OK


def bad(error: Exception) -> Callable[[], Reply]:
    """A step that fails."""

    def step() -> Reply:
        raise error

    return step


class Crowd:
    """Counts how many calls are inside at once; each stays for some turns of the loop."""

    def __init__(self) -> None:
        self.inside = self.peak = self.calls = 0

    async def complete(self, request: Request) -> Reply:
        """Stay a while."""
        self.inside += 1
        self.calls += 1
        self.peak = max(self.peak, self.inside)
        try:
            for _ in range(3):
                await asyncio.sleep(0)
        finally:
            self.inside -= 1
        return OK


async def test_never_more_in_flight_than_allowed(send: Any) -> None:
    """200 tasks at once through 7 slots: 7 are in flight at most, and all are answered."""
    dispatcher, crowd = Dispatcher(concurrency=7), Crowd()
    await asyncio.gather(*(send(dispatcher, crowd, f"k{i}") for i in range(200)))
    assert (crowd.calls, crowd.peak, dispatcher.peak, dispatcher.in_flight) == (200, 7, 7, 0)


async def test_identical_calls_share_one_flight(send: Any, fakes: Any) -> None:
    """Of ten equal calls one is made; the followers book nothing."""
    _, heard_type = fakes
    dispatcher, crowd = Dispatcher(concurrency=4), Crowd()
    heard = [heard_type() for _ in range(10)]
    replies = await asyncio.gather(*(send(dispatcher, crowd, "same", h) for h in heard))
    assert replies == [OK] * 10
    assert (crowd.calls, sum(h.attempts for h in heard)) == (1, 1)


async def test_a_follower_leads_when_the_leader_fails(send: Any, fakes: Any) -> None:
    """The leader's failure is its own; the next one tries for itself, and the rest share that."""
    fake_type, heard_type = fakes
    dispatcher = Dispatcher()

    async def refused_later() -> Reply:
        await asyncio.sleep(0)
        raise Refused("no")

    async def good_later() -> Reply:
        await asyncio.sleep(0)
        return OK

    llm = fake_type([refused_later, good_later])
    heard = [heard_type() for _ in range(3)]
    tasks = [send(dispatcher, llm, "same", h) for h in heard]
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(results[0], Refused)
    assert results[1:] == [OK, OK]
    assert [h.attempts for h in heard] == [1, 1, 0]


async def test_a_follower_leads_when_the_leader_is_cancelled(send: Any) -> None:
    """Cancelling the leader costs its followers nothing but a new attempt."""
    dispatcher, crowd = Dispatcher(concurrency=1), Crowd()
    tasks = [asyncio.ensure_future(send(dispatcher, crowd, "same")) for _ in range(3)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    tasks[0].cancel()
    assert await asyncio.gather(*tasks[1:]) == [OK, OK]
    assert (crowd.calls, dispatcher.in_flight) == (2, 0)


async def test_a_cancelled_follower_leaves_the_leader_alone(send: Any) -> None:
    """The leader's call goes on, and the other followers get its reply."""
    dispatcher, crowd = Dispatcher(concurrency=1), Crowd()
    tasks = [asyncio.ensure_future(send(dispatcher, crowd, "same")) for _ in range(3)]
    await asyncio.sleep(0)
    tasks[1].cancel()
    replies: list[Reply] = list(await asyncio.gather(tasks[0], tasks[2]))
    assert replies == [OK, OK]
    assert crowd.calls == 1


async def test_cancellation_leaves_nothing_running(send: Any) -> None:
    """Cancelled calls, waiting or in flight, give their slots and places back."""
    dispatcher, crowd = Dispatcher(concurrency=2), Crowd()
    tasks = [asyncio.ensure_future(send(dispatcher, crowd, f"k{i}")) for i in range(20)]
    for _ in range(3):
        await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert (crowd.inside, dispatcher.in_flight) == (0, 0)
    assert await send(dispatcher, crowd, "after") == OK


async def test_requests_are_paced(send: Any, time: Any) -> None:
    """With 10 requests a minute, 25 calls take two minutes, and no minute sees more than 10."""
    dispatcher, begun = Dispatcher(concurrency=50, policy=time.policy), []
    dispatcher.allow(requests_per_minute=10)

    class Noting:
        async def complete(self, request: Request) -> Reply:
            begun.append(time.now)
            return OK

    await asyncio.gather(*(send(dispatcher, Noting(), f"k{i}") for i in range(25)))
    assert len(begun) == 25
    assert all(sum(t <= u < t + 60 for u in begun) <= 10 for t in begun)


def test_tokens_are_paced() -> None:
    """A call waits until enough tokens have left the window; a larger one goes alone."""
    pace = Pace(tokens=100)
    assert pace.begin(60, 0.0) == 0
    assert pace.begin(40, 10.0) == 0
    assert pace.begin(30, 20.0) == 40.0
    assert pace.begin(30, 60.0) == 0
    assert pace.begin(1000, 60.0) > 0
    assert pace.begin(1000, 121.0) == 0


def test_several_threads_with_loops_share_one_endpoint() -> None:
    """Eight loops in eight threads, one limit: never more than 3 in flight, none left waiting."""
    dispatcher, crowd, lock = Dispatcher(concurrency=3), Crowd(), threading.Lock()
    done: list[int] = []

    class Locked:
        async def complete(self, request: Request) -> Reply:
            with lock:
                crowd.inside += 1
                crowd.peak = max(crowd.peak, crowd.inside)
            await asyncio.sleep(0)
            with lock:
                crowd.inside -= 1
            return OK

    async def nothing() -> None: ...

    async def many(thread: int) -> None:
        request = Request((), 1)
        calls = (
            dispatcher.complete(
                Locked(),
                request,
                key=f"{i % 5}" if i % 2 else f"{thread}-{i}",
                tokens=1,
                on_attempt=nothing,
                on_failure=lambda error: None,
            )
            for i in range(40)
        )
        done.append(len(await asyncio.gather(*calls)))

    threads = [threading.Thread(target=asyncio.run, args=(many(t),)) for t in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert done == [40] * 8
    assert crowd.peak <= 3
    assert dispatcher.in_flight == 0


def test_one_dispatcher_for_an_endpoint() -> None:
    """Whoever asks for an endpoint gets the same dispatcher; limits given later replace."""
    first = Dispatcher.for_endpoint("http://a/v1", concurrency=3)
    assert Dispatcher.for_endpoint("http://a/v1") is first
    assert first.limit == 3
    assert Dispatcher.for_endpoint("http://a/v1", concurrency=6).limit == 6
    assert Dispatcher.for_endpoint("http://b/v1") is not first


async def test_the_dispatcher_costs_little(send: Any) -> None:
    """Less than 0.2 ms of processor time a call, with the limit in the way."""
    dispatcher = Dispatcher(concurrency=8)

    class Quick:
        async def complete(self, request: Request) -> Reply:
            return OK

    llm, spent = Quick(), []
    for round_ in range(3):
        began = real_time.process_time()
        await asyncio.gather(*(send(dispatcher, llm, f"{round_}-{i}") for i in range(500)))
        spent.append((real_time.process_time() - began) / 500)
    assert min(spent) < 0.0002
