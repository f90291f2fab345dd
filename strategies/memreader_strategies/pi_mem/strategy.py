"""PI-Mem (2026, https://arxiv.org/abs/2608.03048): parallel passes over one memory.

1. `read`      the memory begins empty; at most `passes` passes.
2. `_extract`  all sections in parallel: is there anything new beyond the memory, and what?
3. stop        no section had anything new: converged.
4. `_merge`    old memory and extracts, labelled with their sections, give the new memory; as a
               tree of calls where they do not fit one.
5. `_answer`   the memory alone gives the answer.

What was changed against the released code, and why, is in README.md beside this module.
Calls: at most P (n + merges) + 1. Critical path: at most P (1 + depth of the merge tree) + 1.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

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
from memreader_strategies.pi_mem.shapes import Extract, Final, Merged
from memreader_strategies.pi_mem.sizes import FENCED, Sizes

Found = tuple[Chunk, Notes]
Part = tuple[str, Notes]
"""What one or more sections tell, with their numbers."""


@dataclass(frozen=True)
class PiMem:
    """Up to three passes: all sections in parallel, then one memory made of what is new."""

    section_tokens: int = 5000
    """Tokens of a section; less where the model's window is small."""
    extract_tokens: int = 1024
    """Cap on each extract."""
    memory_tokens: int = 1024
    """Hard cap on the memory."""
    answer_tokens: int = 1024
    """Cap on the last reply."""
    passes: int = 3
    """Passes at most; reading stops earlier once no section has anything new."""
    temperature: float = 0.0

    def __post_init__(self) -> None:
        if self.passes < 1:
            raise ValueError("passes must be at least 1")
        if min(self.section_tokens, self.extract_tokens, self.memory_tokens) < 32:
            raise ValueError("section_tokens, extract_tokens and memory_tokens must be at least 32")

    async def read(self, question: str, run: Run) -> Draft:
        """Pass after pass until nothing is new, then answer."""
        reading = _Reading.of(self, question, run)
        sections: list[Chunk] = []
        for number in range(1, self.passes + 1):
            found = await reading.extract(sections)
            if not found:
                run.note(f"Pass {number} found nothing new." if number > 1 else "Nothing found.")
                break
            await reading.merge(found, number)
            if run.capped:
                break
        return await reading.answer()

    def plan(self, corpus: Corpus, question: str, model: Model) -> Plan:
        """Calls <= P (n + merges) + 1, for one pass and a second that finds nothing new."""
        rendering = Rendering(PromptFiles.of(self), model, Fence.derived(corpus.id, question))
        sizes = Sizes.of(self, question, rendering)
        sections = chunk_sizes(corpus, sizes.section, model.counter)
        return sizes.plan(self, sections)


