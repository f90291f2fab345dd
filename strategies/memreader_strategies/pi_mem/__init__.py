"""PI-Mem: parallel passes of check, extract and merge over one memory."""

from memreader_strategies.pi_mem.strategy import PiMem

__all__ = ["PiMem"]
