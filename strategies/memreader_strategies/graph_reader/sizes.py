"""The sizes of chunk, notebook, lists and replies in one model's window (step 1), and the plan."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from memreader.errors import ConfigurationError
from memreader.fitting import first_that_fit
from memreader.plan import NOTHING, Plan, Range
from memreader.prompts import Value
from memreader.rendering import Rendering, chunk_budget
from memreader.structured import Shape
from memreader_strategies.graph_reader.shapes import (
    ChunkStep,
    FactLines,
    FactList,
    FactStep,
    Final,
    NeighbourStep,
    Starts,
    Told,
)

if TYPE_CHECKING:
    from memreader_strategies.graph_reader.strategy import GraphReader

FENCED = 128
"""Tokens of the marker lines in a prompt, from above."""
AGAIN = 120
"""Tokens of what is shown where a reply is asked for again."""
LEAST = 64
"""Tokens of a chunk below which reading makes no sense."""
PATH_CALLS = 4
"""Function calls of a path, as expected: facts, two chunks, neighbours."""

_STEPS: dict[str, tuple[type[Shape], str]] = {
    "facts": (FactStep, "facts"),
    "chunk": (ChunkStep, "passage"),
    "neighbour": (NeighbourStep, "neighbours"),
}


@dataclass(frozen=True, slots=True)
class Sizes:
    """Tokens. Chunk and extraction do not depend on the question: the graph is free of it."""

    chunk: int
    extraction: int
    """Cap on the facts of one chunk."""
    notebook: int
    plan: int
    actions: int
    """Cap on the list of previous actions, as prompts show it."""
    step: int
    """Cap on the reply of a function call: a notebook, a reason and an action."""
    listed: int
    """Cap on the facts, or the neighbours, that a prompt shows."""
    starts: int
    """Cap on the reply that scores key elements."""
    elements: int
    """Room for key elements where start nodes are chosen."""
    answer: int
    extract_prompt: int
    start_prompt: int
    step_prompt: int
    """The largest prompt of a function call beside what fills it."""
    answer_prompt: int
    again: int = AGAIN

    @classmethod
    def of(cls, options: GraphReader, question: str, rendering: Rendering) -> Sizes:
        """Raises ConfigurationError where the window leaves no room to read in."""
        if rendering.model.wire == "plain":
            return _of_plain(options, question, rendering)
        window = rendering.model.window
        notebook = min(options.notebook_tokens, window // 10)
        plan, actions = min(256, window // 12), min(320, window // 12)
        step = notebook + min(256, window // 12)
        answer = min(options.answer_tokens, window // 4)
        carried = plan + actions + notebook + step + FENCED + AGAIN
        extract = _prompt(rendering, "extract", "", ("passage",))
        room = window - _step_prompt(rendering, "") - min(256, window // 8) - carried
        chunk = min(options.chunk_tokens, room, (window - extract - FENCED - AGAIN) // 2)
        chunk = chunk_budget(chunk, rendering.model)
        asked, start = _step_prompt(rendering, question), _prompt(rendering, "start", question)
        final = rendering.tokens("answer", {"question": question, "notebooks": ""}, Final)
        starts = min(400, window // 8)
        left = window - asked - carried
        elements = window - start - plan - starts - FENCED - AGAIN
        notebooks = options.start_nodes * (notebook + 24)
        if chunk < LEAST or min(left, elements) < chunk or final + notebooks + answer > window:
            raise ConfigurationError(
                f"Prompts, question, notebooks and replies leave too little of the window of "
                f"{window:,} tokens to read with. Ask a shorter question, lower notebook_tokens "
                f"or start_nodes, or use a larger window."
            )
        longest = window - extract - chunk - FENCED - AGAIN
        return cls(
            chunk=chunk, extraction=min(2 * chunk, longest), notebook=notebook, plan=plan,
            actions=actions, step=step, listed=min(options.list_tokens, left), starts=starts,
            elements=elements, answer=answer, extract_prompt=extract, start_prompt=start,
            step_prompt=asked, answer_prompt=final,
        )  # fmt: skip

    # --- the plan --------------------------------------------------------------------------

    def planned(self, options: GraphReader, sizes: Sequence[int]) -> Plan:
        """For n chunks: n calls once, then 3 + paths x function calls (section 2e)."""
        n, text = len(sizes), sum(sizes)
        if not n:
            return NOTHING
        once = self._once(n, text)
        paths = options.start_nodes
        step = self.step_prompt + self.plan + self.actions + self.notebook + FENCED
        shown = max(self.chunk, self.listed)
        most = 4 * paths * options.steps
        elements = min(self.elements, n * self.extraction)
        fixed = self.start_prompt + 2 * self.plan + FENCED
        final = self.answer_prompt + paths * (self.notebook + 24)
        calls = Range(0, 3 + paths * PATH_CALLS, 7 + most)
        critical = Range(0, 3 + PATH_CALLS, 7 + 4 * options.steps)
        expected = paths * PATH_CALLS
        query = Plan(
            calls=calls,
            input_tokens=Range(
                0,
                fixed + elements // 2 + expected * (step - self.notebook + shown // 2) + final,
                4 * (fixed + elements + AGAIN + self.starts)
                + most * (step + shown + AGAIN + self.step)
                + 2 * (final + self.answer),
            ),
            output_tokens=Range(
                0,
                self.plan + self.starts + expected * self.step // 3 + self.answer // 2,
                self.plan + 8 * self.starts + 2 * most * self.step + 3 * self.answer,
            ),
            critical_path=critical,
        )
        return _sum(once, query, min(1.0, 2 * paths / n))

    def _once(self, n: int, text: int) -> Plan:
        prompts = text + n * self.extract_prompt
        return Plan(
            calls=Range(n, n, 4 * n),
            input_tokens=Range(prompts, prompts, 4 * (prompts + n * (AGAIN + self.extraction))),
            output_tokens=Range(n, min(text, n * self.extraction), 6 * n * self.extraction),
            critical_path=Range(1, 1, 4),
        )

    def planned_plain(self, options: GraphReader, sizes: Sequence[int]) -> Plan:
        """A plain model: no call for the graph, one for each of the nearest chunks, one answer."""
        if not sizes:
            return NOTHING
        chunks = min(options.start_nodes, len(sizes))
        longest = sum(sorted(sizes)[-chunks:])
        calls = Range(0, chunks + 1, chunks + 1)
        prompts = chunks * (self.step_prompt + FENCED) + self.answer_prompt + FENCED
        nothing = Range.exactly(0)
        query = Plan(
            calls,
            Range(0, prompts + longest, prompts + longest + self.listed),
            Range(0, (chunks + 1) * 24, (chunks + 1) * 64),
            Range(0, 2, 2),
        )
        once = Plan(nothing, nothing, nothing, nothing)
        return _sum(once, query, min(1.0, chunks / len(sizes)))


def fitted(lines: Sequence[str], budget: int, count: Callable[[str], int]) -> Sequence[str]:
    """The first lines that fit a budget of tokens, their line ends counted."""
    return first_that_fit(lines, budget, lambda line: count(line) + 1)


def _sum(once: Plan, query: Plan, coverage: float) -> Plan:
    return Plan(
        once.calls + query.calls,
        once.input_tokens + query.input_tokens,
        once.output_tokens + query.output_tokens,
        once.critical_path + query.critical_path,
        coverage,
        once=once,
    )


_NOT_FOR_PLAIN = ("extraction", "plan", "actions", "starts", "elements", "extract_prompt",
                  "start_prompt")  # fmt: skip


def _of_plain(options: GraphReader, question: str, rendering: Rendering) -> Sizes:
    """A plain model only reads chunks and answers."""
    window = rendering.model.window
    answer = min(options.answer_tokens, window // 4)
    read = rendering.tokens("read", {"question": question, "passage": ""}, Told)
    final = rendering.tokens("answer", {"question": question, "notebooks": ""}, Final)
    bare = rendering.tokens("read", {"question": "", "passage": ""}, Told)
    wanted = min(options.chunk_tokens, window - bare - min(256, window // 4) - FENCED - 64)
    chunk = chunk_budget(wanted, rendering.model)
    if chunk < LEAST or window - max(read, final) - FENCED - 64 < chunk:
        raise ConfigurationError(
            f"Prompt and question leave too little of the window of {window:,} tokens to read "
            f"with. Ask a shorter question, or use a larger window."
        )
    listed = min(options.list_tokens, window - final - FENCED - 64)
    return Sizes(
        chunk=chunk, notebook=listed, step=64, listed=listed, answer=answer, step_prompt=read,
        answer_prompt=final, **dict.fromkeys(_NOT_FOR_PLAIN, 0),
    )  # fmt: skip


def _step_prompt(rendering: Rendering, question: str) -> int:
    return max(_prompt(rendering, name, question) for name in _STEPS)


def _prompt(
    rendering: Rendering, name: str, question: str, names: tuple[str, ...] | None = None
) -> int:
    """Tokens of a prompt that nothing but the question fills."""
    shape, shown = _STEPS.get(name, (Starts, "elements"))
    if name == "extract":
        shape = FactList if rendering.model.wire == "schema" else FactLines
    filled = names or (
        ("plan", "elements") if name == "start" else ("plan", "actions", "notebook", shown)
    )
    values: dict[str, Value] = dict.fromkeys((*filled, "again"), "")
    if names is None:
        values["question"] = question
    return rendering.tokens(name, values, shape)
