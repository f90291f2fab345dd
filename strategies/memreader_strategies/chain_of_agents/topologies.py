"""What the paper compares the chain with (steps 7 and 8)."""

from __future__ import annotations

from typing import Literal

from memreader.answer import NOT_FOUND, Draft
from memreader.chunking import Chunk
from memreader.errors import CallFailed
from memreader.evidence import relevance, says_not_found
from memreader.fitting import best_that_fit
from memreader.memory.notes import Notes
from memreader.prompts import Value
from memreader.structured import Shape
from memreader_strategies.chain_of_agents.budget import FENCED
from memreader_strategies.chain_of_agents.reading import Reading, majority
from memreader_strategies.chain_of_agents.shapes import Unit


async def merge(reading: Reading) -> Draft:
    """Every chunk answers alone; the majority of the answers counts."""

    async def answered(chunk: Chunk) -> Draft:
        reply = await _alone(reading, "answer", reading.words.final, chunk)
        if reply is None or says_not_found(reply):
            return NOT_FOUND
        return Draft(reply.strip(), reading.run.evidence("", reply, chunk))

    drafts = await reading.run.map(answered, reading.run.chunks(reading.budget.text))
    return majority(drafts)


async def hierarchical(reading: Reading) -> Draft:
    """Useful chunks are noted, each alone; the manager sees all notes that fit its call."""

    async def noted(chunk: Chunk) -> Notes:
        told = await _alone(reading, "useful", Unit, chunk)
        return reading.run.noted(Notes(), told or "", chunk, reading.budget.unit)

    every = await reading.run.map(noted, reading.run.chunks(reading.budget.text))
    return await reading.manager(_fitting(reading, [n for n in every if n.items]), "judge")


def _fitting(reading: Reading, ends: list[Notes]) -> list[Notes]:
    """The notes that bear most on the question and fit one call; what is left out is said."""
    count = reading.run.model.counter.count
    ranked = sorted(ends, key=lambda n: relevance(reading.run.question, n.text).score, reverse=True)
    kept = best_that_fit(ranked, reading.budget.shown, lambda n: count(n.text) + FENCED)
    if len(kept) < len(ends):
        reading.run.note(
            f"{len(ends) - len(kept):,} of {len(ends):,} notes, those that have least to do with "
            f"the question, do not fit the manager's call."
        )
    return [notes for notes in ends if notes in kept]


async def _alone(
    reading: Reading, prompt: Literal["answer", "useful"], shape: type[Shape], chunk: Chunk
) -> str | None:
    """What one worker says of its chunk; None where its call failed."""
    words: dict[str, Value] = {**reading.words.worker}
    if prompt == "answer":
        words.pop("task")
    try:
        reply = await reading.run.ask_for(
            shape,
            prompt,
            max_tokens=reading.budget.unit,
            values={**words, "passage": chunk},
            sources=[chunk],
            temperature=reading.options.temperature,
        )
    except CallFailed:
        return None
    return str(getattr(reply, "notes", getattr(reply, "answer", "")))
