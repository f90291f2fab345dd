"""Where the paths begin: the plan of the search, and key elements scored by it (steps 5 and 6)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from memreader.errors import CallFailed
from memreader.prompts import Untrusted, Value
from memreader.run import Run
from memreader_strategies.graph_reader.lines import scored
from memreader_strategies.graph_reader.nodes import Nodes
from memreader_strategies.graph_reader.shapes import Starts
from memreader_strategies.graph_reader.sizes import Sizes, fitted

if TYPE_CHECKING:
    from memreader_strategies.graph_reader.strategy import GraphReader

NO_PLAN = "(none)"


async def planned(run: Run, question: str, sizes: Sizes, options: GraphReader) -> str:
    """Step 5: what has to be found, in free text; without it where the call fails."""
    try:
        reply = await run.ask(
            "plan",
            max_tokens=sizes.plan,
            values={"question": question},
            temperature=options.temperature,
        )
    except CallFailed as error:
        run.note(f"There is no plan of the search: {error}")
        return NO_PLAN
    lines = [line.strip() for line in reply.text.splitlines() if line.strip()]
    kept = fitted(lines, sizes.plan, run.model.counter.count)
    return "\n".join(kept) or NO_PLAN


async def start_nodes(
    run: Run, question: str, plan: str, nodes: Nodes, sizes: Sizes, options: GraphReader
) -> list[str]:
    """Step 6: the best distinct nodes by the model's scores; names it made up are discarded.

    Asked once again where no name is known; then the nodes nearest to the question are taken.
    """
    shown, which = await _shown(run, question, plan, nodes, sizes)
    again: Value = ""
    for _ in range(2):
        values: dict[str, Value] = {
            "question": question,
            "plan": plan,
            "elements": Untrusted("\n".join(shown), "key elements"),
            "again": again,
        }
        try:
            reply = await run.ask_for(
                Starts, "start", max_tokens=sizes.starts, values=values,
                temperature=options.temperature,
            )  # fmt: skip
        except CallFailed:
            break
        best = _best(run, reply.scores, nodes, options.start_nodes)
        if best:
            told = "; ".join(f"{name} ({score})" for name, score in best)
            run.note(f"Start nodes, scored by the model over {which}: {told}.")
            return [name for name, _ in best]
        again = Untrusted("No line named a key element of the list.", "what was wrong last time")
    nearest = (await _by_nearness(run, question, shown))[: options.start_nodes]
    told = "; ".join(nearest)
    run.note(f"The model named no key element: those nearest to the question were taken: {told}.")
    return nearest


def _best(run: Run, told: str, nodes: Nodes, most: int) -> list[tuple[str, int]]:
    """Exact names first, then by their other forms; distinct nodes, the highest score of each."""
    scores: dict[str, int] = {}
    invented: list[str] = []
    for name, score in scored(told):
        known = nodes.known(name)
        if known is None:
            invented.append(name)
        else:
            scores[known] = max(score, scores.get(known, 0))
    if invented:
        run.note(
            f"{len(invented):,} names that are no key element were discarded: "
            f"{'; '.join(name[:60] for name in invented[:5])}."
        )
    return sorted(scores.items(), key=lambda pair: -pair[1])[:most]


async def _shown(
    run: Run, question: str, plan: str, nodes: Nodes, sizes: Sizes
) -> tuple[Sequence[str], str]:
    """All names where they fit the window, as published; else those nearest to the question."""
    names = [node.name for node in nodes.store.nodes()]
    count = run.model.counter.count
    if len(fitted(names, sizes.elements, count)) == len(names):
        return names, f"all {len(names):,} key elements"
    wanted = question if plan == NO_PLAN else f"{question}\n{plan}"
    kept = fitted(await _by_nearness(run, wanted, names), sizes.elements, count)
    how = "by meaning" if run.search.by_meaning else "by words"
    return kept, f"the {len(kept):,} of {len(names):,} key elements that are nearest {how}"


async def _by_nearness(run: Run, wanted: str, names: Sequence[str]) -> list[str]:
    near = await run.search.nearness(wanted, names)
    return [names[i] for i in sorted(range(len(names)), key=lambda i: -near[i])]
