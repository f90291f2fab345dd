"""The seam to a graph store: facts, and the named nodes that they mention.

A node is what one or more names mean; names that differ only in case, width, punctuation or
plural mean the same one (`key_of`). Two nodes are joined where one fact mentions both.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from memreader.document import Span

_BETWEEN = re.compile(r"[\W_]+")
_ES = re.compile(r"(?:ss|x|z|ch|sh)es$")


@dataclass(frozen=True, slots=True)
class Fact:
    """One sentence about some nodes, and the place it comes from."""

    text: str
    nodes: tuple[str, ...]
    """Names of what it mentions, as they are written there."""
    span: Span
    """The chunk, or the part of it, that states the fact."""
    chunk: int
    """Position of the chunk in its document, from 0."""
    same: tuple[tuple[str, str], ...] = ()
    """Pairs of names that mean one node, the second of them its proper name."""


@dataclass(frozen=True, slots=True)
class Node:
    """What facts are about."""

    name: str
    """The name that most facts use."""
    aliases: tuple[str, ...]
    """Its other names, in order of the alphabet."""
    facts: int
    """How many facts mention it."""


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A node that shares facts with another."""

    name: str
    weight: int
    """How many facts mention both."""


class GraphStore(Protocol):
    """Keeps facts and the nodes they mention. One contract suite runs on each implementation.

    A node, a name and an edge live as long as a fact supports them, so that the removal of a
    document takes exactly what only it supports. A node may be asked for by any of its names.
    """

    def add(self, facts: Iterable[Fact]) -> None:
        """Take facts in, with their nodes and edges; a fact that is there already adds nothing."""
        ...

    def nodes(self) -> list[Node]:
        """All nodes, by name."""
        ...

    def facts(self, node: str | None = None) -> list[Fact]:
        """What is said of a node, or all facts, in the order of the text, document by document."""
        ...

    def neighbours(self, node: str) -> list[Neighbour]:
        """Nodes that share facts with a node, the closest first, equals by name."""
        ...

    def remove(self, document: str) -> int:
        """Forget a document's facts, and what only they support; returns how many facts went."""
        ...


@lru_cache(maxsize=65536)
def key_of(name: str) -> str:
    """What is equal for names that mean the same: empty for a name without letters and digits.

    NFKC and casefold (widths, ligatures, case), punctuation to spaces, plurals to singulars. The
    lemma is light on purpose: "writing" and "writer" stay apart, and so do accents.
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    return " ".join(map(_singular, _BETWEEN.sub(" ", folded).split()))


def _singular(word: str) -> str:
    if len(word) < 4 or word.endswith(("ss", "us", "is")):
        return word
    if word.endswith("ies"):
        return word if len(word) == 4 else f"{word[:-3]}y"
    if _ES.search(word):
        return word[:-2]
    return word.removesuffix("s")
