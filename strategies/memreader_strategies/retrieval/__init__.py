"""Retrieval: the passages nearest to the question, evidence verified by code, then an answer."""

from memreader_strategies.retrieval.strategy import Retrieval

__all__ = ["Retrieval"]
