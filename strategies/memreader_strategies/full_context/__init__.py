"""Full context: the document as it is, or an error when it does not fit."""

from memreader_strategies.full_context.strategy import FullContext

__all__ = ["FullContext"]
