"""One path through the graph, with a notebook of its own (step 7).

Nothing of a path is shared with another: notebook, previous actions, chunk queue, and what was
visited. Paths run side by side.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from memreader.chunking import Chunk
from memreader.errors import BudgetExceeded, CallFailed
from memreader.memory.notes import Item, Notes
from memreader.prompts import Untrusted, Value
from memreader.structured import Shape
from memreader_strategies.graph_reader.actions import (
    AFTER_CHUNK,
    AFTER_FACTS,
    AFTER_NODE,
    PREVIOUS,
    READ_CHUNK,
    READ_NEIGHBOUR,
    SEARCH_MORE,
    SUBSEQUENT,
    TERMINATION,
    Action,
    action,
)
from memreader_strategies.graph_reader.nodes import Placed
from memreader_strategies.graph_reader.notebook import rewritten
from memreader_strategies.graph_reader.shapes import ChunkStep, FactStep, NeighbourStep

if TYPE_CHECKING:
    from memreader_strategies.graph_reader.exploring import Exploring

DEFAULT_CHUNKS = 3
"""Chunks that are read where no action after facts could be understood."""
S = TypeVar("S", bound=Shape)


class OutOfSteps(Exception):
    """The path has used up its function calls."""


@dataclass(slots=True)
class Path:
    """One path: where it is, what it noted, and how it ended."""

    number: int
    """From 1, by the score of its start node."""
    start: str
    shared: Exploring
    """What all paths read and none changes: graph, plan, sizes."""
    notes: Notes = field(default_factory=Notes)
    actions: list[str] = field(default_factory=list)
    queue: deque[int] = field(default_factory=deque)
    """Indices of chunks to read, first in, first out."""
    read: list[int] = field(default_factory=list)
    """Indices of the chunks that were read, in order."""
    visited: list[str] = field(default_factory=list)
    """Nodes, in order."""
    seen: list[Item] = field(default_factory=list)
    """The facts that were shown."""
    steps: int = 0
    defaults: int = 0
    """Actions that could not be understood, so that the stage's safe default was taken."""
    ended: str = ""

    async def explore(self) -> Path:
        """Facts, then chunks, then one neighbour, until an end; a cap leaves what was noted."""
        node: str | None = self.start
        self.actions.append(f"start at the key element: {node}")
        try:
            while node is not None:
                self.visited.append(node)
                await self._facts(node)
                while self.queue and not self.ended:
                    await self._chunk(self.shared.nodes.chunks[self.queue.popleft()])
                node = None if self.ended else await self._neighbour(node)
        except OutOfSteps:
            self.ended = f"stopped after {self.steps} function calls, unfinished"
        except BudgetExceeded as error:
            self.shared.run.cap(error)
            self.ended = "stopped by a cap, unfinished"
        return self

    # --- the three kinds of function call --------------------------------------------------

    async def _facts(self, node: str) -> None:
        """Step 7a: the node's facts, grouped by chunk; which chunks to read."""
        shown = await self.shared.shown_facts(node)
        listed = list(dict.fromkeys(p.chunk.index for p in shown))
        facts = [p.item for p in shown]
        self.seen += facts
        values: dict[str, Value] = {"facts": Untrusted(_grouped(node, shown), "facts")}

        def fault(chosen: Action) -> str:
            if chosen.name != READ_CHUNK or any(n - 1 in listed for n in chosen.numbers):
                return ""
            return "names no chunk number of the list"

        reply, chosen = await self._chosen(FactStep, "facts", values, AFTER_FACTS, fault)
        if reply is not None:
            notes = rewritten(self.notes, reply.notebook, facts)
            self._note(self.shared.run.cut(notes, self.shared.sizes.notebook))
        if chosen is None:
            wanted = listed[:DEFAULT_CHUNKS]
        else:
            wanted = [n - 1 for n in chosen.numbers if n - 1 in listed]
            wanted = wanted if chosen.name == READ_CHUNK else []
        for index in wanted:
            self._enqueue(index)
        self._did(READ_CHUNK if wanted else str(chosen), ", ".join(str(i + 1) for i in wanted))

    async def _chunk(self, chunk: Chunk) -> None:
        """Step 7b: a chunk's text; what next."""
        self.read.append(chunk.index)
        values: dict[str, Value] = {"passage": chunk}
        reply, chosen = await self._chosen(ChunkStep, "chunk", values, AFTER_CHUNK, sources=[chunk])
        if reply is not None:
            budget = self.shared.sizes.notebook
            self._note(self.shared.run.noted(self.notes, reply.notebook, chunk, budget), chunk)
        name = chosen.name if chosen is not None else SEARCH_MORE
        if name in (PREVIOUS, SUBSEQUENT):
            beside = self.shared.nodes.beside(chunk.index, -1 if name == PREVIOUS else 1)
            if beside is not None:
                self._enqueue(beside)
        elif name == TERMINATION:
            self.ended = "ended: the notebook is enough"
        self._did(f"{name}() after chunk {chunk.index + 1}")

    async def _neighbour(self, node: str) -> str | None:
        """Step 7c: exactly one neighbour that was not visited, or the end of this path."""
        shown = await self.shared.shown_neighbours(node, self.visited)
        if not shown:
            self.ended = "ended: no neighbour is left"
            return None
        values: dict[str, Value] = {"neighbours": Untrusted("\n".join(shown), "neighbours")}

        def fault(chosen: Action) -> str:
            if chosen.name == TERMINATION or self.shared.nodes.known(chosen.argument) in shown:
                return ""
            return "names no key element of the list"

        _, chosen = await self._chosen(NeighbourStep, "neighbour", values, AFTER_NODE, fault)
        if chosen is None or chosen.name != READ_NEIGHBOUR:
            self.ended = "ended: no neighbour can help"
            return None
        found = self.shared.nodes.known(chosen.argument)
        self._did(READ_NEIGHBOUR, found or "")
        return found

    # --- calls, queue, notebook ------------------------------------------------------------

    async def _chosen(
        self,
        shape: type[S],
        prompt: str,
        values: dict[str, Value],
        allowed: Sequence[str],
        fault: Callable[[Action], str] = lambda _: "",
        sources: Sequence[Chunk] = (),
    ) -> tuple[S | None, Action | None]:
        """A reply and its action; asked for once again with what is wrong, then None.

        None in place of the reply where the call failed for good.
        """
        if self.steps == self.shared.options.steps:
            raise OutOfSteps
        self.steps += 1
        again: Value = ""
        reply: S | None = None
        for _ in range(2):
            try:
                reply = await self.shared.asked(
                    self, shape, prompt, {**values, "again": again}, sources
                )
            except CallFailed:  # the coverage counts the chunk; the safe default goes on
                break
            told = str(getattr(reply, "action", ""))
            chosen = action(told, allowed)
            wrong = "is none of the functions" if chosen is None else fault(chosen)
            if chosen is not None and not wrong:
                return reply, chosen
            again = Untrusted(f"The action {told[:120]!r} {wrong}.", "what was wrong last time")
        self.defaults += 1
        return reply, None

    def _enqueue(self, index: int) -> None:
        """At the end of the queue, unless it is there or was read."""
        if index not in self.queue and index not in self.read:
            self.queue.append(index)

    def _note(self, notes: Notes, chunk: Chunk | None = None) -> None:
        self.notes = notes
        at = chunk.index if chunk is not None else None
        self.shared.run.remember(notes, chunk=at, path=f"{self.number}. {self.start}")

    def _did(self, name: str, argument: str | None = None) -> None:
        self.actions.append(name if argument is None else f"{name}({argument})")

    def __str__(self) -> str:
        """The path in a line: nodes, chunks, end."""
        chunks = ", ".join(str(i + 1) for i in self.read) or "none"
        told = f"Path {self.number}: {' → '.join(self.visited)}; chunks {chunks}; {self.ended}"
        if self.defaults:
            told += f"; {self.defaults} actions could not be understood, the safe default was taken"
        return f"{told}."


def _grouped(node: str, shown: Sequence[Placed]) -> str:
    """Facts under the numbers of their chunks."""
    lines = [f"Key element: {node}"]
    for index in dict.fromkeys(p.chunk.index for p in shown):
        lines.append(f"\nChunk {index + 1}:")
        lines += [f"- {p.fact.text}" for p in shown if p.chunk.index == index]
    return "\n".join(lines)
