"""The sizes of chunk, memory and replies in one model's window (step 1), and the plan."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from memreader.errors import ConfigurationError
from memreader.llm.base import Wire
from memreader.plan import NOTHING, Plan, Range
from memreader.prompts import Value
from memreader.rendering import Rendering, chunk_budget
from memreader.structured import Shape
from memreader_strategies.prism.choosing import ATTEMPTS, Chosen
from memreader_strategies.prism.shapes import Final, RevisionList, Revisions, Told, forms

if TYPE_CHECKING:
    from memreader_strategies.prism.strategy import Prism

FENCED = 96
"""Tokens of the marker lines in a prompt, from above."""
AGAIN = 200
"""Tokens of what is shown when revisions are asked for again."""
SCHEMA = 400
"""Tokens of a generated schema at most: it stands in every prompt."""
LEAST = 64
"""Tokens of a chunk below which reading makes no sense."""
TYPICAL = 4
"""A reply is expected to take a quarter of its cap."""


def shape_of(rendering: Rendering) -> type[Shape]:
    """What a revision call writes on this wire."""
    shapes: dict[Wire, type[Shape]] = {
        "plain": Told, "labelled": Revisions, "schema": RevisionList
    }  # fmt: skip
    return shapes[rendering.model.wire]


def stable(options: Prism, question: str, chosen: Chosen, rendering: Rendering) -> dict[str, Value]:
    """What stands before the memory in the prompt of every revision call."""
    return {
        "question": rendering.files.asked(question),
        "schema": chosen.text,
        "how": rendering.files[f"how.{options.mode}"].strip(),
        "forms": forms(
            chosen.record, rendering.model.wire, may_delete=options.allow_delete
        ),
    }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sizes:
    """Tokens."""

    chunk: int
    memory: int
    """Cap on the memory's text, amendments and all."""
    amendments: int
    """Cap on the amendments; beyond it they are folded in."""
    reply: int
    answer: int
    schema: int
    """Cap on a generated schema; 0 where none is generated."""
    overheads: tuple[int, int, int]
    """Of the prompts of revision, answer and schema beside chunk and memory."""

    @classmethod
    def of(cls, options: Prism, question: str, chosen: Chosen, rendering: Rendering) -> Sizes:
        """Raises ConfigurationError where the window leaves no room to read in."""
        window = rendering.model.window
        values = stable(options, question, chosen, rendering)
        schema = min(SCHEMA, window // 8) if options.generates(rendering.model) else 0
        reply, answer = (
            min(options.reply_tokens, window // 6),
            min(options.answer_tokens, window // 4),
        )
        overheads = (
            # A schema stands there twice: as itself, and as the forms of its revisions.
            rendering.tokens(
                "revise", {**values, "memory": "", "passage": "", "again": ""}, shape_of(rendering)
            )
            + 2 * schema,
            rendering.tokens(
                "answer", {k: values[k] for k in ("question", "how")} | {"memory": ""}, Final
            ),
            rendering.tokens("generate", generate_values(question, rendering)) if schema else 0,
        )  # fmt: skip
        room = window - overheads[0] - FENCED - AGAIN - reply
        memory = min(options.memory_tokens, room // 3, window - overheads[1] - FENCED - answer)
        chunk = min(options.chunk_tokens, room - memory)
        if min(chunk, memory) < LEAST:
            raise ConfigurationError(
                f"Prompt, schema and question take {overheads[0]:,} of the window of {window:,} "
                f"tokens: too little is left to read with. Ask a shorter question, give a "
                f"smaller schema, or use a larger window."
            )
        amendments = min(options.amendment_tokens, memory // 2)
        size = chunk_budget(chunk, rendering.model)
        return cls(size, memory, amendments, reply, answer, schema, overheads)

    def plan(self, sizes: list[int]) -> Plan:
        """What n chunks of these sizes take."""
        n, text = len(sizes), sum(sizes)
        if not n:
            return NOTHING
        revise, answer, generate = self.overheads
        schemas = Range(1, 1, ATTEMPTS) if self.schema else Range.exactly(0)
        # At most asked again once for each chunk.
        calls = Range(n, n + 1, 2 * n + 1)
        once = text + n * revise
        most = self.memory + FENCED
        typed = Plan(
            calls=calls,
            input_tokens=Range(
                once - 2 * n * self.schema,
                once + answer + (n + 1) * min(self.memory, 20 * n) // 2,
                2 * (once + n * (most + AGAIN)) + answer + most,
            ),
            output_tokens=Range(
                n, (n * self.reply + self.answer) // TYPICAL, 2 * n * self.reply + self.answer
            ),
            critical_path=calls,
        ).repaired(max(self.reply, self.answer))  # fmt: skip
        return replace(  # the schema is written in free text, which is not repaired
            typed,
            calls=typed.calls + schemas,
            input_tokens=typed.input_tokens
            + Range(generate, generate, ATTEMPTS * (generate + FENCED + 800)),
            output_tokens=typed.output_tokens
            + Range(0, self.schema // TYPICAL, 2 * ATTEMPTS * self.schema),
            critical_path=typed.critical_path + schemas,
        )


def generate_values(question: str, rendering: Rendering) -> dict[str, Value]:
    """The prompt of a schema call beside what a failed try adds."""
    return {
        "question": rendering.files.asked(question),
        "language": rendering.files["schema_language"].strip(),
        "example": rendering.files["schema_example"].strip(),
        "again": "",
    }
