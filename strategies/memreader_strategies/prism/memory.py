"""The memory: an instance of the schema, as text that prompts show and as what it rests on."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from memreader.chunking import Chunk
from memreader.evidence import Evidence, relevance
from memreader.grounding import MOST
from memreader.memory.notes import Item, Notes, place
from memreader.words import content_words, words
from memreader_strategies.prism.instance import (
    Idle,
    Leaf,
    Node,
    Path,
    Unfit,
    empty,
    entries,
    leaves,
    mapped,
    path_text,
    value_text,
)
from memreader_strategies.prism.revisions import Change, Revision, carried_out
from memreader_strategies.prism.schema import Record

Mode = Literal["amendments", "in_place"]
SHORT = 3
"""Content words below which a value is looked for together with its key."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """A revision that could not be carried out."""

    said: str
    reason: str

    def __str__(self) -> str:
        said = self.said if len(self.said) < 120 else f"{self.said[:117]}..."
        return f"{said} ({self.reason})"


@dataclass(frozen=True, slots=True)
class Memory:
    """A base text and the amendments after it; the tree is what both say together."""

    schema: Record
    mode: Mode
    tree: Node
    base: str
    """The text as it was at the last folding: it stays as it is, byte for byte."""
    amendments: tuple[str, ...] = ()

    @classmethod
    def new(cls, schema: Record, mode: Mode) -> Memory:
        """A memory that knows nothing."""
        tree = empty(schema)
        return cls(schema, mode, tree, _base(schema, tree))

    @property
    def text(self) -> str:
        """As prompts show it; nothing before it depends on how it grew."""
        if self.mode == "in_place":
            return self.base
        return "\n".join([self.base, "Amendments:", *self.amendments])

    @property
    def notes(self) -> Notes:
        """Each leaf as an item with its places."""
        return Notes(
            tuple(
                Item(f"{path_text(path)}: {value_text(leaf)}", leaf.evidence, leaf.since)
                for path, leaf in leaves(self.tree)
            )
        )

    # --- step 4 --------------------------------------------------------------------------------

    def revised(
        self,
        revisions: Sequence[Revision],
        chunk: Chunk,
        *,
        may_delete: bool = False,
        given: tuple[Evidence, ...] = (),
    ) -> tuple[Memory, list[Dropped]]:
        """Carry revisions out one by one; a bad one is dropped, the rest holds.

        `given` is the evidence of all of them, where code knows it already.
        """
        memory, dropped = self, list[Dropped]()
        for revision in revisions:
            try:
                if revision.op == "delete" and not may_delete:
                    raise Unfit("nothing may be deleted")
                change = carried_out(memory.schema, memory.tree, revision)
            except Idle:
                continue
            except Unfit as error:
                dropped.append(Dropped(revision.said, str(error)))
                continue
            memory = memory._amended(revision.op, change, chunk, given)
        return memory, dropped

    def _amended(
        self, op: str, change: Change, chunk: Chunk, given: tuple[Evidence, ...]
    ) -> Memory:
        told = " ".join(value_text(leaf) for _, leaf in leaves(change.new))
        key = next((s for s in reversed(change.path) if not s.isdecimal()), "")
        old = tuple(e for _, leaf in leaves(change.old) for e in leaf.evidence)
        before = " ".join(value_text(leaf) for _, leaf in leaves(change.old))
        kept = old if Notes((Item(told),)).keeps(Item(before)) else ()
        added = _beyond(before, told)

        def sourced(leaf: Leaf) -> Leaf:
            here = given or rests_on(leaf, f"{key} {told}", chunk)
            if not here and added and (place_of_added := place(added, chunk)):
                here = (place_of_added,)
            return Leaf(leaf.value, _each(here, kept if here else old), chunk.index)

        new = mapped(change.new, sourced)
        tree = _with(change.tree, change.path, new) if op != "delete" else change.tree
        value = f": {value_text(new)}" if op != "delete" else ""
        line = f"{op.upper()} {path_text(change.path)}{value}"
        amended = replace(self, tree=tree, amendments=(*self.amendments, line))
        return amended if self.mode == "amendments" else amended.folded()

    # --- step 5 --------------------------------------------------------------------------------

    def folded(self) -> Memory:
        """The amendments carried into the base text: what is known stays the same."""
        return replace(self, base=_base(self.schema, self.tree), amendments=())

    def bounded(
        self, *, memory: int, amendments: int, count: Callable[[str], int], question: str
    ) -> tuple[Memory, int]:
        """The memory within its budgets of tokens, and how many entries that cost.

        Amendments beyond theirs are folded in. What is too large even then loses the entries
        that have least to do with the question.
        """
        if self.mode == "amendments":
            if count("\n".join(self.amendments)) <= amendments and count(self.text) <= memory:
                return self, 0
            # Room for further amendments, or each chunk to come would cost a folding.
            memory -= amendments
        folded = self.folded()
        lines = _lines(self.schema, self.tree)
        beside = count(Memory.new(self.schema, self.mode).text)
        if count(folded.text) <= memory:
            return folded, 0
        items = Notes(tuple(Item(line) for _, line in lines))
        kept = {i.text for i in items.within(memory - beside, count, _rank(question)).items}
        gone = [path for path, line in lines if line not in kept]
        tree = self.tree
        for path in reversed(gone):  # from the end, so that numbers in lists hold
            tree = carried_out(self.schema, tree, Revision("delete", path, None, "")).tree
        return replace(self, tree=tree).folded(), len(gone)


def _rank(question: str) -> Callable[[Item], float]:
    def rank(item: Item) -> float:
        # Equals are told apart by a hash, so that what is cut is not all of one part of the text.
        spread = zlib.crc32(item.text.encode("utf-8", "surrogatepass")) / 2**32
        return relevance(question, item.text).score + spread / 1000

    return rank


def _base(schema: Record, tree: Node) -> str:
    return "\n".join(["Entries:", *(line for _, line in _lines(schema, tree))])


def _lines(schema: Record, tree: Node) -> list[tuple[Path, str]]:
    return [
        (path, f"{path_text(path)}: {value_text(node)}") for path, node in entries(schema, tree)
    ]


def _with(tree: Node, path: Path, new: Node) -> Node:
    """The tree with another node at a path that exists."""
    if not path:
        return new
    if isinstance(tree, list):
        index = int(path[0])
        return [_with(c, path[1:], new) if i == index else c for i, c in enumerate(tree)]
    if isinstance(tree, dict):
        return {k: _with(c, path[1:], new) if k == path[0] else c for k, c in tree.items()}
    return tree


def _beyond(before: str, told: str) -> str:
    """The words of an updated value that the one before did not have."""
    known = set(words(before))
    return " ".join(w for w in told.split() if not set(words(w)) <= known) if before else ""


def rests_on(leaf: Leaf, told: str, chunk: Chunk) -> tuple[Evidence, ...]:
    """Where a value stands in the chunk: by itself, or with its key and what was told with it."""
    text = value_text(leaf)
    if text.rstrip().endswith("?"):  # a question asserts nothing
        return ()
    alone = place(text, chunk)
    if alone is None or len(content_words(text)) < SHORT:
        alone = place(told, chunk) or alone
    return (alone,) if alone is not None else ()


def _each(*groups: tuple[Evidence, ...]) -> tuple[Evidence, ...]:
    """Evidence of several kinds, each place once; as many as an answer may cite."""
    return tuple({e.span: e for group in groups for e in group}.values())[:MOST]
