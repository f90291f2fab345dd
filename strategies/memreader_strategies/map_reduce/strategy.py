"""LLM×MapReduce (Zhou et al., 2024, https://arxiv.org/abs/2410.09342; ACL 2025).

1. `Stages.of` text for a chunk = chunk_size - prompt - question - reply.
2. `_map`       each chunk, in parallel: a record {information, rationale, answer, confidence}.
3. drop         a record that says [NO INFORMATION] leaves the race; what it extracted stays as
                a low-priority tail.
4. `_collapse`  while the records are larger than one call: groups, in order, become one record
                of the same form each; a group starts as soon as it is full.
5. drop         as in 3.
6. `_reduce`    the survivors, with their chunk numbers, give the answer; without survivors the
                answer is not found, and no call is made.

What was changed against the paper and its code, and why, is in README.md beside this module.
Calls: n + sum of collapse groups + 1. Critical path: 2 + collapse rounds.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from memreader.answer import NOT_FOUND, Draft, Status
from memreader.chunking import Chunk
from memreader.document import Corpus
from memreader.errors import BudgetExceeded, CallFailed
from memreader.evidence import Evidence, says_not_found
from memreader.llm.base import Model
from memreader.plan import Plan, chunk_sizes
from memreader.prompts import Fence, PromptFiles, Untrusted, Value
from memreader.rendering import Rendering
from memreader.run import Run
from memreader.structured import Shape
from memreader_strategies.map_reduce.records import (
    QaRecord,
    Record,
    cited,
    fitted,
    has_content,
    merged,
    rests,
)
from memreader_strategies.map_reduce.stages import FENCED, Stages, values_for


@dataclass(frozen=True)
class MapReduce:
    """Map every chunk to a structured record, collapse, reduce."""

    chunk_size: int = 4096
    """Tokens of a map call in all: prompt, question, text and reply; other calls may take more."""
    reply_tokens: int = 600
    """Cap on each reply, and its reserve in the budget arithmetic."""
    preset: Literal[
        "auto", "qa", "multiple_choice", "retrieval", "aggregate", "code", "summary"
    ] = "auto"
    """The kind of task; `auto` goes by the question."""
    policy: Literal["preset", "pick", "override", "aggregate", "union"] = "preset"
    """How conflicting records are settled; by the preset unless given."""
    temperature: float = 0.0
    """The paper samples at 0.7; 0 makes a reading repeatable."""
    calibration: bool = True
    """The in-context confidence calibration, in map, collapse and reduce."""
    keep_partial: bool = True
    """Keep what a chunk extracted although it answered "no information"."""

    def __post_init__(self) -> None:
        if self.chunk_size < 256 or self.reply_tokens < 16:
            raise ValueError("chunk_size must be at least 256 and reply_tokens at least 16")

    async def read(self, question: str, run: Run) -> Draft:
        """Read all chunks and answer."""
        return await _Reading.of(self, question, run).answer()

    def plan(self, corpus: Corpus, question: str, model: Model) -> Plan:
        """Calls = n + collapse groups + 1 (paper's cost, spec section 1e)."""
        rendering = Rendering(PromptFiles.of(self), model, Fence.derived(corpus.id, question))
        stages = Stages.of(self, question, rendering)
        sizes = chunk_sizes(corpus, stages.text_budget, model.counter)
        return stages.plan(sizes)


class _Group(NamedTuple):
    """Records of one collapse call; `full` says that further records follow."""

    records: list[Record]
    full: bool


@dataclass(slots=True)
class _Reading:
    """One reading in progress: its state is the list of records."""

    options: MapReduce
    run: Run
    stages: Stages
    tails: list[Record] = field(default_factory=list)
    lossy: bool = False
    """Whether code had to stand in for a call of collapse or reduce."""

    @classmethod
    def of(cls, options: MapReduce, question: str, run: Run) -> _Reading:
        stages = Stages.of(options, question, run.rendering)
        run.note(f"Preset {stages.preset.name}, chunks of at most {stages.text_budget:,} tokens.")
        run.reserve(
            input_tokens=stages.overheads[2] + stages.group_budget, output_tokens=stages.reply
        )
        return cls(options, run, stages)

    async def answer(self) -> Draft:
        mapped = self.run.stream(self._map, self.run.chunks(self.stages.text_budget))
        records = await self._settled(mapped)
        if not records:
            records, self.tails = self._within(self.tails), []
        if not records:
            return NOT_FOUND
        shown = self.run.narrowed(
            records + self._within(self.tails, beside=records), lambda r: r.rank
        )
        self._remember(shown)
        return await self._reduce(records, shown)

    # --- step 2 ----------------------------------------------------------------------------

    async def _map(self, chunk: Chunk) -> Record | None:
        """One chunk to one record; None where the call failed, which the coverage counts."""
        try:
            reply = await self._ask("map", self.stages.preset.record, chunk, [chunk])
        except CallFailed:
            return None
        quoted = reply.information if isinstance(reply, QaRecord) else ""
        evidence = self.run.evidence(quoted, str(getattr(reply, "answer", "")), chunk)
        return self._record(reply, (chunk.index,), evidence)

    async def _ask(
        self,
        stage: str,
        shape: type[QaRecord] | type[Shape],
        material: Value,
        sources: list[Chunk] | list[Evidence],
        *,
        final: bool = False,
    ) -> Shape:
        return await self.run.ask_for(
            shape,
            stage,
            max_tokens=self.stages.reply,
            sources=sources,
            temperature=self.options.temperature,
            final=final,
            values={"material": material, **values_for(stage, self.stages.values)},
        )

    def _record(
        self, reply: Shape, chunks: tuple[int, ...], evidence: tuple[Evidence, ...]
    ) -> Record | None:
        """Steps 3 and 5: drop what has no information, but keep partial evidence apart."""
        answer = str(getattr(reply, "answer", ""))
        label = f"chunk {chunks[0] + 1}"
        if not isinstance(reply, QaRecord):
            text = self._fitting(reply, label)
            return Record(text, answer, 0.0, chunks, evidence) if answer.strip() else None
        informative = not says_not_found(answer)
        if informative and not rests(evidence):
            self.run.note(f"Dropped an answer of {label} that rests on nothing there.")
            return None
        partial = self.options.keep_partial and has_content(reply.information)
        if not informative and not (partial and rests(evidence)):
            return None
        return Record(
            self._fitting(reply, label),
            answer,
            reply.confidence,
            chunks,
            evidence,
            informative=informative,
        )

    # --- steps 4 and 5 ---------------------------------------------------------------------

    async def _settled(self, records: AsyncIterator[Record | None]) -> list[Record]:
        """The records once they fit one call: collapsed in as many rounds as that takes.

        Grouping is greedy and in order, so a full group is the same whether the records after
        it are known or not: it is started at once, and gives the paper's groups all the same.
        """
        groups = self._groups(records)
        first = await anext(groups)
        if not first.full:
            return first.records
        self._remember(first.records)
        return await self._settled(self.run.stream(self._collapse, _chained(first, groups)))

    async def _groups(self, records: AsyncIterator[Record | None]) -> AsyncIterator[_Group]:
        """Informative records in groups that fill a call, as they fill; at least one group."""
        group: list[Record] = []
        size = 0
        async for record in records:
            if record is None:
                continue
            if not record.informative:
                self.tails.append(record)
                continue
            tokens = self._size(record)
            if group and size + tokens > self.stages.group_budget:
                yield _Group(group, full=True)
                group, size = [], 0
            group.append(record)
            size += tokens
        yield _Group(group, full=False)

    async def _collapse(self, group: list[Record]) -> Record | None:
        """A group to one record of the same form; a single record passes without a call."""
        if len(group) == 1:
            return group[0]
        whole = merged(group)
        try:
            reply = await self._ask(
                "collapse", self.stages.preset.record, _material(group), _evidence(group)
            )
        except (CallFailed, BudgetExceeded) as error:
            self._stand_in("collapse", error)
            return whole
        return self._record(reply, whole.chunks, whole.evidence)

    def _fitting(self, reply: Shape, label: str) -> str:
        """The reply as later prompts show it, so short that two fit a group: else no loop ends."""
        limit = self.stages.group_budget // 2 - FENCED
        text, cut = fitted(reply, limit, self.run.shown, self.run.model.counter.count)
        if cut:
            self.run.note(f"The record of {label} was cut to {limit:,} tokens.")
        return text

    def _size(self, record: Record) -> int:
        return self.run.model.counter.count(record.text) + FENCED

    def _within(self, records: list[Record], beside: Iterable[Record] = ()) -> list[Record]:
        """The best records that fit a call beside others, in document order."""
        left = self.stages.group_budget - sum(map(self._size, beside))
        taken = []
        for record in sorted(records, key=lambda r: r.rank, reverse=True):
            if (left := left - self._size(record)) < 0:
                break
            taken.append(record)
        return sorted(taken, key=lambda r: r.chunks)

    # --- step 6 ----------------------------------------------------------------------------

    async def _reduce(self, records: list[Record], shown: list[Record]) -> Draft:
        try:
            reply = await self._ask(
                "reduce", self.stages.preset.final, _material(shown), _evidence(shown), final=True
            )
        except (CallFailed, BudgetExceeded) as error:
            self._stand_in("reduce", error)
            best = max(records, key=lambda r: r.rank)
            if not best.informative:
                return Draft("", status="partial")
            return Draft(best.answer, cited(self.run.question, best.answer, [best]), "partial")
        answer = str(getattr(reply, "answer", "")).strip()
        if says_not_found(answer):
            return NOT_FOUND
        rationale = str(getattr(reply, "rationale", ""))
        status: Status = "partial" if self.lossy else "complete"
        return Draft(answer, cited(self.run.question, answer, shown), status, rationale)

    def _stand_in(self, stage: str, error: CallFailed | BudgetExceeded) -> None:
        """Code stands in for a call: the best record is taken instead."""
        self.lossy = True
        if isinstance(error, BudgetExceeded):
            self.run.cap(error)
        self.run.note(f"The best record stands in for a {stage} call: {error}")

    def _remember(self, records: list[Record]) -> None:
        self.run.remember(
            [{"chunks": r.label, "text": r.text} for r in records],
            [e.span for r in records for e in r.evidence if e.span is not None],
        )


async def _chained(first: _Group, rest: AsyncIterator[_Group]) -> AsyncIterator[list[Record]]:
    yield first.records
    async for group in rest:
        yield group.records


def _material(records: list[Record]) -> list[Untrusted]:
    return [Untrusted(r.text, r.label) for r in records]


def _evidence(records: list[Record]) -> list[Evidence]:
    return [e for r in records for e in r.evidence if e.span is not None]
