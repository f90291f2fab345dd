"""The dispatcher: limits, pace, retries, shared flights, several loops."""

from __future__ import annotations

import asyncio
import threading
import time as real_time
from collections.abc import Callable
from typing import Any

import pytest

from memreader.errors import (
    BudgetExceeded,
    CallFailed,
    EndpointError,
    PromptTooLong,
    RateLimited,
    Refused,
    ServerFault,
    Unreachable,
)
from memreader.llm.base import Reply, Request
from memreader.llm.dispatch import Dispatcher
from memreader.llm.faults import TimedOut
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
    assert await asyncio.gather(tasks[0], tasks[2]) == [OK, OK]
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


async def test_a_server_fault_is_retried_with_growing_waits(
    send: Any, fakes: Any, time: Any
) -> None:
    """Each attempt books anew, each failure is told, and the waits double."""
    fake_type, heard_type = fakes
    heard, dispatcher = heard_type(), Dispatcher(policy=time.policy)
    llm = fake_type([bad(ServerFault("503")), bad(ServerFault("503")), good])
    assert await send(dispatcher, llm, heard=heard) == OK
    assert (heard.attempts, len(heard.failures), time.slept) == (3, 2, [0.5, 1.0])


async def test_after_the_last_attempt_the_call_has_failed(
    send: Any, fakes: Any, time: Any
) -> None:
    """Five attempts, then CallFailed with the last error's words."""
    fake_type, heard_type = fakes
    heard = heard_type()
    with pytest.raises(CallFailed, match="the server is on fire"):
        await send(
            Dispatcher(policy=time.policy),
            fake_type([bad(ServerFault("the server is on fire"))]),
            heard=heard,
        )
    assert (heard.attempts, len(heard.failures)) == (5, 5)


async def test_a_wait_asked_for_with_a_server_fault_is_kept(
    send: Any, fakes: Any, time: Any
) -> None:
    """Retry-After of a 503 goes before our own wait."""
    fake_type, _ = fakes
    error = ServerFault("503")
    error.retry_after = 7.0
    await send(Dispatcher(policy=time.policy), fake_type([bad(error), good]))
    assert time.slept == [7.0]


async def test_a_rate_limit_pauses_everybody_and_halves_the_limit(
    send: Any, fakes: Any, time: Any
) -> None:
    """After a 429 no call begins before the time asked for; the limit is halved once a burst."""
    fake_type, _ = fakes
    dispatcher = Dispatcher(concurrency=8, policy=time.policy)
    limited = fake_type([bad(RateLimited("slow", 30.0))] * 8 + [good])
    begun: list[float] = []

    class Noting:
        async def complete(self, request: Request) -> Reply:
            begun.append(time.now)
            await asyncio.sleep(0)
            return await limited.complete(request)  # type: ignore[no-any-return]

    await asyncio.gather(*(send(dispatcher, Noting(), f"k{i}") for i in range(8)))
    assert dispatcher.limit in (4, 5)  # halved once, perhaps raised by the successes since
    assert begun[:8] == [1000.0] * 8
    assert all(at >= 1030.0 for at in begun[8:])


async def test_the_limit_recovers_by_one_for_as_many_successes(
    send: Any, fakes: Any, time: Any
) -> None:
    """From 4 back to 8: 4 + 5 + 6 + 7 successes."""
    fake_type, _ = fakes
    dispatcher = Dispatcher(concurrency=8, policy=time.policy)
    await send(dispatcher, fake_type([bad(RateLimited("slow", 1.0)), good]))
    assert dispatcher.limit == 4
    for i in range(3):
        await send(dispatcher, fake_type([good]), f"k{i}")
    assert dispatcher.limit == 5
    for i in range(5 + 6 + 7 + 20):
        await send(dispatcher, fake_type([good]), f"l{i}")
    assert dispatcher.limit == 8


async def test_a_lasting_rate_limit_ends_in_an_endpoint_error(
    send: Any, fakes: Any, time: Any
) -> None:
    """Eight attempts, then an error that says what to lower."""
    fake_type, heard_type = fakes
    heard = heard_type()
    with pytest.raises(EndpointError, match="requests_per_minute"):
        await send(
            Dispatcher(policy=time.policy), fake_type([bad(RateLimited("429"))]), heard=heard
        )
    assert heard.attempts == 8


