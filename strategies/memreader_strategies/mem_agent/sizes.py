"""The sizes of section, memory and answer in one model's window (step 1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from memreader.errors import ConfigurationError
from memreader.plan import NOTHING, Plan, Range
from memreader.rendering import Rendering, chunk_budget
from memreader_strategies.mem_agent.shapes import Final

if TYPE_CHECKING:
    from memreader_strategies.mem_agent.strategy import MemAgent

FENCED = 96
"""Tokens of marker lines and of a plan, from above."""
VERDICT = 32
"""Tokens of a reply on whether reading may stop."""
TYPICAL = 3
"""A reply is expected to take a third of its cap."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """Tokens."""

    section: int
    memory: int
    answer: int
    overheads: tuple[int, int]
    """Of the prompts of update and answer beside memory and section."""

    @classmethod
    def of(cls, options: MemAgent, question: str, rendering: Rendering) -> Sizes:
        """Raises ConfigurationError where the window leaves no room to read in."""
        window = rendering.model.window
        memory = min(options.memory_tokens, window // 8)
        answer = min(options.answer_tokens, window // 4)
        asked = rendering.files.asked(question)
        how = rendering.files[f"how.{options.update}"]
        overheads = (
            rendering.tokens(
                "update",
                {"question": asked, "how": how, "memory": "", "section": ""},
                options.shape,
            ),
            rendering.tokens("answer", {"question": asked, "memory": ""}, Final),
        )
        memories = 2 if options.recall else 1
        room = window - overheads[0] - FENCED - memories * memory - memory
        if room < 64:
            raise ConfigurationError(
                f"Prompt and question take {overheads[0]:,} and memory and reply {2 * memory:,} "
                f"of the window of {window:,} tokens: too little is left to read with. Ask a "
                f"shorter question, lower memory_tokens, or use a larger window."
            )
        section = chunk_budget(min(options.section_tokens, room), rendering.model)
        return cls(section, memory, answer, overheads)

    def plan(self, options: MemAgent, sections: list[int]) -> Plan:
        """What sections of these sizes take."""
        n, text = len(sections), sum(sections)
        if not n:
            return NOTHING
        update, answer = self.overheads
        checks = n if options.exit_gate == "verified" else 0
        least = 1 if options.exit_gate != "off" else n
        most = n + 1 + checks
        fixed = text + n * update + answer
        memories = 2 if options.recall else 1
        spent = most * (memories * self.memory + FENCED) + checks * answer
        return Plan(
            calls=Range(least, n + 1, most),
            input_tokens=Range(
                (min(sections) + update) * least if least < n else text + n * update,
                fixed + (n + 1) * self.memory // TYPICAL,
                fixed + spent,
            ),
            output_tokens=Range(
                least,
                (n * self.memory + self.answer) // TYPICAL,
                n * self.memory + self.answer + VERDICT * checks,
            ),
            critical_path=Range(least, n + 1, most),
        ).repaired(max(self.memory, self.answer))
