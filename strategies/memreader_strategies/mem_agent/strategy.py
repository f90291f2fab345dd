"""MemAgent (Yu et al., 2025, https://arxiv.org/abs/2507.02259).

1. `Sizes.of`   section, memory and answer as published, scaled down to the model's window;
                nothing of the document is ever cut off.
2. `read`       the memory begins empty.
3. `_update`    problem, memory and section in order: the reply takes the memory's place;
                NO CHANGE leaves it. Code holds its cap.
4. `_answer`    the problem and the memory, without any text, give the answer.

Options, all off by default: `update_gate` and `exit_gate` (GRU-Mem, arXiv 2602.10560), `recall`
(ReMemR1, arXiv 2509.23040), `plan_ahead` (QwenLong-L1.5, arXiv 2512.12967), and
`update="operations"`, which is ours. What was changed, and why, is in README.md beside this.
Calls: n + 1. Critical path: n + 1.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from memreader.answer import NOT_FOUND, Draft
from memreader.chunking import Chunk
from memreader.document import Corpus
from memreader.errors import BudgetExceeded, CallFailed
from memreader.evidence import says_not_found
from memreader.grounding import bearing
from memreader.llm.base import Model
from memreader.memory.notes import Notes
from memreader.plan import Plan, chunk_sizes
from memreader.prompts import Fence, PromptFiles, Untrusted, Value
from memreader.rendering import Rendering
from memreader.run import Run
from memreader.words import yes_or_no
from memreader_strategies.mem_agent.changes import applied, numbered
from memreader_strategies.mem_agent.recall import best_match
from memreader_strategies.mem_agent.shapes import (
    Final,
    Update,
    Verdict,
    no_change,
    update_shape,
)
from memreader_strategies.mem_agent.sizes import VERDICT, Sizes


@dataclass(frozen=True)
class MemAgent:
    """One memory of fixed size, overwritten at each section."""

    section_tokens: int = 5000
    """Tokens of a section; less where the model's window is small."""
    memory_tokens: int = 1024
    """Hard cap on the memory, and on each update's reply."""
    answer_tokens: int = 1024
    """Cap on the last reply."""
    update: Literal["rewrite", "operations"] = "rewrite"
    """The memory written anew, as published; or lines ADD and REPLACE that code carries out."""
    update_gate: bool = False
    """A section said to be irrelevant leaves the memory word for word (GRU-Mem)."""
    exit_gate: Literal["off", "twice", "verified"] = "off"
    """Stop once the memory is said to be enough: in two steps running, or checked by a call."""
    recall: bool = False
    """A step may ask for an earlier memory, which the next step and the last one see (ReMemR1)."""
    plan_ahead: bool = False
    """A line on what to look for is carried beside the memory (QwenLong-L1.5)."""
    temperature: float = 0.0
    """The paper samples at 0.7; 0 makes a reading repeatable."""

    def __post_init__(self) -> None:
        if self.section_tokens < 64 or self.memory_tokens < 16 or self.answer_tokens < 16:
            raise ValueError("section_tokens must be at least 64, the other sizes 16")

    async def read(self, question: str, run: Run) -> Draft:
        """Read section by section and answer from the memory."""
        reading = _Reading.of(self, question, run)
        async for section in run.chunks(reading.sizes.section):
            try:
                await reading.step(section)
            except CallFailed:  # the coverage counts the section; the memory goes on without it
                continue
            except BudgetExceeded as error:
                run.cap(error)
                break
            if await reading.may_leave():
                run.note(f"Stopped reading after section {section.index + 1}: memory is enough.")
                break
        await reading.rescue()
        return await reading.answer()

    def plan(self, corpus: Corpus, question: str, model: Model) -> Plan:
        """Calls = n + 1 (paper's cost); one more for each check of `exit_gate="verified"`."""
        rendering = Rendering(PromptFiles.of(self), model, Fence.derived(corpus.id, question))
        sizes = Sizes.of(self, question, rendering)
        sections = chunk_sizes(corpus, sizes.section, model.counter)
        return sizes.plan(self, sections)

    @property
    def shape(self) -> type[Update]:
        """What an update writes under these options."""
        return update_shape(
            operations=self.update == "operations",
            gate=self.update_gate,
            plan=self.plan_ahead,
            recall=self.recall,
            leave=self.exit_gate != "off",
        )