async def test_a_very_long_wait_is_not_waited_for(send: Any, fakes: Any, time: Any) -> None:
    """Retry-After of an hour is an error at once."""
    fake_type, _ = fakes
    with pytest.raises(EndpointError, match="3,600 s"):
        await send(Dispatcher(policy=time.policy), fake_type([bad(RateLimited("429", 3600.0))]))
    assert sum(time.slept) == 0


async def test_an_unreachable_endpoint_is_tried_three_times(
    send: Any, fakes: Any, time: Any
) -> None:
    """It stays Unreachable, and every booking is settled as a failure that cost nothing."""
    fake_type, heard_type = fakes
    heard = heard_type()
    with pytest.raises(Unreachable):
        await send(
            Dispatcher(policy=time.policy), fake_type([bad(Unreachable("gone"))]), heard=heard
        )
    assert (heard.attempts, len(heard.failures)) == (3, 3)
    assert not any(f.may_be_billed for f in heard.failures)


@pytest.mark.parametrize("error", [Refused("401"), PromptTooLong("too long")])
async def test_what_cannot_be_mended_is_not_tried_again(
    send: Any, fakes: Any, time: Any, error: Exception
) -> None:
    """A refusal and a prompt that is too long are raised as they are, after one attempt."""
    fake_type, heard_type = fakes
    heard = heard_type()
    with pytest.raises(type(error)):
        await send(Dispatcher(policy=time.policy), fake_type([bad(error)]), heard=heard)
    assert (heard.attempts, len(heard.failures)) == (1, 1)


async def test_a_time_out_is_tried_twice_only(send: Any, fakes: Any, time: Any) -> None:
    """Each attempt has cost the whole read time-out already."""
    fake_type, _ = fakes
    llm = fake_type([bad(TimedOut("no answer"))])
    with pytest.raises(CallFailed):
        await send(Dispatcher(policy=time.policy), llm)
    assert llm.calls == 2


async def test_a_refused_booking_is_not_retried(send: Any, fakes: Any) -> None:
    """BudgetExceeded from the booking ends the call, makes no request and frees the slot."""
    fake_type, heard_type = fakes
    llm, heard, dispatcher = fake_type([good]), heard_type(), Dispatcher(concurrency=1)

    async def refuse() -> None:
        raise BudgetExceeded("calls", 1, 2)

    heard.on_attempt = refuse
    with pytest.raises(BudgetExceeded):
        await send(dispatcher, llm, heard=heard)
    assert (llm.calls, dispatcher.in_flight) == (0, 0)


async def test_the_slot_is_taken_before_the_booking(send: Any, fakes: Any) -> None:
    """No more bookings are open than there are slots."""
    _, heard_type = fakes
    dispatcher, crowd, booked = Dispatcher(concurrency=2), Crowd(), []
    heard = heard_type()

    async def book() -> None:
        booked.append(dispatcher.in_flight)

    heard.on_attempt = book
    await asyncio.gather(*(send(dispatcher, crowd, f"k{i}", heard) for i in range(20)))
    assert len(booked) == 20
    assert max(booked) == 2


async def test_an_endpoint_that_never_worked_is_given_up(
    send: Any, fakes: Any, time: Any
) -> None:
    """The fifth call that fails for good, with none that worked, is an endpoint error."""
    fake_type, _ = fakes
    dispatcher = Dispatcher(policy=time.policy, name="http://x/v1")
    for i in range(4):
        with pytest.raises(CallFailed):
            await send(dispatcher, fake_type([bad(ServerFault("503"))]), f"k{i}")
    with pytest.raises(EndpointError, match="every one of the first 5 calls: 503"):
        await send(dispatcher, fake_type([bad(ServerFault("503"))]), "k5")


async def test_one_success_keeps_an_endpoint(send: Any, fakes: Any, time: Any) -> None:
    """Failures after a success are failures of calls."""
    fake_type, _ = fakes
    dispatcher = Dispatcher(policy=time.policy)
    await send(dispatcher, fake_type([good]), "first")
    for i in range(7):
        with pytest.raises(CallFailed):
            await send(dispatcher, fake_type([bad(ServerFault("503"))]), f"k{i}")


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
