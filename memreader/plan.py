"""What a reading will take, said before any call, by the code that the run itself uses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from memreader.chunking import chunk_document
from memreader.document import Corpus
from memreader.llm.base import Price, TokenCounter, Usage


@dataclass(frozen=True, slots=True)
class Range:
    """A figure as minimum, expected and maximum."""

    minimum: int
    expected: int
    maximum: int

    @classmethod
    def exactly(cls, value: int) -> Range:
        """A figure that is known."""
        return cls(value, value, value)

    def __add__(self, other: Range) -> Range:
        return Range(
            self.minimum + other.minimum,
            self.expected + other.expected,
            self.maximum + other.maximum,
        )

    def __sub__(self, other: Range) -> Range:
        return Range(
            self.minimum - other.minimum,
            self.expected - other.expected,
            self.maximum - other.maximum,
        )

    def at_most_twice(self) -> Range:
        """The same with twice the maximum."""
        return replace(self, maximum=2 * self.maximum)

    def __contains__(self, value: int) -> bool:
        return self.minimum <= value <= self.maximum


@dataclass(frozen=True, slots=True)
class Plan:
    """Calls, tokens and time of a reading without caps. Retries of failed attempts come on top."""

    calls: Range
    input_tokens: Range
    output_tokens: Range
    critical_path: Range
    """Calls that must follow one another, given unlimited parallelism."""
    coverage: float = 1.0
    """Share of the text that will be read, as expected."""
    fits: bool = True
    """False where a call of the plan cannot fit the model's window: the run would refuse."""
    once: Plan | None = None
    """What of it is paid once for the documents, however many questions are asked: an index."""

    def more(self) -> Plan:
        """What the same question takes once the index is there."""
        if self.once is None:
            return self
        index = self.once
        return replace(
            self,
            calls=self.calls - index.calls,
            input_tokens=self.input_tokens - index.input_tokens,
            output_tokens=self.output_tokens - index.output_tokens,
            critical_path=self.critical_path - index.critical_path,
            once=None,
        )

    def repaired(self, reply: int) -> Plan:
        """With every reply asked for twice, which is the most; replies have `reply` tokens at most.

        One in the wrong form is shown to the model again, one that was cut is asked for again
        with twice the room (`memreader.repairing`).
        """
        calls = self.calls.maximum
        return replace(
            self,
            calls=self.calls.at_most_twice(),
            input_tokens=replace(
                self.input_tokens,
                maximum=2 * self.input_tokens.maximum + calls * (2 * reply + 400),
            ),
            output_tokens=replace(self.output_tokens, maximum=3 * self.output_tokens.maximum),
            critical_path=self.critical_path.at_most_twice(),
        )

    def rescued(self) -> Plan:
        """With a rescue: at most every chunk is read once more, so that the most is twice as much.

        How much a model forgets cannot be told before, hence the rest stays as it is.
        """
        return replace(
            self,
            calls=self.calls.at_most_twice(),
            input_tokens=self.input_tokens.at_most_twice(),
            output_tokens=self.output_tokens.at_most_twice(),
            critical_path=self.critical_path.at_most_twice(),
        )

    def with_thinking(self, room: int) -> Plan:
        """The plan with replies that may take `room` tokens each for reasoning.

        A quarter is expected: the room is four times what the probe saw (`llm.findings`).
        """
        out, calls = self.output_tokens, self.calls
        thought = Range(0, calls.expected * room // 4, calls.maximum * room)
        once = self.once and self.once.with_thinking(room)
        return replace(self, output_tokens=out + thought, once=once)

    def cost(self, price: Price | None) -> tuple[float, float, float] | None:
        """US dollars: minimum, expected, maximum; without any prefix cache. None if unknown."""
        if price is None:
            return None
        pairs = zip(
            (self.input_tokens.minimum, self.input_tokens.expected, self.input_tokens.maximum),
            (self.output_tokens.minimum, self.output_tokens.expected, self.output_tokens.maximum),
            strict=True,
        )
        low, expected, high = (price.of(Usage(i, 0, o)) for i, o in pairs)
        return low, expected, high


def chunk_sizes(corpus: Corpus, budget: int, counter: TokenCounter) -> list[int]:
    """Tokens of the chunks that a run would read, at most `budget` each, over all documents."""
    return [
        chunk.tokens
        for document in corpus.documents
        for chunk in chunk_document(document, budget, counter)
    ]


def together(plans: Sequence[Plan]) -> Plan:
    """The plan of several questions about the same documents, read side by side."""
    first, *others = plans
    each = [first, *(plan.more() for plan in others)]
    paths = [plan.critical_path for plan in plans]
    return Plan(
        calls=sum((p.calls for p in each), Range.exactly(0)),
        input_tokens=sum((p.input_tokens for p in each), Range.exactly(0)),
        output_tokens=sum((p.output_tokens for p in each), Range.exactly(0)),
        critical_path=Range(
            max(p.minimum for p in paths),
            max(p.expected for p in paths),
            max(p.maximum for p in paths),
        ),
        coverage=max(p.coverage for p in plans),
        fits=all(p.fits for p in plans),
        once=first.once,
    )


NOTHING = Plan(Range.exactly(0), Range.exactly(0), Range.exactly(0), Range.exactly(0))
"""The plan for documents without text."""