@dataclass(slots=True)
class _Reading:
    """One reading in progress: its state is the memory."""

    options: MemAgent
    run: Run
    sizes: Sizes
    question: str
    notes: Notes = field(default_factory=Notes)
    ahead: str = ""
    recalled: Notes | None = None
    past: list[Notes] = field(default_factory=list)
    enough: int = 0
    """Steps running that said the memory is enough."""

    @classmethod
    def of(cls, options: MemAgent, question: str, run: Run) -> _Reading:
        sizes = Sizes.of(options, question, run.rendering)
        run.note(f"Sections of at most {sizes.section:,} tokens, a memory of {sizes.memory:,}.")
        if run.model.wire == "plain" and options.shape != MemAgent().shape:
            run.note("The model answers in plain text only: the options of an update do nothing.")
        run.reserve(input_tokens=sizes.overheads[1] + 2 * sizes.memory, output_tokens=sizes.answer)
        return cls(options, run, sizes, run.rendering.files.asked(question))

    async def step(self, section: Chunk) -> None:
        """Step 3, and what the options hang on it."""
        reply = await self._update(section)
        # A gate that says neither yes nor no lets through: shutting it loses what was told.
        if yes_or_no(getattr(reply, "relevant", "")) is not False:
            self.notes = self._rewritten(str(getattr(reply, "memory", "")), section)
        ahead = str(getattr(reply, "plan", "")).strip()
        self.ahead = self.ahead if says_not_found(ahead) else ahead
        self.past.append(self.notes)
        self._recall(str(getattr(reply, "recall", "")))
        self.enough = self.enough + 1 if yes_or_no(getattr(reply, "enough", "")) else 0
        self.run.remember(self.notes, chunk=section.index)

    async def _update(self, section: Chunk) -> Update:
        return await self.run.ask_for(
            self.options.shape,
            "update",
            max_tokens=self.sizes.memory,
            values={
                "question": self.question,
                "how": self.run.rendering.files[f"how.{self.options.update}"].strip(),
                "memory": self._shown(),
                "section": section,
            },
            sources=[section],
            temperature=self.options.temperature,
        )

    def _rewritten(self, told: str, section: Chunk) -> Notes:
        if no_change(told):
            return self.notes
        if self.options.update == "rewrite" or self.run.model.wire == "plain":
            return self.run.noted(self.notes, told, section, self.sizes.memory)
        changed = applied(self.notes, told, section)
        for line in changed.dropped:
            self.run.note(f"Section {section.index + 1}: dropped the change {line!r}.")
        return self.run.cut(changed.notes, self.sizes.memory)

    def _recall(self, query: str) -> None:
        """The earlier memory nearest to the query is shown at the next step."""
        self.recalled = None
        if self.options.recall and query.strip() and not says_not_found(query):
            found = best_match(query, [notes.text for notes in self.past[:-1]])
            self.recalled = None if found is None else self.past[found]

    async def may_leave(self) -> bool:
        """The exit gate: untrained models say "enough" too early, so it takes more than once."""
        if self.options.exit_gate == "off" or not self.enough or not self.notes.items:
            return False
        if self.options.exit_gate == "twice":
            return self.enough >= 2
        try:
            verdict = await self.run.ask_for(
                Verdict,
                "verify",
                max_tokens=VERDICT,
                values={"question": self.question, "memory": self._shown()},
                sources=self.notes.evidence,
            )
        except CallFailed:
            return False
        except BudgetExceeded as error:
            self.run.cap(error)
            return True
        return yes_or_no(verdict.enough) is True

    async def rescue(self) -> None:
        """What the memory forgot is shown to it once more, where the reader wants that."""
        for passage in self.run.lost(self.sizes.section):
            try:
                await self.step(passage)
            except CallFailed:  # what is back is counted at the end
                continue
            except BudgetExceeded as error:
                self.run.cap(error)
                return

    async def answer(self) -> Draft:
        """Step 4. An empty memory has no answer, and takes no call."""
        if not self.notes.items and self.recalled is None:
            return NOT_FOUND
        evidence = [*self.notes.evidence, *(self.recalled.evidence if self.recalled else [])]
        reply = await self.run.ask_for(
            Final,
            "answer",
            max_tokens=self.sizes.answer,
            values={"question": self.question, "memory": self._shown()},
            sources=evidence,
            temperature=self.options.temperature,
            final=True,
        )
        if says_not_found(reply.answer):
            return NOT_FOUND
        return Draft(reply.answer.strip(), bearing(self.run.question, reply.answer, evidence))

    def _shown(self) -> Value:
        """Memory, plan and recalled memory as the prompt shows them."""
        if not self.notes.items and not self.ahead and self.recalled is None:
            return "There is no memory yet."
        text = numbered(self.notes) if self.options.update == "operations" else self.notes.text
        shown = [Untrusted(text or "(empty)", "memory")]
        if self.ahead:
            shown.append(Untrusted(self.ahead, "what to look for"))
        if self.recalled is not None:
            shown.append(Untrusted(self.recalled.text, "an earlier memory"))
        return shown
