"""The picture of trees of summaries: from the whole text down to its segments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from memreader.memory.tree import Node, Tree
from memreader.pictures.page import Picture
from memreader.pictures.places import Places, Source

MOST_NODES = 5_000
"""Drawn unless told otherwise; branches are folded, so that many find room."""


def tree_picture(
    trees: Sequence[Tree], sources: Sequence[Source], made: str, *, most: int = MOST_NODES
) -> Picture:
    """The picture of one tree for each source, cut from below to `most` nodes."""
    places = Places(list(sources))
    every = sum(len(tree) for tree in trees)
    kept = _from_above(trees, max(len(trees), most))
    numbers = {(t, node.id): number for number, (t, node) in enumerate(kept)}
    nodes = [_node(t, node, trees[t], numbers, places) for t, node in kept]
    line = f"{every:,} {'node' if every == 1 else 'nodes'} in {_levels(trees)}."
    if len(kept) < every:
        line += f" Drawn are the {len(kept):,} uppermost; --nodes {every} draws all."
    data = {"nodes": nodes, "links": [], "facts": [], **places.to_json()}
    return Picture("tree", ", ".join(s.name for s in sources), (line, made), data)


def _levels(trees: Sequence[Tree]) -> str:
    levels = max(tree.depth for tree in trees) + 1
    return f"{levels:,} {'level' if levels == 1 else 'levels'}"


def _from_above(trees: Sequence[Tree], most: int) -> list[tuple[int, Node]]:
    """Nodes level by level from the roots, as many as may be drawn."""
    row = [(t, tree.root) for t, tree in enumerate(trees)]
    kept: list[tuple[int, Node]] = []
    while row and len(kept) < most:
        kept += row
        row = [(t, child) for t, node in row for child in trees[t].children(node)]
    return kept[:most]


def _node(
    t: int, node: Node, tree: Tree, numbers: dict[tuple[int, int], int], places: Places
) -> dict[str, Any]:
    children = [numbers[t, c] for c in node.children if (t, c) in numbers]
    pages = [places.page(node.spans[0]), places.page(node.spans[-1])] if node.spans else []
    return {
        "label": node.text,
        "level": node.level,
        "document": t,
        "children": children,
        "hidden": len(node.children) - len(children),
        "pages": [page for page in pages if page is not None],
        # The passage itself, of those that summarise the text and not other summaries.
        "places": [] if node.children else [places.add(span) for span in node.spans],
    }
