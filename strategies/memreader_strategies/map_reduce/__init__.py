"""LLM×MapReduce: structured records for each chunk, collapsed and reduced to one answer."""

from memreader_strategies.map_reduce.strategy import MapReduce

__all__ = ["MapReduce"]
