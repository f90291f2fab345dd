"""A graph store on networkx, in memory: saved as JSON, exported as GraphML.

The facts are what is kept; the graph is made of them when it is asked for. So a removal leaves
exactly what the facts that are left support, whatever was added in which order.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from memreader.document import Span
from memreader.files import write_whole
from memreader.memory.graph import Fact, Neighbour, Node, key_of

FORMAT = 1
_NOT_IN_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_Identity = tuple[str, int, int, str]


@dataclass(frozen=True, slots=True)
class _Made:
    """The nodes that some facts make."""

    nodes: Mapping[str, Node]
    """By id."""
    ids: Mapping[str, str]
    """Ids of nodes by the keys of their names."""
    facts: Mapping[str, list[Fact]]
    """Facts by the ids of the nodes they mention."""

    def mentioned(self, fact: Fact) -> list[str]:
        """Ids of the nodes that a fact mentions, each once."""
        return list(dict.fromkeys(self.ids[key] for n in fact.nodes if (key := key_of(n))))


class NetworkxGraph:
    """Facts and the graph of what they mention."""

    def __init__(self) -> None:
        self._facts: dict[_Identity, Fact] = {}
        self._made: _Made | None = None
        self._graph: Any = None

    # --- the protocol ----------------------------------------------------------------------

    def add(self, facts: Iterable[Fact]) -> None:
        """Take facts in; the same sentence at the same place adds the names that are new."""
        for fact in facts:
            known = self._facts.get(_identity(fact), fact)
            self._facts[_identity(fact)] = _joined(known, fact)
        self._made = self._graph = None

    def nodes(self) -> list[Node]:
        """All nodes, by name."""
        return sorted(self._there.nodes.values(), key=lambda node: node.name)

    def facts(self, node: str | None = None) -> list[Fact]:
        """What is said of a node, or all facts, in the order of the text, document by document."""
        if node is None:
            return sorted(self._facts.values(), key=_identity)
        return list(self._there.facts.get(self._id(node), ()))

    def neighbours(self, node: str) -> list[Neighbour]:
        """Nodes that share facts with a node, the closest first, equals by name."""
        there, here = self._there, self._id(node)
        both = Counter(n for f in there.facts.get(here, ()) for n in there.mentioned(f))
        found = [Neighbour(there.nodes[n].name, w) for n, w in both.items() if n != here]
        return sorted(found, key=lambda n: (-n.weight, n.name))

    def remove(self, document: str) -> int:
        """Forget a document's facts, and what only they support; returns how many facts went."""
        left = {i: fact for i, fact in self._facts.items() if fact.span.document != document}
        gone = len(self._facts) - len(left)
        self._facts = left
        self._made = self._graph = None
        return gone

    # --- beyond the protocol ---------------------------------------------------------------

    @property
    def graph(self) -> Any:
        """A `networkx.Graph` of typed nodes and edges, to be read and not written.

        Nodes have the kinds "element" (name, aliases, facts), "fact" (text, start, end, chunk)
        and "document"; edges the kinds "shares" (two elements, with the number of facts that
        mention both as weight), "mentions" (a fact and an element), "states" (a document, a fact).
        """
        if self._graph is None:
            self._graph = _drawn(self._there, self.facts())
        return self._graph

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {"format": FORMAT, "facts": [asdict(fact) for fact in self.facts()]}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> NetworkxGraph:
        """A graph from `to_json`. Raises ValueError for what is none, or of another format."""
        if data.get("format") != FORMAT:
            raise ValueError(
                f"This is no graph of format {FORMAT} but of {data.get('format')!r}. Build it anew."
            )
        graph = cls()
        graph.add(facts_of(data))
        return graph

    def save(self, path: Path) -> None:
        """Write it as JSON; what was there stays whole until all is written."""
        write_whole(path, json.dumps(self.to_json(), ensure_ascii=False))

    @classmethod
    def load(cls, path: Path) -> NetworkxGraph:
        """Read what `save` wrote. Raises ValueError for anything else, OSError without a file."""
        data = json.loads(path.read_text("utf-8"))
        if not isinstance(data, dict):
            raise ValueError(f"{path} holds no graph.")
        return cls.from_json(data)

    def save_graphml(self, path: Path) -> None:
        """Write `graph` as GraphML, as Gephi, yEd and `networkx.read_graphml` open it."""
        import networkx as nx

        write_whole(path, "\n".join(nx.generate_graphml(self.graph)))

    # --- the graph -------------------------------------------------------------------------

    @property
    def _there(self) -> _Made:
        if self._made is None:
            self._made = _made(self.facts())
        return self._made

    def _id(self, name: str) -> str:
        return self._there.ids.get(key_of(name), "")


