"""Chain-of-Agents (Zhang et al., 2024, https://arxiv.org/abs/2406.02818; NeurIPS 2024).

1. `Budget.of`         text for a chunk = window - question - instruction, and in the `reserved`
                      form - communication unit - reply.
2. `_chain`           the unit begins empty.
3. `_worker`          each chunk in order: the unit before, the chunk and the question give a new
                      unit, which takes the place of the old one and has a hard cap.
4. `_manager`         the last unit and the question, and nothing else, give the answer.
5. `_paths`           several chains in other orders, in parallel.
6. `_judge`           one call picks the most reliable of the last units and answers;
   `_vote`            or the majority of the chains' own answers.
7. `_merge`           comparison: each chunk answers alone, the majority counts.
8. `_hierarchical`    comparison: each chunk is judged useful and noted, one call sees all notes.

What was changed against the paper, and why, is in README.md beside this module.
Calls: n + 1; with p chains p n + 1 (judge) or p (n + 1) (vote). Critical path: n + 1.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Literal

from memreader.answer import NOT_FOUND, Draft
from memreader.chunking import Chunk, chunk_document
from memreader.document import Corpus
from memreader.errors import BudgetExceeded, CallFailed, ConfigurationError
from memreader.evidence import Evidence, says_not_found
from memreader.grounding import bearing
from memreader.llm.base import Model
from memreader.memory.notes import Notes
from memreader.plan import Plan
from memreader.prompts import Fence, PromptFiles, Untrusted, Value
from memreader.rendering import Rendering
from memreader.run import Run
from memreader.structured import Shape
from memreader_strategies.chain_of_agents.budget import FENCED, Budget
from memreader_strategies.chain_of_agents.planning import chains_of, planned
from memreader_strategies.chain_of_agents.shapes import Final, LongText, Unit, role_of

Path = Literal["left_to_right", "bidirectional", "permutation", "self_consistency"]


@dataclass(frozen=True)
class ChainOfAgents:
    """Workers in a row rewrite one communication unit; a manager answers from the last."""

    window: int = 8192
    """Tokens of one call in all: the paper's k; never more than the model's own window."""
    unit_tokens: int = 1024
    """Hard cap on the communication unit, and on each worker's reply."""
    reply_tokens: int = 1024
    """Cap on the manager's reply."""
    split: Literal["reserved", "paper"] = "reserved"
    """Whether the chunk's budget leaves room for unit and reply; the paper's formula does not."""
    topology: Literal["chain", "merge", "hierarchical"] = "chain"
    """`merge` and `hierarchical` are what the paper compares the chain with."""
    paths: Path = "left_to_right"
    """Orders in which chains read: one chain, or several side by side."""
    path_count: int = 5
    """Chains of `permutation` and of `self_consistency`."""
    selection: Literal["judge", "vote"] = "judge"
    """How one answer is made of several chains; `vote` only for short answers."""
    role: Literal["auto", "qa", "summary", "code"] = "auto"
    """What the unit is: evidence, a long summary, or code; `auto` goes by the question."""
    temperature: float = 0.0
    path_temperature: float = 0.7
    """Temperature of `self_consistency`; the paper gives none."""
    seed: int = 0
    """Of the orders of `permutation`."""

    def __post_init__(self) -> None:
        if self.window < 256 or self.unit_tokens < 16 or self.reply_tokens < 16:
            raise ValueError("window must be at least 256, unit_tokens and reply_tokens 16")
        if self.path_count < 1:
            raise ValueError("path_count must be at least 1")

    async def read(self, question: str, run: Run) -> Draft:
        """Read all chunks in order and answer."""
        reading = _Reading.of(self, question, run)
        if self.topology == "merge":
            return await reading.merge()
        if self.topology == "hierarchical":
            return await reading.hierarchical()
        return await reading.chains()

    def plan(self, corpus: Corpus, question: str, model: Model) -> Plan:
        """Calls = n + 1; p n + 1 with a judge over p chains, p (n + 1) with a vote."""
        rendering = Rendering(PromptFiles.of(self), model, Fence.derived(corpus.id, question))
        budget, _ = _prepared(self, question, rendering)
        sizes = [
            chunk.tokens
            for document in corpus.documents
            for chunk in chunk_document(document, budget.text, model.counter)
        ]
        return planned(self, budget, sizes)


def _prepared(options: ChainOfAgents, question: str, rendering: Rendering) -> tuple[Budget, _Words]:
    """Step 1, and the words of all prompts."""
    role = role_of(options.role, question)
    if role == "summary" and options.selection == "vote" and options.paths != "left_to_right":
        raise ConfigurationError(
            "A vote counts equal answers, and long texts are never equal. Use selection=judge."
        )
    files = rendering.files
    asked = question.strip() or files["query_free"].strip()
    words = _Words(
        {"question": asked, "task": files[f"task.{role}"].strip()},
        {"question": asked, "kind": files[f"kind.{role}"].strip()},
        LongText if role == "summary" else Final,
    )
    budget = Budget.of(
        rendering,
        (Unit, words.final),
        (words.worker, words.manager),
        window=options.window,
        unit=options.unit_tokens,
        reply=options.reply_tokens,
        reserved=options.split == "reserved",
    )
    return budget, words


