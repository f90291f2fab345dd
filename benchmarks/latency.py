"""How long a simulated model takes for a call, and how short a schedule of calls can be.

Pure functions and values: what the server waits and what the report compares with are the same.
"""

from __future__ import annotations

import heapq
import math
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

CHARACTERS = 4
"""Characters of a token, for this server: close to what tokenizers make of English prose."""
BLOCK = 64
"""Tokens of a block of the prefix cache."""


def tokens_of(text: str) -> int:
    """Tokens of a text, by the simulated tokenizer."""
    return math.ceil(len(text) / CHARACTERS)


@dataclass(frozen=True, slots=True)
class Latency:
    """Seconds of a call: 4,050 prompt tokens and 25 of reply take 2.1 s."""

    round_trip: float = 0.05
    prefill: float = 2500.0
    """Prompt tokens a second; those from the cache are free."""
    decode: float = 60.0
    """Reply tokens a second."""
    scale: float = 1.0
    """Factor on everything: 0.1 makes a short run, in which fixed costs weigh ten times more."""

    def seconds(self, prompt: int, cached: int, output: int) -> float:
        """What a call takes once it has a slot."""
        reading = (prompt - cached) / self.prefill
        return self.scale * (self.round_trip + reading + output / self.decode)


class PrefixCache:
    """Blocks of recent prompts: what a new prompt shares with one of them from its start on."""

    def __init__(self, blocks: int = 4096) -> None:
        self._blocks = blocks
        self._known: OrderedDict[int, None] = OrderedDict()

    def cached(self, text: str) -> int:
        """Tokens of the longest beginning that is known, in whole blocks."""
        known = 0
        for link in _chain(text):
            if link not in self._known:
                break
            self._known.move_to_end(link)
            known += BLOCK
        return known

    def keep(self, text: str) -> None:
        """Remember a prompt; the blocks that were used longest ago go first."""
        # From the end: of one prompt its beginning is kept longest.
        for link in reversed(list(_chain(text))):
            self._known[link] = None
            self._known.move_to_end(link)
        while len(self._known) > self._blocks:
            self._known.popitem(last=False)


def _chain(text: str) -> Sequence[int]:
    """A hash for each whole block and all that stands before it."""
    size, links, link = BLOCK * CHARACTERS, [], 0
    for start in range(0, len(text) - size + 1, size):
        link = hash((link, text[start : start + size]))
        links.append(link)
    return links


@dataclass(frozen=True, slots=True)
class Task:
    """A call as a schedule sees it."""

    seconds: float
    needs: tuple[int, ...] = ()
    """Positions of the earlier calls whose replies its prompt shows."""


def ideal(tasks: Sequence[Task], slots: int) -> float:
    """Seconds of the list schedule: a call starts when a slot is free and its needs are met.

    In the order given, without any cost between calls. No client can be much faster with the
    same calls; it may be by a part of one call, where another order packs better.
    """
    ends: list[float] = []
    free = [0.0] * max(1, slots)
    for task in tasks:
        ready = max((ends[need] for need in task.needs), default=0.0)
        end = max(heapq.heappop(free), ready) + task.seconds
        heapq.heappush(free, end)
        ends.append(end)
    return max(ends, default=0.0)
