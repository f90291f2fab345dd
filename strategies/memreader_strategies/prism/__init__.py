"""PRISM: a typed memory, revised by path at each chunk."""

from memreader_strategies.prism.strategy import Prism

__all__ = ["Prism"]
