"""Chain-of-Agents: workers in a row rewrite one communication unit, a manager answers."""

from memreader_strategies.chain_of_agents.strategy import ChainOfAgents

__all__ = ["ChainOfAgents"]
