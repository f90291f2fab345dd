"""MemWalker: a tree of summaries, walked with reasoning, working memory and revert."""

from memreader_strategies.mem_walker.strategy import MemWalker

__all__ = ["MemWalker"]
