"""What a reading will take, said before any call, by the code that the run itself uses."""

from __future__ import annotations

from dataclasses import dataclass

from memreader.llm.base import Price, Usage


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


NOTHING = Plan(Range.exactly(0), Range.exactly(0), Range.exactly(0), Range.exactly(0))
"""The plan for documents without text."""
