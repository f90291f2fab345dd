"""Choosing among texts: by number, by the confidence of an answer from each, or by nearness.

A capable model says which of several numbered texts holds the answer. A small one names a number
by its place in the list (docs/guides/small-models.md), so code asks the question of each text by
itself and compares how sure the answers are, or compares the texts with the question.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from pydantic import Field

from memreader import events
from memreader.asking import Asking
from memreader.calls import Caller
from memreader.errors import CallFailed
from memreader.evidence import says_not_found
from memreader.grounding import Grounding
from memreader.llm.base import Model, Reply
from memreader.prompts import PromptFiles, Untrusted, Value, engine_prompt
from memreader.rendering import Rendering
from memreader.search import Search
from memreader.structured import PlainForm, Shape

By = Literal["letter", "confidence", "similarity"]
Wanted = Literal["auto", "letter", "confidence", "similarity"]

WITHOUT_LETTERS: By = "similarity"
"""For models that choose by position: measured in docs/guides/small-models.md."""
NAMES = ("choose", "choose.plain", "sound", "sound.plain")
SHORT = 24
"""Tokens of an answer that is asked for to see how sure it is."""
UNSURE = -100.0
"""Confidence of an answer that is none: below any mean of log-probabilities."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Positions of the options, the best first, and how they were put in order."""

    order: tuple[int, ...]
    by: By
    scores: tuple[float, ...] = ()
    """One for each option, in the order given; none where the model named numbers."""


class Numbers(Shape):
    """The options that are chosen, after the reasoning."""

    plain: ClassVar[PlainForm | None] = PlainForm("numbers", must_be_supported=False, max_tokens=8)
    reasoning: str = Field(
        "",
        title="Reasoning",
        description="compare the texts with the question, in a sentence or two",
    )
    numbers: str = Field(
        title="Numbers",
        description="the number of the text that most likely holds the answer; then, if need be, "
        "those of the next likely ones",
    )


def way(wanted: Wanted, model: Model) -> tuple[By, str]:
    """How to choose with this model, and why, in a sentence for the trace."""
    if wanted == "confidence" and not model.logprobs:
        return "similarity", "The endpoint gives no log-probabilities: chosen by similarity."
    if wanted != "auto":
        return wanted, f"Chosen by {wanted}, as asked for."
    if model.chooses or (model.chooses is None and model.wire != "plain"):
        return "letter", "The model chooses by number."
    return WITHOUT_LETTERS, (
        f"The model chooses numbers by their place in the list: chosen by {WITHOUT_LETTERS}."
    )


def numbers_in(text: str) -> list[int]:
    """The whole numbers of a text, in order, each once."""
    found = re.findall(r"(?<![\w.])-?\d+(?!\w|\.\d)", text.replace("−", "-"))
    return list(dict.fromkeys(map(int, found)))


@dataclass(frozen=True, slots=True)
class Choosing:
    """Puts texts in the order in which they are likely to hold the answer to a question."""

    question: str
    caller: Caller
    rendering: Rendering
    search: Search
    map: Callable[[Callable[[str], Awaitable[float]], Sequence[str]], Awaitable[list[float]]]

    async def choose(self, options: Sequence[str], by: By) -> Choice:
        """The best first. Raises BudgetExceeded, PromptTooLong and EndpointError.

        Where the model's reply gives no number of an option, or no log-probabilities are given,
        similarity decides, which is said.
        """
        if len(options) < 2:
            return Choice(tuple(range(len(options))), by)
        try:
            if by == "letter":
                return await self._by_letter(options)
            if by == "confidence":
                return self._ranked(await self._confidences(options), by)
        except (CallFailed, ValueError) as error:
            self.caller.stream.emit(events.Note(text=f"Chosen by similarity, since {error}"))
        return self._ranked(await self.search.nearness(self.question, options), "similarity")

    def _ranked(self, scores: Sequence[float], by: By) -> Choice:
        order = sorted(range(len(scores)), key=lambda i: -scores[i])
        return Choice(tuple(order), by, tuple(scores))

    async def _by_letter(self, options: Sequence[str]) -> Choice:
        shown = [Untrusted(text, f"text {n}") for n, text in enumerate(options, start=1)]
        asking = Asking(
            "choose", 200, {"question": self.question, "options": shown}, (), 0.0, 0, final=False
        )
        reply = await asking.typed(Numbers, self.caller, self._engine, self._grounding)
        named = [n - 1 for n in numbers_in(reply.numbers) if 0 < n <= len(options)]
        if not named:
            raise ValueError(f"the reply names no text: {reply.numbers[:40]!r}.")
        rest = [i for i in range(len(options)) if i not in named]
        return Choice((*named, *rest), "letter")

    async def _confidences(self, options: Sequence[str]) -> list[float]:
        """How sure the model is of its answer from each text alone: mean log-probability."""
        scores = await self.map(self._confidence, options)
        return [*scores, *[UNSURE] * (len(options) - len(scores))]  # a cap leaves the last ones out

    async def _confidence(self, option: str) -> float:
        shown: dict[str, Value] = {
            "question": self.question, "option": Untrusted(option, "text")
        }  # fmt: skip
        asking = Asking("sound", SHORT, shown, (), 0.0, 0, final=False, logprobs=True)
        return sureness(await asking.free(self.caller, self._engine))

    @property
    def _engine(self) -> Rendering:
        """The engine's own prompts, as this model sees them."""
        files = PromptFiles({name: engine_prompt(name) for name in NAMES})
        return Rendering(files, self.rendering.model, self.rendering.fence)

    @property
    def _grounding(self) -> Grounding:
        return Grounding(self.question, plain=self.rendering.model.wire == "plain")


def sureness(reply: Reply) -> float:
    """Mean log-probability of a reply's tokens. Raises ValueError where none are given."""
    if reply.logprobs is None:
        raise ValueError("the endpoint gives no log-probabilities.")
    if not reply.logprobs or says_not_found(reply.text):
        return UNSURE
    return sum(reply.logprobs) / len(reply.logprobs)
