"""A fact of chunk 3 of 200, and whether each strategy's memory brings it to the end."""

from __future__ import annotations

import pytest

from evals.survival import CHUNKS, STRATEGIES, Point, survival, table
from memreader.contract import ANSWER, FACTS, QUESTION, paged
from memreader.reader import Reader
from memreader.testing import Oracle, a_model

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_perfect_model_cites_chunk_3_of_200_at_the_end(name: str) -> None:
    """The sources survive every rewrite: the page of the fact is cited, and no other."""
    model = a_model(Oracle(FACTS), window=3072)
    document = paged(CHUNKS, needle_on=3)
    answer = Reader(model, STRATEGIES[name], probe=False).ask(document, QUESTION)
    assert (ANSWER, "complete") == (answer.text, answer.status)
    assert {3} == {c.page for c in answer.citations}
    assert answer.coverage.read == answer.coverage.chunks > 30


def test_a_memory_that_is_rewritten_loses_what_is_overlooked_once() -> None:
    """One oversight in twenty does away with a rewritten memory, and not with a guarded one."""
    rewritten, _ = survival(STRATEGIES["mem_agent"], 0.05, range(4))
    guarded, _ = survival(STRATEGIES["mem_agent, update=operations"], 0.05, range(4))
    assert rewritten == 0 < guarded


def test_the_table_has_strategies_down_and_rates_across() -> None:
    """Shares of readings that answered."""
    points = [Point("mine", 0.0, 1, 1, 200), Point("mine", 0.1, 5, 20, 200)]
    assert table(points).splitlines()[-1] == "| `mine` | 200 | 100% | 25% |"
