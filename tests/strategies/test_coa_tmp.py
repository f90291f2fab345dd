from memreader.contract import StrategyContract
from memreader_strategies.chain_of_agents import ChainOfAgents


class TestCoA(StrategyContract):
    strategy = ChainOfAgents(unit_tokens=200, reply_tokens=200)


class TestBi(StrategyContract):
    strategy = ChainOfAgents(unit_tokens=200, reply_tokens=200, paths="bidirectional")


class TestVote(StrategyContract):
    strategy = ChainOfAgents(
        unit_tokens=200, reply_tokens=200, paths="permutation", path_count=3, selection="vote"
    )


class TestMerge(StrategyContract):
    strategy = ChainOfAgents(unit_tokens=200, reply_tokens=200, topology="merge")


class TestHier(StrategyContract):
    strategy = ChainOfAgents(unit_tokens=200, reply_tokens=200, topology="hierarchical")
