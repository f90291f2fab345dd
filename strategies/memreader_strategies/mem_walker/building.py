"""The tree: summaries of segments, then of groups of neighbouring summaries (steps 1 and 2)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from memreader.chunking import Chunk
from memreader.document import Span
from memreader.errors import CallFailed
from memreader.memory.tree import Node, Tree
from memreader.prompts import Untrusted, Value
from memreader.run import Run
from memreader_strategies.mem_walker.memory import extract
from memreader_strategies.mem_walker.shapes import says_something
from memreader_strategies.mem_walker.sizes import MARK, Sizes, nodes_above, summary_shape


@dataclass(frozen=True, slots=True)
class Made:
    """A node before the nodes are numbered."""

    level: int
    text: str
    spans: tuple[Span, ...]
    tokens: int
    below: tuple[Made, ...] = ()
    extract: bool = False


@dataclass(slots=True)
class Building:
    """Builds the tree of one document; nothing of a question is known here."""

    run: Run
    sizes: Sizes
    _extracts: int = field(default=0)

    async def tree(self, segments: Sequence[Chunk]) -> Tree:
        """All levels at once: a group is merged as soon as it is full. Empty where a cap ended it.

        Levels are one more than needed at worst; a node that is alone passes through.
        """
        _, levels = nodes_above(len(segments), self.sizes.least_fan_out)
        level: AsyncIterator[Made] = self.run.stream(self.summarise, segments)
        for _ in range(levels):
            level = self.run.stream(self._merged, self._groups(level))
        made = [node async for node in level]
        if self._by_code:
            self.run.note(
                f"{self.run.model.name} answers in plain text only: beside its own words each "
                f"summary has sentences that code chose, and code merges them."
            )
        if self._extracts:
            self.run.note(
                f"{self._extracts:,} of the summaries are extracts made by code, where the "
                f"model's were missing, empty or as long as their source."
            )
        return numbered(made[0]) if len(made) == 1 and not self.run.capped else Tree(())

    async def summarise(self, segment: Chunk) -> Made:
        """Step 1: the segment's summary. Where the call fails, an extract keeps it in reach."""
        told = await self._told("summarise", {"text": segment}, [segment])
        return self._made(0, told, [segment.text], (segment.span,))

    async def _groups(self, below: AsyncIterator[Made]) -> AsyncIterator[tuple[Made, ...]]:
        """Neighbours, at most the fan-out, and at most what one choice and one merge can show."""
        group: list[Made] = []
        size = 0
        async for node in below:
            needed = node.tokens + MARK
            if group and (len(group) == self.sizes.fan_out or size + needed > self.sizes.group):
                yield tuple(group)
                group, size = [], 0
            group.append(node)
            size += needed
        if group and not self.run.capped:
            yield tuple(group)

    async def _merged(self, group: tuple[Made, ...]) -> Made:
        """Step 2: one shorter text over neighbours; a group of one is promoted without a call."""
        if len(group) == 1:
            return group[0]
        told = ""
        if not self._by_code:
            shown = [Untrusted(node.text, f"summary {n}") for n, node in enumerate(group, start=1)]
            told = await self._told("merge", {"summaries": shown}, [])
        spans = tuple(span for node in group for span in node.spans)
        texts = [node.text for node in group]
        return self._made(1 + max(n.level for n in group), told, texts, spans, group)

    @property
    def _by_code(self) -> bool:
        """Whether code merges: of eight summaries a plain model keeps next to nothing."""
        return self.run.model.wire == "plain"

    async def _told(self, prompt: str, values: dict[str, Value], sources: list[Chunk]) -> str:
        """The model's summary; empty where its call failed, which is on record."""
        shape = summary_shape(self.run.rendering)
        try:
            reply = await self.run.ask_for(
                shape, prompt, max_tokens=self.sizes.summary, values=values, sources=sources
            )
        except CallFailed:
            return ""
        return " ".join(str(reply.summary).split())  # type: ignore[attr-defined]

    def _made(
        self,
        level: int,
        told: str,
        sources: Sequence[str],
        spans: tuple[Span, ...],
        below: tuple[Made, ...] = (),
    ) -> Made:
        """A node of what was told, held within bounds by code."""
        count, cap = self.run.model.counter.count, self.sizes.summary
        missing = not says_something(told) or count(told) >= count("\n".join(sources))
        if missing:
            self._extracts += not (below and self._by_code)
            told = self._extract(sources, cap)
        elif self.run.model.wire == "plain":
            told = self._helped(told, sources)
        if count(told) > cap:
            told = extract(told, cap, self.run.model.counter)
        return Made(level, told, spans, count(told), below, missing)

    def _extract(self, sources: Sequence[str], room: int) -> str:
        """The most telling sentences of each source, in equal shares: each stays recognisable."""
        share, counter = room // len(sources), self.run.model.counter
        return "\n".join(extract(source, share, counter) for source in sources)

    def _helped(self, told: str, sources: Sequence[str]) -> str:
        """A plain model's sentence and, in what room is left, the source's most telling ones."""
        room = self.sizes.summary - self.run.model.counter.count(told) - 1
        beside = self._extract(sources, room) if room > 16 else ""
        return f"{told}\n{beside}".strip()


def numbered(root: Made) -> Tree:
    """The tree with its nodes in order: level by level, each in the order of the text."""
    every = sorted(_all(root), key=lambda m: (m.level, m.spans[0].start))
    ids = {id(made): number for number, made in enumerate(every)}
    return Tree(
        tuple(
            Node(
                number, made.level, made.text, made.spans,
                tuple(ids[id(child)] for child in made.below), made.extract,
            )
            for number, made in enumerate(every)
        )
    )  # fmt: skip


def _all(made: Made) -> list[Made]:
    return [made, *(node for child in made.below for node in _all(child))]
