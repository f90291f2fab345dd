"""Personalised PageRank over a graph store: what is close to some nodes, by shared facts.

A short power iteration of our own: networkx's needs numpy and scipy, which are far larger than
all else here and gain nothing at the size of a document (STACK.md, section 5).
"""

from __future__ import annotations

from collections.abc import Mapping

from memreader.memory.graph import GraphStore, key_of

ENOUGH = 1e-10
"""Change of all shares together, below which they count as settled."""
ROUNDS = 200


def pagerank(
    store: GraphStore, seeds: Mapping[str, float], *, damping: float = 0.85
) -> dict[str, float]:
    """Shares that sum to 1, the nodes in order of their names; {} for an empty graph.

    `seeds` are names with weights above 0; all nodes alike, where none of them is known. A step
    goes along an edge by its weight with the chance `damping`, else back to the seeds, and so
    it does from a node without neighbours (Haveliwala, 2002: topic-sensitive PageRank).
    """
    names = [node.name for node in store.nodes()]
    start = _start(store, names, seeds)
    edges = {name: {n.name: n.weight for n in store.neighbours(name)} for name in names}
    shares = dict(start)
    for _ in range(ROUNDS):
        new = _stepped(shares, start, edges, damping)
        change = sum(abs(new[name] - shares[name]) for name in names)
        shares = new
        if change < ENOUGH:
            break
    total = sum(shares.values())
    return {name: share / total for name, share in shares.items()}


def _start(store: GraphStore, names: list[str], seeds: Mapping[str, float]) -> dict[str, float]:
    by_key = {
        key_of(name): node.name for node in store.nodes() for name in (node.name, *node.aliases)
    }
    weights = dict.fromkeys(names, 0.0)
    for name, weight in seeds.items():
        known = by_key.get(key_of(name))
        if known is not None and weight > 0:
            weights[known] += weight
    total = sum(weights.values())
    if not total:
        return {name: 1 / len(names) for name in names}
    return {name: weight / total for name, weight in weights.items()}


def _stepped(
    shares: dict[str, float],
    start: dict[str, float],
    edges: Mapping[str, Mapping[str, int]],
    damping: float,
) -> dict[str, float]:
    stuck = sum(share for name, share in shares.items() if not edges[name])
    back = 1 - damping + damping * stuck
    new = {name: back * share for name, share in start.items()}
    for name, share in shares.items():
        total = sum(edges[name].values())
        for other, weight in edges[name].items():
            new[other] += damping * share * weight / total
    return new
