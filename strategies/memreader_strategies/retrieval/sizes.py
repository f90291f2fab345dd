"""What the calls may take of the window, and what a reading takes in all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from memreader.errors import ConfigurationError
from memreader.plan import NOTHING, Plan, Range
from memreader.prompts import Untrusted, Value
from memreader.rendering import Rendering, chunk_budget
from memreader.structured import Shape
from memreader_strategies.retrieval.shapes import Final, Numbers, Quotes

if TYPE_CHECKING:
    from memreader_strategies.retrieval.strategy import Retrieval

FENCED = 32
"""Tokens of the marker lines around a piece, from above."""
REFUSED = 100
"""Tokens of lines that are shown again, when evidence is asked for once more."""
LEAST = 64
"""Tokens of text below which there is nothing to read with."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """Tokens."""

    passage: int
    budget: int
    """Of all pieces that a call shows, with their marker lines."""
    cited: int
    """Cap on the reply of the evidence and rerank calls."""
    answer: int
    rerank: int
    """Of the candidates that a rerank call shows: what the window holds."""
    overheads: Mapping[str, int]
    """Of the prompts beside the material, by call; asked again for evidence, its first prompt."""
    plain: bool
    counter: str

    @classmethod
    def of(cls, options: Retrieval, question: str, rendering: Rendering) -> Sizes:
        """Raises ConfigurationError where the window leaves no room to read in."""
        model = rendering.model
        cited = min(options.evidence_tokens, model.window // 4)
        answer = min(options.answer_tokens, model.window // 4)
        plain = model.wire == "plain"
        if plain:
            answer = min(answer, Final.plain.max_tokens if Final.plain else answer)
        overheads = {
            call: rendering.tokens(call, _empty(question, rendering, refused=again), shape)
            + (REFUSED + FENCED if again else 0)
            for call, shape, again in _calls(options, plain=plain)
        }
        replies = {call: answer if call == "answer" else cited for call in overheads}
        room = model.window - max(overheads[call] + replies[call] for call in overheads)
        budget = min(options.budget_tokens, room)
        if budget < LEAST + FENCED:
            raise ConfigurationError(
                f"Prompt and question take {max(overheads.values()):,} and the reply "
                f"{max(replies.values()):,} of the window of {model.window:,} tokens: too little "
                f"is left to read with. Ask a shorter question, raise budget_tokens, or use a "
                f"larger window."
            )
        passage = chunk_budget(min(options.passage_tokens, budget - FENCED), model)
        rerank = model.window - overheads.get("rerank", 0) - cited
        return cls(passage, budget, cited, answer, rerank, overheads, plain, model.counter.name)

    @property
    def collection(self) -> str:
        """The name of the passages in the vector store."""
        return f"passages of {self.passage} tokens ({self.counter})"

    def plan(self, options: Retrieval, passages: Sequence[int]) -> Plan:
        """What a reading of passages of these sizes takes, embeddings aside."""
        if not passages:
            return NOTHING
        text, n = sum(passages), min(options.top_k, len(passages))
        if self.plain:
            return self._one_by_one(n, sorted(passages)[-n:], text)
        shown = min(self.budget, text + len(passages) * FENCED)
        calls = len(self.overheads) - any(c.endswith(".again") for c in self.overheads)
        tries = 2 * len(self.overheads)
        listed = min(self.rerank, options.candidates * (self.passage + FENCED))
        extra = max(0, listed - shown) if "rerank" in self.overheads else 0
        sent = sum(size + shown for size in self.overheads.values()) + extra
        replies = sum(self.answer if call == "answer" else self.cited for call in self.overheads)
        asked = sum(
            self.overheads[c] + (self.cited if c == "answer" else shown)
            for c in self.overheads
            if not c.endswith(".again")
        )
        seen = min(text, shown + extra)
        return Plan(
            calls=Range(0, calls, tries),
            input_tokens=Range(0, asked + extra, 2 * sent + 2 * replies + 400 * tries),
            output_tokens=Range(0, replies // 3, 3 * replies),
            critical_path=Range(0, calls, tries),
            coverage=min(1.0, seen / text),
        )

    def _one_by_one(self, n: int, largest: Sequence[int], text: int) -> Plan:
        """A model below the labelled contract reads passages one a call, then one sentence."""
        one = self.overheads["answer"] + FENCED
        sent = n * one + sum(largest)
        return Plan(
            calls=Range(0, n, n + 1),
            input_tokens=Range(0, sent, sent + one + largest[-1]),
            output_tokens=Range(0, n * self.answer // 3, (n + 1) * self.answer),
            critical_path=Range(0, 1, 2),
            coverage=min(1.0, sum(largest) / text),
        )


def _calls(options: Retrieval, *, plain: bool) -> list[tuple[str, type[Shape], bool]]:
    """The prompts of a reading with their shapes, and whether they show refused lines."""
    if plain:
        return [("answer", Final, False)]
    calls: list[tuple[str, type[Shape], bool]] = []
    if options.rerank == "model":
        calls.append(("rerank", Numbers, False))
    if options.evidence != "off":
        shape = Quotes if options.evidence == "quotes" else Numbers
        calls += [(options.evidence, shape, False), (f"{options.evidence}.again", shape, True)]
    return [*calls, ("answer", Final, False)]


def _empty(question: str, rendering: Rendering, *, refused: bool) -> dict[str, Value]:
    values: dict[str, Value] = {
        "question": rendering.files.asked(question),
        "material": Untrusted(""),
    }
    return {**values, "refused": Untrusted("")} if refused else values
