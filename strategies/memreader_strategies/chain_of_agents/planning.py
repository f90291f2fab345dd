"""What a reading takes, for each topology (the paper's cost; spec, section 3e)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memreader.plan import NOTHING, Plan, Range
from memreader_strategies.chain_of_agents.budget import FENCED, Budget

if TYPE_CHECKING:
    from memreader_strategies.chain_of_agents.strategy import ChainOfAgents

TYPICAL = 3
"""A reply is expected to take a third of its cap."""


def chains_of(options: ChainOfAgents) -> int:
    """How many chains read side by side."""
    match options.paths:
        case "left_to_right":
            return 1
        case "bidirectional":
            return 2
        case _:
            return options.path_count


def ends_of(options: ChainOfAgents) -> int | None:
    """How many units the last call sees; None: as many as there are and fit."""
    if options.topology != "chain":
        return None if options.topology == "hierarchical" else 1
    return 1 if options.selection == "vote" else chains_of(options)


def planned(options: ChainOfAgents, budget: Budget, sizes: list[int]) -> Plan:
    """Calls, tokens and critical path for chunks of these sizes."""
    n, text = len(sizes), sum(sizes)
    if not n:
        return NOTHING
    p = chains_of(options) if options.topology == "chain" else 1
    managers = {"merge": 0, "hierarchical": 1}.get(options.topology, 1)
    if p > 1 and options.selection == "vote":
        managers = p
    workers = p * n
    calls = workers + managers
    unit = 0 if options.topology == "merge" else budget.unit
    serial = n + (1 if managers else 0) if options.topology == "chain" else 1 + managers
    ends = p if options.topology == "chain" and options.selection == "judge" else 1
    ends = n if options.topology == "hierarchical" else ends
    shown = managers * (budget.manager + min(budget.shown, ends * (unit + FENCED)))
    inside = unit if options.topology == "chain" else 0
    fixed = p * text + workers * budget.worker
    # Chains that begin with the same chunk share its call.
    least = workers if p == 1 else n
    return Plan(
        calls=Range(least, calls, calls),
        input_tokens=Range(
            text + least * budget.worker,
            fixed + workers * inside // TYPICAL + shown // TYPICAL + managers * budget.manager,
            fixed + workers * (inside + FENCED) + shown,
        ),
        output_tokens=Range(
            least,
            (workers * budget.unit + managers * budget.reply) // TYPICAL,
            workers * budget.unit + managers * budget.reply,
        ),
        critical_path=Range(n if options.topology == "chain" else 1, serial, serial),
    ).repaired(max(budget.unit, budget.reply))
