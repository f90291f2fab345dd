"""Graph stores by name, found through the entry-point group `memreader.graph_stores`."""

from __future__ import annotations

from memreader.errors import ConfigurationError
from memreader.memory.graph import GraphStore
from memreader.plugins import installed, loaded

GROUP = "memreader.graph_stores"


def new_graph(name: str = "networkx") -> GraphStore:
    """An empty graph in the store of this name. Raises ConfigurationError where there is none."""
    known = installed(GROUP)
    if name not in known:
        raise ConfigurationError(
            f"No graph store named `{name}`. Installed: {', '.join(known) or 'none'}."
        )
    store: GraphStore = loaded(GROUP, name, "graph store")()
    return store
