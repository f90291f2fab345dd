"""Every shipped strategy keeps the contract."""

from __future__ import annotations

from memreader.contract import StrategyContract
from memreader_strategies.full_context import FullContext
from memreader_strategies.map_reduce import MapReduce


class TestMapReduce(StrategyContract):
    """LLM×MapReduce as shipped."""

    strategy = MapReduce()


class TestMapReduceWithManyCollapses(StrategyContract):
    """The same with small calls, so that records collapse."""

    strategy = MapReduce(chunk_size=1100, reply_tokens=120)


class TestFullContext(StrategyContract):
    """The control, in a window that holds everything."""

    strategy = FullContext()
    window = 200_000
