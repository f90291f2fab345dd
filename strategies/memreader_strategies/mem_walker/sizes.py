"""The sizes of segment, summary, choice and working memory in one model's window, and the plan.

They are free of the question, so that the tree is: a question has `QUESTION` tokens at most, and
where it is longer, the working memory gives way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from memreader.errors import ConfigurationError
from memreader.plan import NOTHING, Plan, Range
from memreader.rendering import Rendering, chunk_budget
from memreader.structured import Shape
from memreader_strategies.mem_walker.shapes import Final, Gist, Look, Summary, Told, triage_shape

if TYPE_CHECKING:
    from memreader_strategies.mem_walker.strategy import MemWalker

MARK = 28
"""Tokens of the marker lines around one text, from above."""
QUESTION = 96
"""Tokens left for the question and a line of correction."""
LEAST = 48
"""Tokens of a summary and of a segment below which walking makes no sense."""
PLAIN_SUMMARY = 240
"""Tokens of a node's text for a plain model: its own sentence, and what code adds."""
BACKTRACKS = 4
"""The step cap allows for so many visits to each node on a path (paper gives none)."""
TYPICAL = 3
"""A reply is expected to take a third of its cap."""


def summary_shape(rendering: Rendering) -> type[Shape]:
    """What a summary call writes on this wire."""
    return Gist if rendering.model.wire == "plain" else Summary


def look_shape(rendering: Rendering) -> type[Shape]:
    """What a call about a segment writes on this wire."""
    return Told if rendering.model.wire == "plain" else Look


def nodes_above(n: int, fan_out: int) -> tuple[int, int]:
    """Merge calls over n nodes, and levels: a group of one is promoted without a call."""
    calls = levels = 0
    while n > 1:
        full, rest = divmod(n, fan_out)
        calls += full + (rest > 1)
        n = full + (rest > 0)
        levels += 1
    return calls, levels


