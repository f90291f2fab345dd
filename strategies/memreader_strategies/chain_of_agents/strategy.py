"""Chain-of-Agents (Zhang et al., 2024, https://arxiv.org/abs/2406.02818; NeurIPS 2024).

1. `Budget.of`         text for a chunk = window - question - instruction, and in the `reserved`
                      form - communication unit - reply.
2. `_chain`           the unit begins empty.
3. `_worker`          each chunk in order: the unit before, the chunk and the question give a new
                      unit, which takes the place of the old one and has a hard cap.
4. `manager`          the last unit and the question, and nothing else, give the answer.
5. `_paths`           several chains in other orders, in parallel.
6. `_judge`           one call picks the most reliable of the last units and answers;
   `_vote`            or the majority of the chains' own answers.
7. `merge`            comparison: each chunk answers alone, the majority counts.
8. `hierarchical`     comparison: each chunk is judged useful and noted, one call sees all notes.

What was changed against the paper, and why, is in README.md beside this module.
Calls: n + 1; with p chains p n + 1 (judge) or p (n + 1) (vote). Critical path: n + 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from memreader.answer import Draft
from memreader.document import Corpus
from memreader.llm.base import Model
from memreader.plan import Plan, chunk_sizes
from memreader.prompts import Fence, PromptFiles
from memreader.rendering import Rendering
from memreader.run import Run
from memreader_strategies.chain_of_agents.planning import planned
from memreader_strategies.chain_of_agents.prepared import prepared
from memreader_strategies.chain_of_agents.reading import Reading
from memreader_strategies.chain_of_agents.topologies import hierarchical, merge

Path = Literal["left_to_right", "bidirectional", "permutation", "self_consistency"]


@dataclass(frozen=True)
class ChainOfAgents:
    """Workers in a row rewrite one communication unit; a manager answers from the last."""

    window: int = 8192
    """Tokens of one call in all: the paper's k; never more than the model's own window."""
    unit_tokens: int = 1024
    """Hard cap on the communication unit, and on each worker's reply."""
    reply_tokens: int = 1024
    """Cap on the manager's reply."""
    split: Literal["reserved", "paper"] = "reserved"
    """Whether the chunk's budget leaves room for unit and reply; the paper's formula does not."""
    topology: Literal["chain", "merge", "hierarchical"] = "chain"
    """`merge` and `hierarchical` are what the paper compares the chain with."""
    paths: Path = "left_to_right"
    """Orders in which chains read: one chain, or several side by side."""
    path_count: int = 5
    """Chains of `permutation` and of `self_consistency`."""
    selection: Literal["judge", "vote"] = "judge"
    """How one answer is made of several chains; `vote` only for short answers."""
    role: Literal["auto", "qa", "summary", "code"] = "auto"
    """What the unit is: evidence, a long summary, or code; `auto` goes by the question."""
    temperature: float = 0.0
    path_temperature: float = 0.7
    """Temperature of `self_consistency`; the paper gives none."""
    seed: int = 0
    """Of the orders of `permutation`."""

    def __post_init__(self) -> None:
        if self.window < 256 or self.unit_tokens < 16 or self.reply_tokens < 16:
            raise ValueError("window must be at least 256, unit_tokens and reply_tokens 16")
        if self.path_count < 1:
            raise ValueError("path_count must be at least 1")

    async def read(self, question: str, run: Run) -> Draft:
        """Read all chunks in order and answer."""
        reading = Reading.of(self, question, run)
        if self.topology == "merge":
            return await merge(reading)
        if self.topology == "hierarchical":
            return await hierarchical(reading)
        return await reading.chains()

    def plan(self, corpus: Corpus, question: str, model: Model) -> Plan:
        """Calls = n + 1; p n + 1 with a judge over p chains, p (n + 1) with a vote."""
        rendering = Rendering(PromptFiles.of(self), model, Fence.derived(corpus.id, question))
        budget, _ = prepared(self, question, rendering)
        sizes = chunk_sizes(corpus, budget.text, model.counter)
        return planned(self, budget, sizes)
