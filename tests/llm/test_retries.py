"""The dispatcher: what is tried again, after what waits, and what is not."""

from __future__ import annotations

import asyncio
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


async def test_a_server_fault_is_retried_with_growing_waits(
    send: Any, fakes: Any, time: Any
) -> None:
    """Each attempt books anew, each failure is told, and the waits double."""
    fake_type, heard_type = fakes
    heard, dispatcher = heard_type(), Dispatcher(policy=time.policy)
    llm = fake_type([bad(ServerFault("503")), bad(ServerFault("503")), good])
    assert await send(dispatcher, llm, heard=heard) == OK
    assert (heard.attempts, len(heard.failures), time.slept) == (3, 2, [0.5, 1.0])


async def test_after_the_last_attempt_the_call_has_failed(send: Any, fakes: Any, time: Any) -> None:
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


async def test_an_endpoint_that_never_worked_is_given_up(send: Any, fakes: Any, time: Any) -> None:
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
