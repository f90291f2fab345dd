"""The sizes of section, extract, memory and answer in one model's window."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from memreader.errors import ConfigurationError
from memreader.plan import NOTHING, Plan, Range
from memreader.rendering import Rendering, chunk_budget
from memreader_strategies.pi_mem.shapes import Extract, Final, Merged

if TYPE_CHECKING:
    from memreader_strategies.pi_mem.strategy import PiMem

FENCED = 48
"""Tokens of the marker lines around a text, from above."""
TYPICAL = 3
"""A reply is expected to take a third of its cap."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """Tokens."""

    section: int
    extract: int
    memory: int
    answer: int
    extracts: int
    """Of all extracts in one merge call: two at least, whatever their sizes."""
    overheads: tuple[int, int, int]
    """Of the prompts of extract, merge and answer beside what they show."""

    @classmethod
    def of(cls, options: PiMem, question: str, rendering: Rendering) -> Sizes:
        """Raises ConfigurationError where the window leaves no room to read in."""
        model, plain = rendering.model, rendering.model.wire == "plain"
        window = model.window
        memory = min(options.memory_tokens, window // 8)
        extract = min(options.extract_tokens, window // 8)
        answer = min(options.answer_tokens, window // 4)
        asked = rendering.files.asked(question)
        empty = {"question": asked, "memory": ""}
        overheads = (
            rendering.tokens("extract", {**empty, "section": ""}, Extract),
            0 if plain else rendering.tokens("merge", {**empty, "extracts": ""}, Merged),
            rendering.tokens("answer", empty, Final),
        )
        section = window - overheads[0] - 2 * FENCED - memory - extract
        extracts = window - overheads[1] - FENCED - 2 * memory
        if section < 64 or extracts < 2 * (max(memory, extract) + FENCED):
            raise ConfigurationError(
                f"Prompt and question take {max(overheads):,} and memory and reply "
                f"{memory + extract:,} of the window of {window:,} tokens: too little is left to "
                f"read with. Ask a shorter question, lower memory_tokens and extract_tokens, or "
                f"use a larger window."
            )
        section = chunk_budget(min(options.section_tokens, section), model)
        return cls(section, extract, memory, answer, extracts, overheads)

    def plan(self, options: PiMem, sections: list[int]) -> Plan:
        """What sections of these sizes take."""
        n, text = len(sections), sum(sections)
        if not n:
            return NOTHING
        extract, merge, answer = self.overheads
        merges, depth = self._tree(n)
        p = options.passes
        usual = min(p, 2)
        memory, told = self.memory // TYPICAL, self.extract // TYPICAL
        return Plan(
            calls=Range(n, usual * n + 2, p * (n + merges) + 1),
            input_tokens=Range(
                text + n * extract,
                usual * (text + n * (extract + memory)) + merge + told + answer + memory,
                p * (text + n * (extract + self.memory + 2 * FENCED))
                + p * merges * (merge + 2 * self.memory + self.extracts)
                + answer
                + self.memory
                + FENCED,
            ),
            output_tokens=Range(
                n,
                usual * n * told // 2 + memory + self.answer // TYPICAL,
                p * (n * self.extract + merges * self.memory) + self.answer,
            ),
            critical_path=Range(1, usual + 2, p * (1 + depth) + 1),
        ).repaired(max(self.extract, self.memory, self.answer))

    def _tree(self, leaves: int) -> tuple[int, int]:
        """Merges of a pass and their levels, where every section has a full extract."""
        merges = depth = 0
        size = self.extract
        while not depth or leaves > 1:
            leaves = -(-leaves // (self.extracts // (size + FENCED)))
            merges, depth, size = merges + leaves, depth + 1, self.memory
        return merges, depth
