"""MemAgent: one memory of fixed size, overwritten at each section."""

from memreader_strategies.mem_agent.strategy import MemAgent

__all__ = ["MemAgent"]
