"""One reading in progress: schema, revisions chunk by chunk, answer (steps 2 to 6)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from memreader.answer import NOT_FOUND, Draft
from memreader.chunking import Chunk
from memreader.errors import BudgetExceeded, CallFailed
from memreader.evidence import says_not_found
from memreader.grounding import bearing
from memreader.memory.notes import Item, Notes
from memreader.prompts import Untrusted, Value
from memreader.run import Run
from memreader.structured import Shape
from memreader_strategies.prism.choosing import ATTEMPTS, Chosen, again, chosen, generated, shipped
from memreader_strategies.prism.cost import CallLog
from memreader_strategies.prism.memory import Dropped, Memory
from memreader_strategies.prism.revisions import Revision, proposed
from memreader_strategies.prism.schema import SchemaFault
from memreader_strategies.prism.shapes import Final, Told
from memreader_strategies.prism.sizes import AGAIN, Sizes, generate_values, shape_of, stable

if TYPE_CHECKING:
    from memreader_strategies.prism.strategy import Prism


@dataclass(slots=True)
class Reading:
    """One reading in progress: its state is the memory."""

    options: Prism
    run: Run
    question: str
    sizes: Sizes
    schema: Chosen
    memory: Memory
    log: CallLog
    pending: bool
    """Whether the schema has still to be generated."""

    @classmethod
    def of(cls, options: Prism, question: str, run: Run) -> Reading:
        schema = chosen(options.schema_for(run.model), question, run.rendering.files)
        sizes = Sizes.of(options, question, schema, run.rendering)
        run.note(
            f"Schema {schema.name}, chunks of at most {sizes.chunk:,} tokens, a memory of "
            f"{sizes.memory:,}, kept by {options.mode.replace('_', ' ')}."
        )
        if run.model.wire == "plain" and options.schema not in ("auto", "generic"):
            run.note("The model answers in plain text only: the schema is the generic one.")
        run.reserve(input_tokens=sizes.overheads[1] + sizes.memory, output_tokens=sizes.answer)
        log = CallLog(run.model.counter.count)
        run.caller.stream.listeners.append(log.hear)
        memory = Memory.new(schema.record, options.mode)
        pending = options.generates(run.model)
        return cls(options, run, question, sizes, schema, memory, log, pending)

    async def read(self) -> Draft:
        """All chunks in order, then the answer."""
        async for chunk in self.run.chunks(self.sizes.chunk):
            try:
                await self._generate()
                await self.step(chunk)
            except CallFailed:  # the coverage counts the chunk; the memory goes on without it
                continue
            except BudgetExceeded as error:
                self.run.cap(error)
                break
        await self._rescue()
        try:
            return await self._answer()
        finally:
            if self.log.input_tokens:
                self.run.note(f"{self.log}")

    async def _rescue(self) -> None:
        """What the memory forgot is shown to it once more, where the reader wants that."""
        for passage in self.run.lost(self.sizes.chunk):
            try:
                await self.step(passage)
            except CallFailed:  # what is back is counted at the end
                continue
            except BudgetExceeded as error:
                self.run.cap(error)
                return

    # --- step 2 ----------------------------------------------------------------------------

    async def _generate(self) -> None:
        """The schema, written by the model before the first chunk; the generic one where it fails.

        It waits for a chunk, so that a document without text costs nothing.
        """
        if not self.pending:
            return
        fault, text = None, ""
        for attempt in range(ATTEMPTS):
            values = {
                **generate_values(self.question, self.run.rendering), "again": again(fault, text)
            }  # fmt: skip
            self.log.begin("generate", self.run.rendering.prompt("generate", values))
            try:
                reply = await self.run.ask(
                    "generate", values=values, max_tokens=2 * self.sizes.schema, sample=attempt
                )
            except CallFailed as error:
                self.run.note(f"Schema, try {attempt + 1}: {error}")
                continue
            text = reply.text
            try:
                record = generated(text, self.run.model.counter.count, self.sizes.schema)
            except SchemaFault as error:
                fault = error
                self.run.note(f"Schema, try {attempt + 1}: {error}.")
                continue
            self._take(Chosen("generated", record))
            return
        self._take(shipped("generic", self.run.rendering.files))

    def _take(self, schema: Chosen) -> None:
        self.pending, self.schema = False, schema
        self.memory = Memory.new(schema.record, self.options.mode)
        self.run.note(f"The schema is {schema.name}:\n{schema.text}")

    # --- steps 3 to 5 ----------------------------------------------------------------------

    async def step(self, chunk: Chunk) -> None:
        """One chunk: revisions, one by one into the memory, which is kept within its bounds."""
        if self.run.model.wire == "plain":
            memory = await self._told(chunk)
        else:
            revisions = await self._revisions(chunk)
            memory, dropped = self._revised(revisions, chunk)
            if dropped and len(dropped) == len(revisions):
                revisions = await self._revisions(chunk, dropped)
                memory, dropped = self._revised(revisions, chunk)
                if dropped and len(dropped) == len(revisions):
                    reason = f"no revision could be carried out: {dropped[0]}"
                    self.run.caller.give_up("revise", reason, [] if chunk.again else [chunk])
                    return
        self.memory = self._bounded(memory, chunk)
        self.run.remember(self.memory.notes, chunk=chunk.index)

    async def _revisions(self, chunk: Chunk, dropped: Sequence[Dropped] = ()) -> list[Revision]:
        values: dict[str, Value] = {
            **stable(self.options, self.question, self.schema, self.run.rendering),
            "memory": Untrusted(self.memory.text, "memory"),
            "passage": chunk,
            "again": self._once_more(dropped),
        }
        reply = await self._ask("revise", shape_of(self.run.rendering), values, chunk)
        return proposed(getattr(reply, "revisions", ""))

    async def _ask(
        self, step: str, shape: type[Shape], values: dict[str, Value], chunk: Chunk
    ) -> Shape:
        told = None if self.run.model.wire == "plain" else shape
        self.log.begin(step, self.run.rendering.prompt(step, values, told))
        return await self.run.ask_for(
            shape,
            step,
            max_tokens=self.sizes.reply,
            values=values,
            sources=[chunk],
            temperature=self.options.temperature,
        )

    def _once_more(self, dropped: Sequence[Dropped]) -> Value:
        """What a second request adds: the revisions that failed, each with its reason."""
        if not dropped:
            return ""
        lines = list(map(str, dropped))
        count = self.run.model.counter.count
        while lines and count("\n".join(lines)) > AGAIN - 64:
            lines.pop()
        return Untrusted(
            "\n".join(lines) or "(all of them)",
            "your revisions, none of which could be carried out; write them anew by the schema",
        )

    def _revised(self, revisions: list[Revision], chunk: Chunk) -> tuple[Memory, list[Dropped]]:
        memory, dropped = self.memory.revised(
            revisions, chunk, may_delete=self.options.allow_delete
        )
        for revision in dropped:
            self.run.note(f"Chunk {chunk.index + 1}: dropped the revision {revision}.")
        return memory, dropped

    async def _told(self, chunk: Chunk) -> Memory:
        """A plain model answers in free text; code adds the sentence that bears the answer out."""
        values: dict[str, Value] = {"question": self._asked, "passage": chunk}
        reply = await self._ask("revise", Told, values, chunk)
        found = self.run.noted(
            Notes(), str(getattr(reply, "fact", "")), chunk, self.sizes.memory
        ).items
        memory = self.memory
        for number, item in enumerate(found, start=1):
            path = ("facts", f"chunk {chunk.index + 1}.{number}")
            revision = Revision("add", path, item.text, item.text)
            memory, _ = memory.revised([revision], chunk, given=item.evidence)
        return memory

    def _bounded(self, memory: Memory, chunk: Chunk) -> Memory:
        """Fold amendments beyond their budget; cut what is too large even then, and say so."""
        bounded, cut = memory.bounded(
            memory=self.sizes.memory,
            amendments=self.sizes.amendments,
            count=self.run.model.counter.count,
            question=self.run.question,
        )
        after = f"after chunk {chunk.index + 1}"
        if memory.amendments and not bounded.amendments:
            self.run.note(f"{len(memory.amendments):,} amendments were folded in {after}.")
        if cut:
            self.run.note(
                f"The memory was full {after}: {cut:,} entries that have least to do with the "
                f"question were left out."
            )
        return bounded

    # --- step 6 ----------------------------------------------------------------------------

    async def _answer(self) -> Draft:
        """The answer from the memory alone. An empty memory has none, and takes no call."""
        notes = self.memory.notes
        if not notes.items:
            return NOT_FOUND
        values: dict[str, Value] = {
            "question": self._asked,
            "how": self.run.rendering.files[f"how.{self.options.mode}"].strip(),
            "memory": self._shown(notes),
        }
        plain = self.run.model.wire == "plain"
        prompt = self.run.rendering.prompt("answer", values, None if plain else Final)
        self.log.begin("answer", prompt)
        reply = await self.run.ask_for(
            Final,
            "answer",
            max_tokens=self.sizes.answer,
            values=values,
            sources=notes.evidence,
            temperature=self.options.temperature,
            final=True,
        )
        if says_not_found(reply.answer):
            return NOT_FOUND
        return Draft(reply.answer.strip(), bearing(self.run.question, reply.answer, notes.evidence))

    def _shown(self, notes: Notes) -> Value:
        """The memory whole; to a plain model the sentence that bears most on the question."""
        if self.run.model.wire != "plain":
            return Untrusted(self.memory.text, "memory")
        best = self.run.narrowed(notes.items, _score)
        return Untrusted("\n".join(i.text.partition(": ")[2] for i in best), "memory")

    @property
    def _asked(self) -> str:
        return self.run.rendering.files.asked(self.question)


def _score(item: Item) -> float:
    return max((e.score for e in item.evidence), default=0.0)
