"""What the paths of one reading share: graph, plan, sizes, and how their calls are made."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from memreader.chunking import Chunk
from memreader.prompts import Untrusted, Value
from memreader.run import Run
from memreader.structured import Shape
from memreader_strategies.graph_reader.nodes import Nodes, Placed
from memreader_strategies.graph_reader.sizes import Sizes, fitted

if TYPE_CHECKING:
    from memreader_strategies.graph_reader.path import Path
    from memreader_strategies.graph_reader.strategy import GraphReader

S = TypeVar("S", bound=Shape)


@dataclass(slots=True)
class Exploring:
    """Read by all paths, changed by none."""

    options: GraphReader
    run: Run
    question: str
    sizes: Sizes
    nodes: Nodes
    plan: str
    _cut: set[str] = field(default_factory=set)
    """Nodes whose cut lists were told already."""

    async def asked(
        self,
        path: Path,
        shape: type[S],
        prompt: str,
        values: dict[str, Value],
        sources: Sequence[Chunk],
    ) -> S:
        """One function call: question, plan, previous actions, notebook, and what is shown."""
        carried: dict[str, Value] = {
            "question": self.question,
            "plan": self.plan,
            "actions": Untrusted(self._recent(path.actions), "previous actions"),
            "notebook": Untrusted(path.notes.text or "(empty)", "notebook"),
        }
        return await self.run.ask_for(
            shape,
            prompt,
            max_tokens=self.sizes.step,
            values={**carried, **values},
            sources=sources,
            temperature=self.options.temperature,
        )

    async def shown_facts(self, node: str) -> list[Placed]:
        """A node's facts; of more than the list may hold, those nearest to the question.

        The paper shows all: a broad element ("film", "France") then passes any window.
        """
        placed = self.nodes.facts(node)
        lines = [f"- {p.fact.text}" for p in placed]
        if len(self._fitted(lines, by_chunk=True)) == len(lines):
            return placed
        near = await self.run.search.nearness(self.question, [p.fact.text for p in placed])
        ranked = sorted(range(len(placed)), key=lambda i: -near[i])
        kept = ranked[: len(self._fitted([lines[i] for i in ranked], by_chunk=True))]
        self._tell_cut(node, len(kept), len(placed), "facts", "nearest to the question")
        return [placed[i] for i in sorted(kept)]

    async def shown_neighbours(self, node: str, visited: Iterable[str]) -> list[str]:
        """Neighbours that were not visited; of more than the list may hold, the closest."""
        names = [n.name for n in self.nodes.neighbours(node, visited)]
        kept = self._fitted(names)
        if len(kept) < len(names):
            self._tell_cut(
                node, len(kept), len(names), "neighbours", "that share most facts with it"
            )
        return list(kept)

    def _fitted(self, lines: Sequence[str], *, by_chunk: bool = False) -> Sequence[str]:
        """The first lines that fit; a fact may need a heading for its chunk."""
        count = self.run.model.counter.count
        heading = 4 if by_chunk else 0
        budget = self.sizes.listed - 32
        return fitted(lines, budget, lambda line: count(line) + heading)

    def _tell_cut(self, node: str, kept: int, all_: int, what: str, which: str) -> None:
        if (told := f"{node} {what}") not in self._cut:
            self._cut.add(told)
            self.run.note(f"{node!r} has {all_:,} {what}: the {kept:,} {which} were shown.")

    def _recent(self, actions: Sequence[str]) -> str:
        """The start, and of the rest as many as fit, the latest last."""
        count = self.run.model.counter.count
        first, rest = actions[0], actions[1:]
        kept = fitted(rest[::-1], self.sizes.actions - count(first) - 12, count)[::-1]
        left_out = [f"({len(rest) - len(kept)} actions)"] if len(kept) < len(rest) else []
        return "\n".join([first, *left_out, *kept])