@dataclass(frozen=True, slots=True)
class Sizes:
    """Tokens."""

    segment: int
    summary: int
    """Cap on the text of a node."""
    fan_out: int
    """Children of a node at most."""
    group: int
    """Of all summaries of one choice and of one merge, marker lines included."""

    @classmethod
    def of(cls, options: MemWalker, rendering: Rendering) -> Sizes:
        """Raises ConfigurationError where the window leaves no room to walk in."""
        window = rendering.model.window
        reply, memory = options.reply(window), options.memory(window)
        over = Overheads.of(options, rendering, "")
        room = window - over.triage - QUESTION - MARK - reply - memory
        summary = min(options.summary_tokens, room // options.fan_out - MARK)
        if rendering.model.wire == "plain":
            summary = min(summary, PLAIN_SUMMARY)
        summary = max(LEAST, summary)
        segment = min(
            options.segment_tokens,
            window - over.look - QUESTION - 2 * MARK - reply - memory,
            window - over.summarise - MARK - summary,
        )
        group = min(room, window - over.merge - summary)
        segment = chunk_budget(segment, rendering.model)
        if segment < LEAST or group < 2 * (LEAST + MARK):
            raise ConfigurationError(
                f"Prompts take up to {max(over.triage, over.look):,}, reply and working memory "
                f"{reply + memory:,} of the window of {window:,} tokens: too little is left to "
                f"walk with. Lower memory_share or reply_tokens, or use a larger window."
            )
        summary = max(LEAST, min(summary, segment // 2, group // 2 - MARK))
        return cls(segment, summary, options.fan_out, group)

    @property
    def least_fan_out(self) -> int:
        """Children of a full node where all summaries are as long as they may be."""
        return max(2, min(self.fan_out, self.group // (self.summary + MARK)))


@dataclass(frozen=True, slots=True)
class Overheads:
    """Tokens of the prompts beside what they show."""

    summarise: int
    merge: int
    triage: int
    look: int
    answer: int

    @classmethod
    def of(cls, options: MemWalker, rendering: Rendering, question: str) -> Overheads:
        """With this question; without one, what the sizes rest on."""
        shape, asked = summary_shape(rendering), {"question": question, "memory": ""}
        triage = triage_shape(most=options.beam, back=True, enough=options.commits > 1)
        how = rendering.files[options.how].strip()
        look = {**asked, "segment": "", "how": how, "again": ""}
        return cls(
            rendering.tokens("summarise", {"text": ""}, shape),
            rendering.tokens("merge", {"summaries": ""}, shape),
            rendering.tokens("triage", {**asked, "summaries": "", "again": ""}, triage),
            rendering.tokens("look", look, look_shape(rendering)),
            rendering.tokens("answer", asked, Final),
        )


def planned(
    options: MemWalker, sizes: Sizes, rendering: Rendering, question: str, texts: list[list[int]]
) -> Plan:
    """What a walk takes over documents of segments of these sizes."""
    texts = [text for text in texts if text]
    if not texts:
        return NOTHING
    over = Overheads.of(options, rendering, question)
    once = _built(sizes, over, texts, rendering)
    walk = _walked(options, sizes, over, texts, rendering)
    return Plan(
        calls=once.calls + walk.calls,
        input_tokens=once.input_tokens + walk.input_tokens,
        output_tokens=once.output_tokens + walk.output_tokens,
        critical_path=once.critical_path + walk.critical_path,
        coverage=walk.coverage,
        once=once,
    )


def _built(sizes: Sizes, over: Overheads, texts: list[list[int]], rendering: Rendering) -> Plan:
    """Step 1 and 2: n summaries and the merges above them, each repaired once at most."""
    n, text = sum(map(len, texts)), sum(map(sum, texts))
    plain = rendering.model.wire == "plain"  # then code merges
    fewest = [(0, 0) if plain else nodes_above(len(t), sizes.fan_out) for t in texts]
    most = [(0, 0) if plain else nodes_above(len(t), sizes.least_fan_out) for t in texts]
    merges, extra = sum(c for c, _ in fewest), sum(c for c, _ in most)
    repairs = 0 if plain else 1
    again = 400 + 3 * sizes.summary
    shown = (n + extra) * (sizes.summary + MARK)
    waves = Range(
        1 + max(d for _, d in fewest), 1 + max(d for _, d in fewest), 1 + max(d for _, d in most)
    )
    return Plan(
        calls=Range(n + merges, n + merges, (n + extra) * (1 + repairs)),
        input_tokens=Range(
            text + n * over.summarise,
            text + n * (over.summarise + MARK) + merges * over.merge + shown // TYPICAL,
            (1 + repairs) * (text + n * (over.summarise + MARK) + extra * over.merge + shown)
            + repairs * (n + extra) * again,
        ),
        output_tokens=Range(
            n + merges,
            (n + merges) * sizes.summary // TYPICAL,
            (n + extra) * sizes.summary * (1 + 2 * repairs),
        ),
        critical_path=Range(waves.minimum, waves.expected, waves.maximum * (1 + repairs)),
    )


def _walked(
    options: MemWalker, sizes: Sizes, over: Overheads, texts: list[list[int]], rendering: Rendering
) -> Plan:
    """Steps 3 to 7: d + 1 calls on a straight path, at most the step cap, and the last answer."""
    model = rendering.model
    reply, memory = options.reply(model.window), options.memory(model.window)
    n, text = sum(map(len, texts)), sum(map(sum, texts))
    _, above = nodes_above(len(texts), options.fan_out)
    deep = above + max(nodes_above(len(t), sizes.least_fan_out)[1] for t in texts)
    usual = above + max(nodes_above(len(t), sizes.fan_out)[1] for t in texts)
    steps, by = options.step_cap(deep), options.way(model)
    # Asked for its confidence, the model answers once from each node's text.
    nodes = n + sum(nodes_above(len(t), sizes.least_fan_out)[0] for t in texts)
    sounded = (nodes + len(texts)) if by == "confidence" else 0
    decisions = 0 if by == "similarity" else usual
    if by == "confidence":
        decisions = usual * min(sizes.fan_out, n)
    repairs = 1 if model.wire == "plain" else 2
    most = repairs * (steps + 1) + sounded
    look, triage = over.look + sizes.segment + MARK, over.triage + sizes.group
    expected = look + decisions * (triage if by == "letter" else sizes.summary + 80)
    return Plan(
        calls=Range(1, decisions + options.commits + (options.commits > 1), most),
        input_tokens=Range(
            min(over.look, over.triage),
            options.commits * expected + memory // TYPICAL,
            (steps + 1) * (max(look, triage, over.answer) + memory + 2 * MARK + QUESTION)
            + (repairs - 1) * (steps + 1) * (400 + max(look, triage, 3 * reply) + memory)
            + sounded * (sizes.summary + over.look),
        ),
        output_tokens=Range(
            1, (decisions + options.commits) * reply // TYPICAL,
            (steps + 1) * reply * (1 if repairs == 1 else 3) + sounded * 24,
        ),
        critical_path=Range(1, (decisions if by == "letter" else usual) + options.commits, most),
        coverage=min(1.0, options.commits * text / n / text),
    )  # fmt: skip
