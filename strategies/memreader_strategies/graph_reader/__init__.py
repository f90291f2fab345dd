"""GraphReader: a graph of facts, explored from several nodes, each with a notebook of its own."""

from memreader_strategies.graph_reader.strategy import GraphReader

__all__ = ["GraphReader"]
