"""Chains of workers and the manager who answers (steps 2 to 6)."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from memreader.answer import NOT_FOUND, Draft
from memreader.chunking import Chunk
from memreader.errors import BudgetExceeded, CallFailed
from memreader.evidence import Evidence, says_not_found
from memreader.grounding import bearing
from memreader.memory.notes import Notes
from memreader.prompts import Untrusted, Value
from memreader.run import Run
from memreader_strategies.chain_of_agents.budget import FENCED, Budget
from memreader_strategies.chain_of_agents.planning import ends_of
from memreader_strategies.chain_of_agents.prepared import Words, prepared
from memreader_strategies.chain_of_agents.shapes import Unit

if TYPE_CHECKING:
    from memreader_strategies.chain_of_agents.strategy import ChainOfAgents


@dataclass(slots=True)
class Reading:
    """One reading in progress."""

    options: ChainOfAgents
    run: Run
    budget: Budget
    words: Words

    @classmethod
    def of(cls, options: ChainOfAgents, question: str, run: Run) -> Reading:
        budget, words = prepared(options, question, run.rendering)
        run.note(f"Chunks of at most {budget.text:,} tokens, units of {budget.unit:,}.")
        run.reserve(
            input_tokens=budget.manager
            + min(budget.shown, (ends_of(options) or budget.shown) * (budget.unit + FENCED)),
            output_tokens=budget.reply,
        )
        return cls(options, run, budget, words)

    # --- the chain: steps 2 to 4 ---------------------------------------------------------------

    async def chains(self) -> Draft:
        if self.options.paths == "left_to_right":
            notes = await self._chain("", self.run.chunks(self.budget.text))
            return await self.manager([notes], "manager")
        ends = await self._paths()
        if self.options.selection == "vote":
            return await self._vote(ends)
        return await self.manager(ends, "judge")

    async def _chain(self, path: str, chunks: AsyncIterator[Chunk], *, sample: int = 0) -> Notes:
        """One pass: the unit before, the chunk and the question give the next unit."""
        notes = Notes()
        try:
            async for chunk in chunks:
                notes = await self._passed_on(notes, chunk, path, sample)
            for passage in self.run.lost(self.budget.text, path=path):
                notes = await self._passed_on(notes, passage, path, sample)
        except BudgetExceeded as error:
            self.run.cap(error)
        return notes

    async def _passed_on(self, notes: Notes, chunk: Chunk, path: str, sample: int) -> Notes:
        try:
            notes = await self._worker(notes, chunk, sample)
        except CallFailed:  # the coverage counts the chunk; the unit goes on without it
            return notes
        self.run.remember(notes, chunk=chunk.index, path=path)
        return notes

    async def _worker(self, notes: Notes, chunk: Chunk, sample: int) -> Notes:
        unit = await self.run.ask_for(
            Unit,
            "worker",
            max_tokens=self.budget.unit,
            values={**self.words.worker, "notes": _unit(notes), "passage": chunk},
            sources=[chunk],
            temperature=self.options.path_temperature if sample else self.options.temperature,
            sample=sample,
        )
        return self.run.noted(notes, unit.notes, chunk, self.budget.unit)

    async def manager(self, ends: Sequence[Notes], prompt: str) -> Draft:
        """Answer from the last units alone; without any there is nothing to answer from."""
        told = [notes for notes in ends if notes.items]
        if not told:
            return NOT_FOUND
        evidence = [e for notes in told for e in notes.evidence]
        reply = await self.run.ask_for(
            self.words.final,
            prompt,
            max_tokens=self.budget.reply,
            values={
                **self.words.manager,
                "notes": [Untrusted(n.text, f"notes {i}") for i, n in enumerate(told, 1)],
            },
            sources=evidence,
            final=True,
        )
        return self._draft(reply.answer, evidence)

    def _draft(self, answer: str, evidence: Sequence[Evidence]) -> Draft:
        if says_not_found(answer):
            return NOT_FOUND
        return Draft(answer.strip(), bearing(self.run.question, answer, evidence))

    # --- several chains: steps 5 and 6 ---------------------------------------------------------

    async def _paths(self) -> list[Notes]:
        """Chains in other orders, side by side."""
        chunks = [chunk async for chunk in self.run.chunks(self.budget.text)]

        async def one(numbered: tuple[int, list[Chunk]]) -> Notes:
            number, order = numbered
            sample = number if self.options.paths == "self_consistency" else 0
            return await self._chain(f"chain {number}", _each(order), sample=sample)

        return await self.run.map(one, list(enumerate(self._orders(chunks), start=1)))

    def _orders(self, chunks: list[Chunk]) -> list[list[Chunk]]:
        match self.options.paths:
            case "bidirectional":
                return [chunks, chunks[::-1]]
            case "permutation":
                draw = random.Random(self.options.seed)
                return [draw.sample(chunks, len(chunks)) for _ in range(self.options.path_count)]
            case _:
                return [chunks] * self.options.path_count

    async def _vote(self, ends: Sequence[Notes]) -> Draft:
        """The majority of the chains' own answers; the first of equals."""

        async def one(notes: Notes) -> Draft:
            return await self.manager([notes], "manager")

        return majority(await self.run.map(one, ends))


def _unit(notes: Notes) -> Value:
    return Untrusted(notes.text, "notes") if notes.items else "There are no notes yet."


async def _each(chunks: Sequence[Chunk]) -> AsyncIterator[Chunk]:
    for chunk in chunks:
        yield chunk


def majority(drafts: Sequence[Draft]) -> Draft:
    """The answer given most often, case and white space aside; the first of equals."""
    found = [d for d in drafts if d.text]
    if not found:
        return NOT_FOUND
    votes = Counter(" ".join(d.text.casefold().split()).rstrip(".") for d in found)
    winner = votes.most_common(1)[0][0]
    agreeing = [d for d in found if " ".join(d.text.casefold().split()).rstrip(".") == winner]
    evidence = dict.fromkeys(e for d in agreeing for e in d.evidence)
    return Draft(agreeing[0].text, tuple(evidence)[:5])
