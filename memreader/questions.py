"""Several questions at the same time: one reading each, under one budget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import anyio

from memreader.answer import Answer
from memreader.errors import MemreaderError
from memreader.session import Session


@dataclass(frozen=True, slots=True)
class Asked:
    """What became of one question: an answer, or the error that kept it from one."""

    question: str
    answer: Answer | None = None
    error: MemreaderError | None = None


async def read_all(sessions: Sequence[Session], at_once: int) -> list[Asked]:
    """Read for every session, as many at once as the model takes calls; in the order given.

    A serial reader keeps one call in flight, so that as many readings fill the endpoint.
    """
    done: dict[int, Asked] = {}
    faults: list[Exception] = []
    places = anyio.CapacityLimiter(max(1, at_once))

    async def read(number: int, session: Session) -> None:
        async with places:
            try:
                done[number] = Asked(session.question, await session.read())
            except MemreaderError as error:
                done[number] = Asked(session.question, error=error)
            except Exception as fault:  # because the task group would wrap it in a group
                faults.append(fault)
                tasks.cancel_scope.cancel()

    async with anyio.create_task_group() as tasks:
        for number, session in enumerate(sessions):
            tasks.start_soon(read, number, session)
    if faults:
        raise faults[0]
    return [done[number] for number in sorted(done)]
