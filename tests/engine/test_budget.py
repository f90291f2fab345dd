"""Caps hold before a call is made."""

from __future__ import annotations

import anyio
import pytest

from memreader.budget import Budget, Cost, Limits
from memreader.errors import BudgetExceeded


def test_a_cap_refuses_the_call_that_could_pass_it() -> None:
    """Booked at the worst case: the call that might not fit is not made."""

    async def scenario() -> None:
        budget = Budget(Limits(tokens=100))
        await budget.book(Cost(1, 60))
        budget.settle(Cost(1, 60), Cost(1, 50))
        with pytest.raises(BudgetExceeded, match="tokens"):
            await budget.book(Cost(1, 51))
        await budget.book(Cost(1, 50))

    anyio.run(scenario)


def test_a_call_waits_for_bookings_that_may_make_room() -> None:
    """Open bookings usually cost less than booked; only when none is open is it refused."""

    async def scenario() -> list[str]:
        budget, order = Budget(Limits(tokens=100)), list[str]()

        async def second() -> None:
            await budget.book(Cost(1, 80))
            order.append("second")

        await budget.book(Cost(1, 80))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(second)
            await anyio.wait_all_tasks_blocked()
            order.append("first settled")
            budget.settle(Cost(1, 80), Cost(1, 10))
        return order

    assert anyio.run(scenario) == ["first settled", "second"]


def test_the_reserve_is_for_the_final_answer() -> None:
    """Other calls leave room for it, as far as the cap is large enough for both."""

    async def scenario() -> None:
        budget = Budget(Limits(calls=3))
        budget.reserve(Cost(1, 0))
        await budget.book(Cost(1))
        await budget.book(Cost(1))
        budget.settle(Cost(1), Cost(1))
        budget.settle(Cost(1), Cost(1))
        with pytest.raises(BudgetExceeded):
            await budget.book(Cost(1))
        await budget.book(Cost(1), final=True)

    anyio.run(scenario)


def test_seconds_are_a_cap_too() -> None:
    """After the time nothing is booked; the last part of it is for the final answer."""

    async def scenario() -> None:
        now = 0.0
        budget = Budget(Limits(seconds=10), clock=lambda: now)
        await budget.book(Cost(1))
        now = 9.0
        with pytest.raises(BudgetExceeded, match="seconds"):
            await budget.book(Cost(1))
        await budget.book(Cost(1), final=True)
        now = 10.5
        with pytest.raises(BudgetExceeded, match="seconds"):
            await budget.book(Cost(1), final=True)

    anyio.run(scenario)


def test_after_a_stop_nothing_is_booked() -> None:
    """An interrupt holds for the final answer too."""

    async def scenario() -> None:
        budget = Budget()
        budget.stop("interrupted")
        with pytest.raises(BudgetExceeded, match="interrupted"):
            await budget.book(Cost(1), final=True)

    anyio.run(scenario)
