"""LLM×MapReduce (Zhou et al., 2024, https://arxiv.org/abs/2410.09342; ACL 2025).

1. `_Stages.of` text for a chunk = chunk_size - prompt - question - reply.
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
from memreader.chunking import Chunk, chunk_document
from memreader.document import Corpus
from memreader.errors import BudgetExceeded, CallFailed, ConfigurationError
from memreader.evidence import Evidence, says_not_found, support
from memreader.llm.base import Model
from memreader.plan import NOTHING, Plan, Range
from memreader.prompts import Fence, PromptFiles, Untrusted, Value
from memreader.rendering import Rendering, chunk_budget
from memreader.run import Run
from memreader.structured import Shape
from memreader_strategies.map_reduce.presets import Policy, Preset, chosen
from memreader_strategies.map_reduce.records import (
    QaRecord,
    Record,
    has_content,
    merged,
)

FENCED = 24
"""Tokens of the fence and the header around a record, from above."""
CITATIONS = 5
"""An answer cites at most this many places."""


@dataclass(frozen=True)
class MapReduce:
    """Map every chunk to a structured record, collapse, reduce."""

    chunk_size: int = 4096
    """Tokens of one call in all: prompt, question, text and reply."""
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
        stages = _Stages.of(self, question, _rendering(self, corpus, question, model))
        sizes = [
            chunk.tokens
            for document in corpus.documents
            for chunk in chunk_document(document, stages.text_budget, model.counter)
        ]
        return stages.plan(sizes)


def _rendering(strategy: MapReduce, corpus: Corpus, question: str, model: Model) -> Rendering:
    return Rendering(PromptFiles.of(strategy), model, Fence.derived(corpus.id, question))


@dataclass(frozen=True, slots=True)
class _Stages:
    """The budgets of the three stages, the same for a plan and for a run."""

    preset: Preset
    values: dict[str, Value]
    """What stands in the prompts of all stages."""
    reply: int
    text_budget: int
    """Tokens of document text in a map call: step 1."""
    group_budget: int
    """Tokens of records in a collapse or reduce call: L' of step 4."""
    overheads: tuple[int, int, int]
    """Prompt tokens beside the material, in map, collapse and reduce."""

    @classmethod
    def of(cls, options: MapReduce, question: str, rendering: Rendering) -> _Stages:
        preset = chosen(options.preset, question)
        files, model = rendering.files, rendering.model
        policy: Policy = preset.policy if options.policy == "preset" else options.policy
        calibration = (
            files[preset.calibration] if preset.calibration and options.calibration else ""
        )
        values: dict[str, Value] = {
            "question": question.strip() or files["query_free"],
            "task": files[f"task.{preset.name}"],
            "policy": files[f"policy.{policy}"],
            "calibration": calibration,
        }
        reply = min(options.reply_tokens, model.window // 4)
        total = min(options.chunk_size, model.window)
        overheads = tuple(
            rendering.tokens(stage, {**_for(stage, values), "material": ""}, shape)
            for stage, shape in _shapes(preset)
        )
        text = total - overheads[0] - reply
        group = total - max(overheads[1:]) - reply
        if min(text, group) < 64:
            raise ConfigurationError(
                f"Prompt and question take {max(overheads):,} and the reply {reply:,} of the "
                f"{total:,} tokens of a call: too little is left to read with. Ask a shorter "
                f"question, or raise chunk_size or the window."
            )
        return cls(
            preset,
            values,
            reply,
            chunk_budget(text, model),
            chunk_budget(group, model),
            (overheads[0], overheads[1], overheads[2]),
        )

    def plan(self, sizes: list[int]) -> Plan:
        """What n chunks of these sizes take, for short and for long records."""
        n, (per_map, per_collapse, per_reduce) = len(sizes), self.overheads
        text = sum(sizes) + n * per_map
        if not n:
            return NOTHING
        groups, rounds, material = self.collapse_tree(n, min(self.reply // 2, 150))
        most = self.collapse_tree(n, self.reply + 40)
        repairs = n + most[0] + 1
        repair_size = 2 * self.reply + 400
        return Plan(
            calls=Range(n, n + groups + 1, n + most[0] + 1 + repairs),
            input_tokens=Range(
                text,
                text + groups * per_collapse + material + per_reduce,
                text + most[0] * per_collapse + most[2] + per_reduce + repairs * repair_size,
            ),
            output_tokens=Range(
                n, (n + groups + 1) * (self.reply // 3), (n + most[0] + 1 + repairs) * self.reply
            ),
            critical_path=Range(1, 2 + rounds, 2 * (2 + most[1])),
        )

    def collapse_tree(self, n: int, size: int) -> tuple[int, int, int]:
        """Groups, rounds and tokens of material when n records of one size are collapsed."""
        groups = rounds = 0
        material = n * size
        fit = max(2, self.group_budget // size)
        while n > fit:
            full, rest = divmod(n, fit)
            groups += full + (rest > 1)
            n = full + (rest > 0)
            rounds += 1
            material += n * size
        return groups, rounds, material


def _for(stage: str, values: dict[str, Value]) -> dict[str, Value]:
    """The values a stage's prompt uses: the conflict policy has no place in map."""
    return {k: v for k, v in values.items() if stage != "map" or k != "policy"}


def _shapes(preset: Preset) -> tuple[tuple[str, type[Shape]], ...]:
    return ("map", preset.record), ("collapse", preset.record), ("reduce", preset.final)


class _Group(NamedTuple):
    """Records of one collapse call; `full` says that further records follow."""

    records: list[Record]
    full: bool


@dataclass(slots=True)
class _Reading:
    """One reading in progress: its state is the list of records."""

    options: MapReduce
    run: Run
    stages: _Stages
    tails: list[Record] = field(default_factory=list)
    lossy: bool = False
    """Whether code had to stand in for a call of collapse or reduce."""

    @classmethod
    def of(cls, options: MapReduce, question: str, run: Run) -> _Reading:
        stages = _Stages.of(options, question, run.rendering)
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
            values={"material": material, **_for(stage, self.stages.values)},
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
        if informative and not self._rests_on_something(evidence):
            self.run.note(f"Dropped an answer of {label} that rests on nothing there.")
            return None
        partial = self.options.keep_partial and has_content(reply.information)
        if not informative and not (partial and self._rests_on_something(evidence)):
            return None
        return Record(
            self._fitting(reply, label),
            answer,
            reply.confidence,
            chunks,
            evidence,
            informative=informative,
        )

    def _rests_on_something(self, evidence: tuple[Evidence, ...]) -> bool:
        """Whether any quote was found; a reply that quoted nothing is believed.

        Only a reply all of whose quotes are inventions is refused: support alone may not refuse
        a capable model's yes, count or paraphrase (DESIGN.md, section 6).
        """
        return not evidence or any(e.span is not None for e in evidence)

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
        """The reply as later prompts show it, so short that two fit a group: else no loop ends.

        The rationale goes first, then the end of what was extracted; answer and score stay.
        """
        limit = self.stages.group_budget // 2 - FENCED
        fits = [self.run.shown(reply)]
        if isinstance(reply, QaRecord):
            fits.append(self.run.shown(reply.model_copy(update={"rationale": ""})))
        count = self.run.model.counter.count
        for text in fits:
            if count(text) <= limit:
                return text
        self.run.note(f"The record of {label} was cut to {limit:,} tokens.")
        told = reply.information if isinstance(reply, QaRecord) else ""
        while told and count(fits[-1]) > limit:
            told = told[: len(told) * 4 // 5]
            shorter = {"rationale": "", "information": told}
            fits.append(self.run.shown(reply.model_copy(update=shorter)))
        text = fits[-1]
        while count(text) > limit:
            text = text[: len(text) * 4 // 5]
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
            return Draft(best.answer, self._cited(best.answer, [best]), "partial")
        answer = str(getattr(reply, "answer", "")).strip()
        if says_not_found(answer):
            return NOT_FOUND
        rationale = str(getattr(reply, "rationale", ""))
        status: Status = "partial" if self.lossy else "complete"
        return Draft(answer, self._cited(answer, shown), status, rationale)

    def _cited(self, answer: str, records: list[Record]) -> tuple[Evidence, ...]:
        """The places that bear out the answer best; by the records' rank where none stands out."""
        question = self.run.question
        ranked = sorted(
            (
                (support(question, answer, e.quote).score, r.confidence, e)
                for r in records
                for e in r.evidence
            ),
            key=lambda item: (item[0], item[1], item[2].score),
            reverse=True,
        )
        bearing = [e for score, _, e in ranked if score > 0] or [e for _, _, e in ranked][:3]
        return tuple(dict.fromkeys(bearing))[:CITATIONS]

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