@dataclass(frozen=True, slots=True)
class _Words:
    """What the prompts say that is the same in all calls of a reading."""

    worker: dict[str, str]
    manager: dict[str, str]
    final: type[Final] | type[LongText]


@dataclass(slots=True)
class _Reading:
    """One reading in progress."""

    options: ChainOfAgents
    run: Run
    budget: Budget
    words: _Words

    @classmethod
    def of(cls, options: ChainOfAgents, question: str, run: Run) -> _Reading:
        budget, words = _prepared(options, question, run.rendering)
        run.note(f"Chunks of at most {budget.text:,} tokens, units of {budget.unit:,}.")
        run.reserve(
            input_tokens=budget.manager + chains_of(options) * (budget.unit + FENCED),
            output_tokens=budget.reply,
        )
        return cls(options, run, budget, words)

    # --- the chain: steps 2 to 4 ---------------------------------------------------------------

    async def chains(self) -> Draft:
        if self.options.paths == "left_to_right":
            notes = await self._chain("", self.run.chunks(self.budget.text))
            return await self._manager([notes], "manager")
        ends = await self._paths()
        if self.options.selection == "vote":
            return await self._vote(ends)
        return await self._manager(ends, "judge")

    async def _chain(self, path: str, chunks: AsyncIterator[Chunk], *, sample: int = 0) -> Notes:
        """One pass: the unit before, the chunk and the question give the next unit."""
        notes = Notes()
        async for chunk in chunks:
            try:
                notes = await self._worker(notes, chunk, sample)
            except CallFailed:  # the coverage counts the chunk; the unit goes on without it
                continue
            except BudgetExceeded as error:
                self.run.cap(error)
                break
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

    async def _manager(self, ends: Sequence[Notes], prompt: str) -> Draft:
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
        drafts = [await self._manager([notes], "manager") for notes in ends]
        return _majority(drafts)

    # --- what the paper compares with: steps 7 and 8 -------------------------------------------

    async def merge(self) -> Draft:
        """Every chunk answers alone; the majority of the answers counts."""

        async def answered(chunk: Chunk) -> Draft:
            reply = await self._alone("answer", self.words.final, chunk)
            if reply is None or says_not_found(reply):
                return NOT_FOUND
            return Draft(reply.strip(), self.run.evidence("", reply, chunk))

        drafts = await self.run.map(answered, self.run.chunks(self.budget.text))
        return _majority(drafts)

    async def hierarchical(self) -> Draft:
        """Useful chunks are noted, each alone; the manager sees all notes that fit its call."""

        async def noted(chunk: Chunk) -> Notes:
            told = await self._alone("useful", Unit, chunk)
            return self.run.noted(Notes(), told or "", chunk, self.budget.unit)

        every = await self.run.map(noted, self.run.chunks(self.budget.text))
        return await self._manager(self._fitting([n for n in every if n.items]), "judge")

    def _fitting(self, ends: list[Notes]) -> list[Notes]:
        """The notes that fit one call, in document order; what is left out is said."""
        left = self.run.model.window - self.budget.manager - self.budget.reply
        kept: list[Notes] = []
        for notes in ends:
            left -= self.run.model.counter.count(notes.text) + FENCED
            if left < 0:
                self.run.note(f"{len(ends) - len(kept):,} of {len(ends):,} notes do not fit.")
                break
            kept.append(notes)
        return kept

    async def _alone(
        self, prompt: Literal["answer", "useful"], shape: type[Shape], chunk: Chunk
    ) -> str | None:
        """What one worker says of its chunk; None where its call failed."""
        words: dict[str, Value] = {**self.words.worker}
        if prompt == "answer":
            words.pop("task")
        try:
            reply = await self.run.ask_for(
                shape,
                prompt,
                max_tokens=self.budget.unit,
                values={**words, "passage": chunk},
                sources=[chunk],
                temperature=self.options.temperature,
            )
        except CallFailed:
            return None
        return str(getattr(reply, "notes", getattr(reply, "answer", "")))


def _unit(notes: Notes) -> Value:
    return Untrusted(notes.text, "notes") if notes.items else "There are no notes yet."


async def _each(chunks: Sequence[Chunk]) -> AsyncIterator[Chunk]:
    for chunk in chunks:
        yield chunk


def _majority(drafts: Sequence[Draft]) -> Draft:
    """The answer given most often, case and white space aside; the first of equals."""
    found = [d for d in drafts if d.text]
    if not found:
        return NOT_FOUND
    votes = Counter(" ".join(d.text.casefold().split()).rstrip(".") for d in found)
    winner = votes.most_common(1)[0][0]
    agreeing = [d for d in found if " ".join(d.text.casefold().split()).rstrip(".") == winner]
    evidence = dict.fromkeys(e for d in agreeing for e in d.evidence)
    return Draft(agreeing[0].text, tuple(evidence)[:5])
