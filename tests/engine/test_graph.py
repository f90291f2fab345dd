"""The graph store on networkx: the contract of graph stores, files, and its place by name."""

from __future__ import annotations

import json
from pathlib import Path

import networkx as nx
import pytest
from hypothesis import given, settings

from memreader.document import Span
from memreader.errors import ConfigurationError
from memreader.graph_contract import _FACTS, GraphStoreContract, _seen, a_fact
from memreader.memory.graph import Fact
from memreader.memory.graph_stores import new_graph
from memreader.memory.networkx_graph import NetworkxGraph
from memreader.memory.pagerank import pagerank


class TestNetworkxGraph(GraphStoreContract):
    """As shipped."""

    new = NetworkxGraph


FACTS = [
    a_fact("Marta Ilves signed\x0c the lease.", "Marta Ilves", "lease"),
    a_fact("The LEASE <ran> for & ninety years.", "LEASE", "years", document="two", at=40),
    Fact("A car came.", ("automobile",), Span("one", 50, 61), 0, (("automobile", "car"),)),
]


def _of(facts: list[Fact]) -> NetworkxGraph:
    graph = NetworkxGraph()
    graph.add(facts)
    return graph


@settings(deadline=None)
@given(facts=_FACTS)
def test_json_brings_the_same_graph_back(facts: list[Fact]) -> None:
    """Facts, nodes, aliases and edges."""
    graph = _of([*facts, FACTS[2]])
    again = NetworkxGraph.from_json(json.loads(json.dumps(graph.to_json())))
    assert (_seen(graph), graph.facts()) == (_seen(again), again.facts())


def test_a_file_is_whole_or_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that breaks off leaves what was there, and nothing beside it."""
    path = tmp_path / "graph.json"
    _of(FACTS).save(path)

    def full(*_: object) -> None:
        raise OSError("no space left")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", full)
        with pytest.raises(OSError, match="no space"):
            _of([]).save(path)
    assert _seen(_of(FACTS)) == _seen(NetworkxGraph.load(path))
    assert [path] == list(tmp_path.iterdir())


def test_graphml_opens_in_networkx_again(tmp_path: Path) -> None:
    """Typed nodes and edges with what they hold, control characters of a PDF left out."""
    path = tmp_path / "graph.graphml"
    graph = _of(FACTS)
    graph.save_graphml(path)
    read = nx.read_graphml(path)
    assert (set(graph.graph.nodes), set(graph.graph.edges)) == (set(read.nodes), set(read.edges))
    kinds = nx.get_node_attributes(read, "kind")
    assert {"element", "fact", "document"} == set(kinds.values())
    (lease,) = [n for _, n in read.nodes(data=True) if n.get("name") in ("lease", "LEASE")]
    assert (2, "lease") == (lease["facts"], lease["aliases"] or lease["name"])
    assert {"shares", "mentions", "states"} == set(nx.get_edge_attributes(read, "kind").values())


@pytest.mark.parametrize("text", ['{"format": 99, "facts": []}', "[1, 2]", "{}"])
def test_what_is_no_graph_is_an_error(text: str, tmp_path: Path) -> None:
    """It names the file or the format."""
    path = tmp_path / "graph.json"
    path.write_text(text, "utf-8")
    with pytest.raises(ValueError, match="no graph"):
        NetworkxGraph.load(path)


def test_stores_are_found_by_name() -> None:
    """Through the entry-point group; an unknown name says which there are."""
    assert isinstance(new_graph(), NetworkxGraph)
    with pytest.raises(ConfigurationError, match=r"`neo`\. Installed: networkx"):
        new_graph("neo")


def test_pagerank_is_that_of_networkx() -> None:
    """The same shares as its reference implementation in Python, where scipy is not needed."""
    reference = pytest.importorskip("networkx.algorithms.link_analysis.pagerank_alg")
    graph = _of(
        [a_fact(f"{a}{b}", f"n{a}", f"n{b}", at=10 * a + b) for a in range(6) for b in range(a)]
        + [a_fact("alone", "n9", at=900)]
    )
    elements = [n for n, d in graph.graph.nodes(data=True) if d["kind"] == "element"]
    names = nx.get_node_attributes(graph.graph, "name")
    expected = reference._pagerank_python(
        nx.relabel_nodes(graph.graph.subgraph(elements), names),
        alpha=0.85, personalization={"n0": 1.0}, tol=1e-12, max_iter=500,
    )  # fmt: skip
    found = pagerank(graph, {"n0": 1.0})
    assert set(expected) == set(found)
    assert all(abs(expected[name] - share) < 1e-8 for name, share in found.items())
