"""Plug-ins of strangers: each group is looked up in one way, and says alike what is broken."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint

import pytest

from memreader import plugins, strategy
from memreader.errors import ConfigurationError
from memreader.memory.embedders import open_embedder
from memreader.memory.graph_stores import new_graph
from memreader.memory.stores import open_store
from memreader.reranking import open_reranker
from memreader.retrieving import as_retriever


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every group has one plug-in, whose package cannot be imported."""

    def entry_points(group: str) -> list[EntryPoint]:
        return [EntryPoint("broken", "no_such_package:it", group)]

    monkeypatch.setattr(plugins, "entry_points", entry_points)
    plugins.installed.cache_clear()
    yield
    plugins.installed.cache_clear()


@pytest.mark.usefixtures("broken")
@pytest.mark.parametrize(
    "use",
    [
        lambda: strategy.load("broken"),
        lambda: open_store("broken:x"),
        lambda: open_embedder("broken:x"),
        lambda: new_graph("broken"),
        lambda: open_reranker("broken:x"),
        lambda: as_retriever(object()),
    ],
    ids=["strategy", "vector store", "embedder", "graph store", "reranker", "retriever"],
)
def test_a_broken_plug_in_is_named_with_its_package(use: Callable[[], object]) -> None:
    """One line that says what, which package, and what to do."""
    with pytest.raises(ConfigurationError, match=r"`broken` \(no_such_package:it\) is broken.*Up"):
        use()
