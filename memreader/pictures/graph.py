"""The picture of a graph: what facts are about, joined where one fact mentions both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from memreader.memory.graph import Fact, Node
from memreader.memory.networkx_graph import NetworkxGraph
from memreader.pictures.page import Picture
from memreader.pictures.places import Places, Source

MOST_NODES = 300
"""Drawn unless told otherwise: as many as a person can still find their way in."""
MOST_LINKS = 20_000
"""Lines that a browser draws fluently."""
GROUPED = 600
"""Nodes whose groups are worked out."""
COLOURS = 8
"""Groups with a colour of their own."""


def graph_picture(
    graph: NetworkxGraph, sources: Sequence[Source], made: str, *, most: int = MOST_NODES
) -> Picture:
    """The picture of a graph, cut to the `most` best connected nodes.

    `made` says in a line by whom and when the graph was built.
    """
    every = graph.nodes()
    near = {node.name: graph.neighbours(node.name) for node in every}
    ranked = sorted(every, key=lambda n: (-len(near[n.name]), -n.facts, n.name))[: max(1, most)]
    ids = {node.name: number for number, node in enumerate(ranked)}
    links = sorted(
        (
            (ids[name], ids[n.name], n.weight)
            for name in ids
            for n in near[name]
            if ids.get(n.name, -1) > ids[name]
        ),
        key=lambda link: (-link[2], link),
    )
    drawn = links[:MOST_LINKS]
    notes = [_told(len(every), len(graph.facts()), len(ranked)), made]
    if len(drawn) < len(links):
        notes.append(f"Of {len(links):,} links the {len(drawn):,} strongest are drawn.")
    places = Places(list(sources))
    nodes, facts = _nodes(graph, ranked, {n: len(near[n]) for n in ids}, places)
    for node, group in zip(nodes, _groups(len(nodes), drawn), strict=True):
        node["group"] = group
    data = {"nodes": nodes, "links": drawn, "facts": facts, **places.to_json()}
    return Picture("graph", ", ".join(s.name for s in sources), tuple(notes), data)


def _told(nodes: int, facts: int, drawn: int) -> str:
    line = f"{nodes:,} {'element' if nodes == 1 else 'elements'}"
    line += f" in {facts:,} {'fact' if facts == 1 else 'facts'}."
    if drawn < nodes:
        line += f" Drawn are the {drawn:,} that are connected best; --nodes {nodes} draws all."
    return line


def _nodes(
    graph: NetworkxGraph, ranked: Sequence[Node], degrees: Mapping[str, int], places: Places
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Nodes with the numbers of their facts, and the facts, each once."""
    numbers: dict[Fact, int] = {}
    nodes = [
        {
            "label": node.name,
            "aliases": list(node.aliases),
            "degree": degrees[node.name],
            "facts": [numbers.setdefault(f, len(numbers)) for f in graph.facts(node.name)],
        }
        for node in ranked
    ]
    return nodes, [{"text": f.text, "place": places.add(f.span, f.text)} for f in numbers]


def _groups(nodes: int, links: Sequence[tuple[int, int, int]]) -> list[int]:
    """A number for each node: those that are mentioned together share one, the largest first.

    Louvain communities of the best connected nodes, since those of all would take longer than
    the rest of the picture; each other node goes with the one that it is tied to most. What is
    in none of the largest groups shares the last number.
    """
    import networkx as nx

    joined = nx.Graph()
    joined.add_nodes_from(range(min(nodes, GROUPED)))
    joined.add_weighted_edges_from(link for link in links if max(link[:2]) < GROUPED)
    found = nx.community.louvain_communities(joined, seed=0)
    several = sorted((sorted(g) for g in found if len(g) > 1), key=lambda g: (-len(g), g))
    place = {n: number for number, group in enumerate(several[:COLOURS]) for n in group}
    for one, other, _ in links:  # the strongest come first
        if other >= GROUPED and one in place:
            place.setdefault(other, place[one])
    return [place.get(node, COLOURS) for node in range(nodes)]
