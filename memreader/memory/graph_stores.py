"""Graph stores by name, found through the entry-point group `memreader.graph_stores`."""

from __future__ import annotations

from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points

from memreader.errors import ConfigurationError
from memreader.memory.graph import GraphStore

GROUP = "memreader.graph_stores"


@lru_cache(maxsize=1)
def available_graph_stores() -> dict[str, EntryPoint]:
    """Installed graph stores by name; none of them is imported."""
    return {e.name: e for e in sorted(entry_points(group=GROUP), key=lambda e: e.name)}


def new_graph(name: str = "networkx") -> GraphStore:
    """An empty graph in the store of this name. Raises ConfigurationError where there is none."""
    installed = available_graph_stores()
    if name not in installed:
        raise ConfigurationError(
            f"No graph store named `{name}`. Installed: {', '.join(installed) or 'none'}."
        )
    try:
        store: GraphStore = installed[name].load()()
    except Exception as error:  # because a stranger's plug-in may fail in any way on import
        raise ConfigurationError(
            f"The graph store `{name}` ({installed[name].value}) is broken: {error!r}. "
            f"Update or uninstall the package that brings it."
        ) from error
    return store
