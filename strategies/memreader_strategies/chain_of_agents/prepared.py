"""The words of all prompts and the budget of all calls of one reading (step 1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from memreader.errors import ConfigurationError
from memreader.rendering import Rendering
from memreader_strategies.chain_of_agents.budget import Budget
from memreader_strategies.chain_of_agents.planning import ends_of
from memreader_strategies.chain_of_agents.shapes import Final, LongText, Unit, role_of

if TYPE_CHECKING:
    from memreader_strategies.chain_of_agents.strategy import ChainOfAgents


@dataclass(frozen=True, slots=True)
class Words:
    """What the prompts say that is the same in all calls of a reading."""

    worker: dict[str, str]
    manager: dict[str, str]
    final: type[Final] | type[LongText]


def prepared(options: ChainOfAgents, question: str, rendering: Rendering) -> tuple[Budget, Words]:
    """Step 1, and the words of all prompts."""
    role = role_of(options.role, question)
    if role == "summary" and options.selection == "vote" and options.paths != "left_to_right":
        raise ConfigurationError(
            "A vote counts equal answers, and long texts are never equal. Use selection=judge."
        )
    files = rendering.files
    asked = files.asked(question)
    words = Words(
        {"question": asked, "task": files[f"task.{role}"].strip()},
        {"question": asked, "kind": files[f"kind.{role}"].strip()},
        LongText if role == "summary" else Final,
    )
    budget = Budget.of(
        rendering,
        (Unit, words.final),
        (words.worker, words.manager),
        window=options.window,
        unit=options.unit_tokens,
        reply=options.reply_tokens,
        reserved=options.split == "reserved",
        ends=ends_of(options),
    )
    return budget, words