def facts_of(data: Mapping[str, Any]) -> Iterator[Fact]:
    """The facts of a graph that `NetworkxGraph.to_json` gave, for any store to take in."""
    for row in data["facts"]:
        yield Fact(
            row["text"],
            tuple(row["nodes"]),
            Span(**row["span"]),
            row["chunk"],
            tuple((one, other) for one, other in row["same"]),
        )


def _identity(fact: Fact) -> _Identity:
    span = fact.span
    return span.document, span.start, span.end, " ".join(fact.text.split())


def _joined(known: Fact, again: Fact) -> Fact:
    """A fact with all names that either gives, each once."""
    nodes, same = (*known.nodes, *again.nodes), (*known.same, *again.same)
    return replace(known, nodes=tuple(dict.fromkeys(nodes)), same=tuple(dict.fromkeys(same)))


def _made(facts: list[Fact]) -> _Made:
    made = _Made({}, _ids(facts), {})
    by_node: dict[str, list[Fact]] = {}
    for fact in facts:
        for here in made.mentioned(fact):
            by_node.setdefault(here, []).append(fact)
    return _Made(_named(facts, made.ids, by_node), made.ids, by_node)


def _ids(facts: list[Fact]) -> dict[str, str]:
    """The node of each key: keys are joined where a fact says that they mean the same."""
    import networkx as nx

    same = nx.Graph(
        (key_of(one), key_of(other))
        for fact in facts
        for one, other in fact.same
        if key_of(one) and key_of(other)
    )
    joined = {key: min(group) for group in nx.connected_components(same) for key in group}
    keys = [key for fact in facts for name in fact.nodes if (key := key_of(name))]
    return {key: f"element {joined.get(key, key)}" for key in (*keys, *joined)}


def _named(
    facts: list[Fact], ids: Mapping[str, str], by_node: Mapping[str, list[Fact]]
) -> dict[str, Node]:
    votes: dict[str, Counter[str]] = {here: Counter() for here in by_node}
    for fact in facts:
        proper = {key_of(one): other for one, other in fact.same}
        for name in filter(key_of, fact.nodes):
            count = votes[ids[key_of(name)]]
            count[name] += 0  # an alias has a place, whichever name the node bears
            count[proper.get(key_of(name), name)] += 1
    return {here: _node(count, len(by_node[here])) for here, count in votes.items()}


def _node(votes: Counter[str], facts: int) -> Node:
    best = min(votes, key=lambda name: (-votes[name], len(name), name))
    return Node(best, tuple(sorted(set(votes) - {best})), facts)


def _drawn(made: _Made, facts: list[Fact]) -> Any:
    """The graph with all its edges: see `NetworkxGraph.graph`."""
    import networkx as nx

    graph = nx.Graph()
    for here, node in made.nodes.items():
        name, aliases = _legible(node.name), _legible("; ".join(node.aliases))
        graph.add_node(here, kind="element", name=name, aliases=aliases, facts=node.facts)
    for number, fact in enumerate(facts):
        _draw(graph, f"fact {number}", fact, made.mentioned(fact))
    return graph


def _draw(graph: Any, here: str, fact: Fact, mentioned: list[str]) -> None:
    """A fact with its document, and the edges between all that it mentions."""
    span = fact.span
    document = f"document {span.document}"
    graph.add_node(document, kind="document")
    graph.add_node(
        here,
        kind="fact",
        text=_legible(fact.text),
        start=span.start,
        end=span.end,
        chunk=fact.chunk,
    )
    graph.add_edge(document, here, kind="states")
    for i, node in enumerate(mentioned):
        graph.add_edge(here, node, kind="mentions")
        for other in mentioned[i + 1 :]:
            weight = graph.edges[node, other]["weight"] + 1 if graph.has_edge(node, other) else 1
            graph.add_edge(node, other, kind="shares", weight=weight)


def _legible(text: str) -> str:
    """Without the control characters that no XML may hold: PDFs bring them along."""
    return _NOT_IN_XML.sub(" ", text)