@dataclass(slots=True)
class _Reading:
    """One reading in progress: its state is the memory."""

    options: PiMem
    run: Run
    sizes: Sizes
    question: str
    notes: Notes = field(default_factory=Notes)

    @classmethod
    def of(cls, options: PiMem, question: str, run: Run) -> _Reading:
        sizes = Sizes.of(options, question, run.rendering)
        run.note(f"Sections of at most {sizes.section:,} tokens, a memory of {sizes.memory:,}.")
        run.reserve(input_tokens=sizes.overheads[2] + sizes.memory, output_tokens=sizes.answer)
        return cls(options, run, sizes, run.rendering.files.asked(question))

    async def extract(self, sections: list[Chunk]) -> list[Found]:
        """Step 2 over all sections; the first pass also cuts them."""
        source = list(sections) or self.run.chunks(self.sizes.section)
        first = not sections
        found: list[Found] = []

        async def one(section: Chunk) -> tuple[Chunk, Notes | None]:
            return section, await self._extract(section)

        async for section, notes in self.run.stream(one, source):
            if first:
                sections.append(section)
            if notes is not None and notes.items:
                found.append((section, notes))
        return found

    async def _extract(self, section: Chunk) -> Notes | None:
        """What is new in a section; None where its call failed, which the coverage counts."""
        try:
            reply = await self.run.ask_for(
                Extract,
                "extract",
                max_tokens=self.sizes.extract,
                values={
                    "question": self.question,
                    "memory": _memory(self.notes),
                    "section": section,
                },
                sources=[section],
                temperature=self.options.temperature,
            )
        except CallFailed:
            return None
        if yes_or_no(reply.new) is False:  # as released: a missing check counts as yes
            return Notes()
        new = self.run.noted(Notes(), reply.notes, section, self.sizes.extract)
        known = [item for item in new.items if not self.notes.knows(item)]
        return Notes(tuple(known))

    async def merge(self, found: list[Found], number: int) -> None:
        """Step 4: a tree of calls, the last of which also sees the memory."""
        told = Notes(tuple(item for _, notes in found for item in notes.items))
        if self.run.model.wire == "plain":  # such a model drops what it copies: code joins
            new = self._joined(self.notes, told)
        else:
            new = await self._tree([(f"section {s.index + 1}", n) for s, n in found], number)
        # What was told and is not in the memory now was noted and lost at once.
        self.notes = replace(new, cut=told.items)
        self.run.remember(self.notes, chunk=found[-1][0].index)

    def _joined(self, *several: Notes) -> Notes:
        """Notes put together by code, within the cap of the memory."""
        whole = Notes()
        for notes in several:
            for item in notes.items:
                whole = whole.added(item)
        return self.run.cut(whole, self.sizes.memory)

    async def _tree(self, parts: list[Part], number: int) -> Notes:
        """Groups that fit a call are merged side by side until one group is left."""

        async def merged(group: list[Part]) -> Part:
            if len(group) == 1:
                return group[0]
            first, last = group[0][0].split()[1], group[-1][0].split()[-1]
            label = f"sections {first} to {last}"
            return label, await self._merge(group, Notes(), number)

        while len(groups := self._groups(parts)) > 1:
            merging = await self.run.map(merged, groups)
            if self.run.capped:
                return self._joined(self.notes, *(notes for _, notes in parts))
            parts = merging
        return await self._merge(parts, self.notes, number)

    def _groups(self, parts: list[Part]) -> list[list[Part]]:
        """Parts in groups that fit a call beside the memory; two fit at least."""
        groups: list[list[Part]] = []
        left = 0
        for label, notes in parts:
            size = self.run.model.counter.count(notes.text) + FENCED
            if not groups or size > left:
                groups.append([])
                left = self.sizes.extracts
            groups[-1].append((label, notes))
            left -= size
        return groups

    async def _merge(self, group: list[Part], memory: Notes, number: int) -> Notes:
        """One call; where it fails or says nothing of its extracts, code joins them."""
        several = [memory, *(notes for _, notes in group)]
        every = Notes(tuple(item for notes in several for item in notes.items))
        try:
            reply = await self.run.ask_for(
                Merged,
                "merge",
                max_tokens=self.sizes.memory,
                values={
                    "question": self.question,
                    "memory": _memory(memory),
                    "extracts": [Untrusted(notes.text, label) for label, notes in group],
                },
                sources=every.evidence,
                temperature=self.options.temperature,
            )
        except CallFailed as error:  # the released code keeps the old memory and loses the pass
            self.run.note(f"A merge of pass {number} failed; its extracts are joined: {error}")
            return self._joined(*several)
        except BudgetExceeded as error:
            self.run.cap(error)
            return self._joined(*several)
        new = every.retold(reply.memory)
        if every.sources and not new.sources:
            self.run.note(f"A merge of pass {number} kept nothing; its extracts are joined.")
            return self._joined(*several)
        return self.run.cut(new, self.sizes.memory)

    async def answer(self) -> Draft:
        """Step 5. An empty memory has no answer, and takes no call."""
        if not self.notes.items:
            return NOT_FOUND
        evidence = self.notes.evidence
        reply = await self.run.ask_for(
            Final,
            "answer",
            max_tokens=self.sizes.answer,
            values={"question": self.question, "memory": _memory(self.notes)},
            sources=evidence,
            temperature=self.options.temperature,
            final=True,
        )
        if says_not_found(reply.answer):
            return NOT_FOUND
        return Draft(reply.answer.strip(), bearing(self.run.question, reply.answer, evidence))


def _memory(notes: Notes) -> Value:
    return Untrusted(notes.text, "memory") if notes.items else "There is no memory yet."
