"""The paper's cost index, and the log of calls that it is made from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from memreader.events import CallFinished, Event

OUTPUT_WEIGHT = 3
"""An output token counts as much as three input tokens; one from the cache counts nothing."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A call of the log."""

    prompt: str
    output_tokens: int


def cost_index(calls: Sequence[Sent], count: Callable[[str], int]) -> int:
    """Sum over calls of (input - longest common prefix with the call before) + 3 x output."""
    befores = ["", *(call.prompt for call in calls)]
    return sum(_cost(b, call, count) for b, call in zip(befores, calls, strict=False))


def _cost(before: str, call: Sent, count: Callable[[str], int]) -> int:
    fresh = call.prompt[shared(before, call.prompt) :]
    return count(fresh) + OUTPUT_WEIGHT * call.output_tokens


def shared(before: str, prompt: str) -> int:
    """Length of the common prefix in characters, back to the end of a word in both."""
    low, high = 0, min(len(before), len(prompt))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (
            (middle, high) if before[:middle] == prompt[:middle] else (low, middle - 1)
        )  # fmt: skip
    while low and not (_ends_word(before, low) and _ends_word(prompt, low)):
        low -= 1
    return low


def _ends_word(text: str, at: int) -> bool:
    return at == len(text) or text[at].isspace() or text[at - 1].isspace()


@dataclass(slots=True)
class CallLog:
    """The calls of one reading, with what the provider said of its own cache."""

    count: Callable[[str], int]
    index: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    _step: str = field(default="", repr=False)
    _prompt: str = field(default="", repr=False)
    _before: str = field(default="", repr=False)

    def begin(self, step: str, prompt: str) -> None:
        """A call with this prompt is about to be made."""
        self._step, self._prompt = step, prompt

    def hear(self, event: Event) -> None:
        """Take a finished call down. One that the engine made, a repair, shares no prefix."""
        if not isinstance(event, CallFinished):
            return
        self.input_tokens += event.input_tokens
        self.cached_tokens += event.cached_input_tokens
        self.output_tokens += event.output_tokens
        if event.step == self._step:
            self.index += _cost(self._before, Sent(self._prompt, event.output_tokens), self.count)
            self._before = self._prompt
        else:
            self.index += event.input_tokens + OUTPUT_WEIGHT * event.output_tokens
            self._before = ""

    def __str__(self) -> str:
        without = self.input_tokens + OUTPUT_WEIGHT * self.output_tokens
        return (
            f"Cost index {self.index:,} with a prefix cache of one prompt, {without:,} without; "
            f"the provider took {self.cached_tokens:,} of {self.input_tokens:,} input tokens from "
            f"its own cache."
        )
