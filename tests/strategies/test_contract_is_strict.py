"""The contract suite is proved: strategies broken on purpose fail it, each where it should."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import pytest

from memreader.answer import NOT_FOUND, Draft
from memreader.chunking import Chunk
from memreader.contract import StrategyContract
from memreader.document import Span
from memreader.errors import CallFailed, MemreaderError, PromptTooLong, StrategyFault
from memreader.llm.base import Message, Request
from memreader.prompts import PromptFiles
from memreader.run import Run
from memreader.strategy import Strategy
from memreader_strategies.map_reduce import MapReduce
from memreader_strategies.map_reduce.records import QaRecord


async def _one_by_one(run: Run, question: str, chunks: AsyncIterator[Chunk]) -> Draft:
    """A small reader that is right: asks about each chunk, keeps the last answer."""
    best = NOT_FOUND
    async for chunk in chunks:
        try:
            reply = await run.ask_for(
                QaRecord,
                "step",
                max_tokens=300,
                values={"question": question, "chunk": chunk},
                sources=[chunk],
            )
        except CallFailed:
            continue
        if "NO INFORMATION" not in reply.answer:
            best = Draft(reply.answer, run.evidence(reply.information, reply.answer, chunk))
    return best


MAP_REDUCE = PromptFiles.of(MapReduce()).templates
STEP = {"step": "$contract\nQuestion: $question\n$chunk"}


@dataclass(frozen=True)
class DropsTheLastChunk:
    """Reads all chunks but the last one."""

    prompts: ClassVar = STEP

    async def read(self, question: str, run: Run) -> Draft:
        """Hold each chunk back until the next one is there."""

        async def shortened() -> AsyncIterator[Chunk]:
            held: Chunk | None = None
            async for chunk in run.chunks(1500):
                if held is not None:
                    yield held
                held = chunk

        return await _one_by_one(run, question, shortened())


@dataclass(frozen=True)
class CitesTheLastPage:
    """Answers well and cites whatever stands at the end."""

    prompts: ClassVar = MAP_REDUCE

    async def read(self, question: str, run: Run) -> Draft:
        """Move the evidence to the end of the document."""
        draft = await MapReduce().read(question, run)
        document = (await run.corpus()).documents[-1]
        end = Span(document.id, max(0, len(document.text) - 30), len(document.text))
        return replace(draft, evidence=(end,)) if draft.text else draft


@dataclass(frozen=True)
class Appends:
    """Carries every chunk it read in its memory instead of overwriting it."""

    prompts: ClassVar = {"step": "$contract\nQuestion: $question\n$memory\n$chunk"}

    async def read(self, question: str, run: Run) -> Draft:
        """Show all earlier chunks again in each prompt."""
        seen: list[Chunk] = []
        best = NOT_FOUND
        async for chunk in run.chunks(1500):
            reply = await run.ask_for(
                QaRecord,
                "step",
                max_tokens=300,
                values={"question": question, "memory": list(seen), "chunk": chunk},
                sources=[chunk],
            )
            seen.append(chunk)
            if "NO INFORMATION" not in reply.answer:
                best = Draft(reply.answer, run.evidence(reply.information, reply.answer, chunk))
        return best


@dataclass(frozen=True)
class SwallowsFailures:
    """Takes any error of a call for a chunk without information."""

    prompts: ClassVar = MAP_REDUCE

    async def read(self, question: str, run: Run) -> Draft:
        """Turn a refusal into "not found"."""
        try:
            return await MapReduce().read(question, run)
        except MemreaderError:
            return NOT_FOUND


@dataclass(frozen=True)
class Overspends:
    """Calls the model around the meter."""

    prompts: ClassVar = MAP_REDUCE

    async def read(self, question: str, run: Run) -> Draft:
        """Ask once more for each chunk, unbooked."""

        async def twice(chunk: Chunk) -> None:
            await run.model.llm.complete(Request((Message("user", chunk.text),), 10))

        await run.map(twice, run.chunks(1500))
        return await MapReduce().read(question, run)


@pytest.mark.parametrize(
    ("broken", "caught_by"),
    [
        (DropsTheLastChunk(), ["test_the_needle_is_found_wherever_it_stands"]),
        (
            CitesTheLastPage(),
            [
                "test_the_needle_is_found_wherever_it_stands",
                "test_citations_are_few_and_bear_the_answer",
            ],
        ),
        (Appends(), ["test_a_huge_document_stays_within_the_window"]),
        (SwallowsFailures(), ["test_a_refusing_endpoint_is_an_error"]),
        (Overspends(), ["test_every_call_is_metered", "test_no_cap_is_passed_in_parallel"]),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, list) else "",
)
def test_a_broken_strategy_fails(broken: Strategy, caught_by: Sequence[str]) -> None:
    """Each defect is caught by the test that is there for it."""
    suite = type("Suite", (StrategyContract,), {"strategy": broken})()
    for name in caught_by:
        with pytest.raises((AssertionError, PromptTooLong, StrategyFault)):
            getattr(suite, name)()
