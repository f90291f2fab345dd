"""Replies that are cut while the model reasons: the dearest path of each reader."""

from __future__ import annotations

import pytest

from memreader.contract import QUESTION, paged
from memreader.document import Corpus
from memreader.llm.base import Reply, Request, Usage
from memreader.reader import Reader
from memreader.strategy import make
from memreader.testing import WordCounter, a_model


class Reasoning:
    """Thinks until its reply is cut, whatever the limit."""

    async def complete(self, request: Request) -> Reply:
        """A reasoning block without an end."""
        thought = " ".join(["<think>", *["so"] * (request.max_tokens - 2)])
        return Reply(
            thought, Usage(WordCounter().count(request.text), 0, request.max_tokens), "length"
        )


@pytest.mark.parametrize(
    ("strategy", "options"),
    [
        ("map_reduce", {}), ("chain_of_agents", {}), ("chain_of_agents", {"topology": "merge"}),
        ("chain_of_agents", {"paths": "permutation", "selection": "vote"}), ("mem_agent", {}),
        ("mem_agent", {"update_gate": True, "exit_gate": "verified", "recall": True}),
        ("pi_mem", {}), ("prism", {}), ("prism", {"schema": "generate"}),
    ],
)  # fmt: skip
def test_they_stay_within_the_plan(strategy: str, options: dict[str, object]) -> None:
    """Asked again with twice the room: the prompt once more, and three times the output."""
    reader = make(strategy, options)
    model, document = a_model(Reasoning(), window=3072), paged(12)
    answer = Reader(model, reader, probe=False).ask(document, QUESTION)
    plan = reader.plan(Corpus((document,)), QUESTION, model)  # type: ignore[attr-defined]
    assert answer.coverage.failed == answer.coverage.chunks > 0
    assert answer.usage.calls in plan.calls
    assert answer.usage.input_tokens <= plan.input_tokens.maximum
    assert answer.usage.output_tokens <= plan.output_tokens.maximum
