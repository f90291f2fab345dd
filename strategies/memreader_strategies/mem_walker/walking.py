"""The walk: triage at nodes, a look at segments, working memory, revert (steps 4 to 8)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from memreader.answer import NOT_FOUND, Draft
from memreader.choosing import By, numbers_in
from memreader.chunking import Chunk
from memreader.document import Span
from memreader.errors import BudgetExceeded, CallFailed, ReplyUnusable
from memreader.evidence import relevance, says_not_found
from memreader.grounding import bearing
from memreader.memory.tree import Node, Tree
from memreader.prompts import Untrusted, Value
from memreader.run import Run
from memreader_strategies.mem_walker.findings import Finding, Trail, concluded
from memreader_strategies.mem_walker.memory import WorkingMemory
from memreader_strategies.mem_walker.shapes import (
    BACK,
    ENOUGH,
    Look,
    Told,
    Triage,
    committed,
    triage_shape,
)
from memreader_strategies.mem_walker.sizes import MARK, Sizes, look_shape

if TYPE_CHECKING:
    from memreader_strategies.mem_walker.strategy import MemWalker


class BadAction(Exception):
    """A reply names nothing that can be done here; the message says what was wrong."""


@dataclass(slots=True)
class Walk:
    """One walk in progress: where it has been, and what it keeps in mind."""

    options: MemWalker
    run: Run
    sizes: Sizes
    question: str
    memory: WorkingMemory
    by: By
    tree: Tree = field(default_factory=lambda: Tree(()))
    segments: dict[Span, Chunk] = field(default_factory=dict)
    trail: Trail = field(default_factory=Trail)
    visited: set[int] = field(default_factory=set)
    listed: dict[int, list[int]] = field(default_factory=dict)
    """Children of a node that were named or ranked before, the best first."""
    found: list[Finding] = field(default_factory=list)
    steps: int = 0
    bad: int = 0
    """Actions in a row that could not be carried out."""
    wrong: str = ""
    """What was wrong with the last action."""
    lost: bool = False
    """Whether the last call failed at the endpoint: then nothing is known to be absent."""

    @classmethod
    def of(cls, options: MemWalker, sizes: Sizes, question: str, run: Run) -> Walk:
        """Ready to walk. Raises ConfigurationError for a question that leaves no room."""
        asked = run.rendering.files.asked(question)
        window = run.model.window
        memory = WorkingMemory(options.memory(window), run.model.counter, asked)
        run.note(
            f"Segments of at most {sizes.segment:,} tokens, summaries of {sizes.summary:,}, "
            f"{sizes.fan_out} to a node, a working memory of {memory.budget:,}."
        )
        run.reserve(
            input_tokens=sizes.segment + memory.budget + 400, output_tokens=options.reply(window)
        )
        return cls(options, run, sizes, asked, memory, run.way_to_choose(options.choice))

    async def through(self, tree: Tree, segments: Sequence[Chunk]) -> Draft:
        """Step by step from the root, until something ends the walk."""
        self.tree, self.segments = tree, {s.span: s for s in segments}
        self.trail = Trail.of(await self.run.corpus())
        if self.run.capped or not len(tree):
            return await self._at_a_cap(None, "before the tree was built")
        there: Node | None = tree.root
        most = self.options.step_cap(tree.depth)
        while (here := there) is not None:
            if self.steps == most:
                return await self._at_a_cap(here, f"after {most:,} steps")
            self.steps += 1
            try:
                there = await (self.triage(here) if here.children else self.look(here))
            except BudgetExceeded as error:
                self.run.cap(error)
                return await self._at_a_cap(here, f"after {self.steps - 1:,} steps")
            except (BadAction, CallFailed) as error:
                self.bad, self.wrong = self.bad + 1, str(error)
                self.lost = not isinstance(error, BadAction | ReplyUnusable)
                self.run.note(f"{self.trail.place(here)}: bad action {self.bad}: {error}")
                if self.bad == self.options.bad_actions:
                    told = f"The walk ended early: {self.bad} bad actions in a row."
                    self.run.note(told, warning=True)
                    break
            else:
                self.bad, self.wrong, self.lost = 0, "", False
        return await self.result()

    # --- at a node -------------------------------------------------------------------------

    async def triage(self, node: Node) -> Node | None:
        """Step 4: the node to go to. Raises BadAction, CallFailed and BudgetExceeded."""
        hide = self.options.hide_visited
        open_ = [c for c in self.tree.children(node) if not (hide and c.id in self.visited)]
        if not open_:
            return self.up(node, "everything below was visited")
        waiting = [c for c in self.listed.get(node.id, ()) if any(c == o.id for o in open_)]
        if waiting and hide:
            return self.down(node, self.tree[waiting[0]], "next in line")
        back = self.tree.parent(node) is not None
        if len(open_) == 1 and hide and not (back and self.by == "letter"):
            return self.down(node, open_[0], "the only one left")
        if self.by == "letter":
            return await self._asked(node, open_, back=back)
        choice = await self.run.choose([c.text for c in open_], self.by)
        self.listed[node.id] = [open_[i].id for i in choice.order]
        return self.down(node, open_[choice.order[0]], f"best of {len(open_)} by {choice.by}")

    async def _asked(self, node: Node, open_: Sequence[Node], *, back: bool) -> Node | None:
        """The paper's triage: reasoning, then the number of a child, or the way back."""
        enough = bool(self.found)
        shape = triage_shape(most=self.options.beam, back=back, enough=enough)
        shown = [
            Untrusted(self.trail.headed(c), f"summary {n}") for n, c in enumerate(open_, start=1)
        ]
        values: dict[str, Value] = {
            "question": self.question, "summaries": shown, "again": self._again()
        }  # fmt: skip
        reply: Triage = await self.run.ask_for(
            shape,
            "triage",
            max_tokens=self.options.reply(self.run.model.window),
            values={**values, "memory": self._shown("triage", values, shape)},
            temperature=self.options.temperature,
            sample=self.bad,
        )
        numbers = numbers_in(reply.action)
        first = numbers[0] if numbers else None
        if first == BACK and back:
            return self.up(node, reply.reasoning)
        if first == ENOUGH and enough:
            self.trail.go(self.run, node, f"{reply.reasoning} The working memory is enough.", "")
            return None
        if first is None or not 1 <= first <= len(open_):
            raise BadAction(f"{reply.action.strip()[:40]!r} is no action that was offered")
        named = [open_[n - 1] for n in numbers if 1 <= n <= len(open_)][: self.options.beam]
        self.listed[node.id] = [child.id for child in named[1:]]
        return self.down(node, named[0], reply.reasoning)

    def down(self, node: Node, child: Node, why: str) -> Node:
        """Step 6: into a child; the text of the node that is left goes into the memory."""
        self.memory.add(node.id, "" if node.extract and node.level else node.text)
        self.trail.go(self.run, node, why, f"to {self.trail.place(child)}")
        return child

    def up(self, node: Node, why: str) -> Node | None:
        """Step 7: back to the node above; None where there is none, which ends the walk."""
        self.visited.add(node.id)
        above = self.tree.parent(node)
        self.trail.go(self.run, node, why, "back" if above else "the end")
        return above

    # --- at a segment ----------------------------------------------------------------------

    async def look(self, node: Node) -> Node | None:
        """Step 5: read a segment, and commit or revert. Raises as `triage` does."""
        segment = self.segments[node.spans[0]]
        shape = look_shape(self.run.rendering)
        values: dict[str, Value] = {
            "question": self.question, "segment": segment, "again": self._again(),
            "how": self.run.rendering.files[self.options.how].strip(),
        }  # fmt: skip
        reply = await self.run.ask_for(
            shape,
            "look",
            max_tokens=self.options.reply(self.run.model.window),
            values={**values, "memory": self._shown("look", values, shape)},
            sources=[segment],
            temperature=self.options.temperature,
            sample=self.bad,
        )
        assert isinstance(reply, Look | Told)
        commit = self._commits(reply)
        self.memory.add(node.id, segment.text, segment)
        why = reply.reasoning if isinstance(reply, Look) else _borne_out(commit=commit)
        if not commit:
            return self.up(node, why or "nothing here")
        evidence = self.run.evidence(reply.evidence, reply.answer, segment)
        self.found.append(Finding(reply.answer.strip(), evidence, segment))
        self.visited.add(node.id)
        self.trail.go(self.run, node, why, f"commit: {reply.answer.strip()}", evidence)
        above = self.tree.parent(node)
        return above if len(self.found) < self.options.commits else None

    def _commits(self, reply: Look | Told) -> bool:
        """Whether a reply commits; of a plain model's, code decides by support."""
        if isinstance(reply, Told):
            return not says_not_found(reply.answer)
        commit = committed(reply.action)
        if commit is None:
            raise BadAction(f"{reply.action.strip()[:40]!r} is neither commit nor revert")
        return commit and not says_not_found(reply.answer)

    # --- prompts ---------------------------------------------------------------------------

    def _again(self) -> str:
        return f"Your last reply could not be used: {self.wrong}.\n\n" if self.bad else ""

    def _shown(self, prompt: str, values: dict[str, Value], shape: type) -> Value:
        """The working memory, as much as the prompt leaves room for."""
        rendering = self.run.rendering
        used = rendering.tokens(prompt, {**values, "memory": ""}, shape)
        room = self.run.model.window - used - MARK - self.options.reply(self.run.model.window)
        text = self.memory.shown(room)
        return Untrusted(text, "working memory") if text else "There is nothing in it yet."

    # --- the end ---------------------------------------------------------------------------

    async def result(self) -> Draft:
        """Step 8: what was committed to, or nothing; several findings take one more call."""
        self.run.note(f"Path: {self.trail}")
        if not self.found:
            return Draft("", status="partial") if self.lost else NOT_FOUND
        return await concluded(self, partial=False)

    async def _at_a_cap(self, node: Node | None, when: str) -> Draft:
        """The best that can be said: from the findings, else from the segments in memory.

        Where no segment was read, the one that shares most words with the question is.
        """
        self.run.note(f"Stopped {when}; what follows is the best that can be said. {self.trail}")
        if not self.found and not self.memory.segments:
            below = self.segments.values() if node is None else [
                self.segments[span] for span in node.spans
            ]  # fmt: skip
            best = max(below, key=lambda s: relevance(self.question, s.text).score)
            self.memory.add(-1, best.text, best)
        try:
            return await concluded(self, partial=True)
        except (BudgetExceeded, CallFailed) as error:
            if isinstance(error, BudgetExceeded):
                self.run.cap(error)
            texts = [finding.answer for finding in self.found]
            evidence = [e for finding in self.found for e in finding.evidence]
            told = bearing(self.question, " ".join(texts), evidence)
            return Draft("; ".join(texts), told, status="partial")


def _borne_out(*, commit: bool) -> str:
    """Why code commits to a plain model's reply, or does not."""
    return (
        "the segment bears the reply out" if commit else "the segment does not bear the reply out"
    )
