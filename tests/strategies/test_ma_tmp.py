from memreader.contract import StrategyContract
from memreader_strategies.mem_agent import MemAgent


class TestMA(StrategyContract):
    strategy = MemAgent(section_tokens=900)


class TestOps(StrategyContract):
    strategy = MemAgent(section_tokens=900, update="operations", update_gate=True)


class TestAll(StrategyContract):
    strategy = MemAgent(section_tokens=900, exit_gate="verified", recall=True, plan_ahead=True)
    reads_everything = False
