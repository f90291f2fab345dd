from memreader.contract import StrategyContract
from memreader_strategies.pi_mem import PiMem


class TestPM(StrategyContract):
    strategy = PiMem(section_tokens=900)


class TestSmall(StrategyContract):
    strategy = PiMem(section_tokens=500, extract_tokens=100, memory_tokens=150)
