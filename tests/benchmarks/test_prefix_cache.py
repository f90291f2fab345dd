"""The prefix-cache benchmark: what it turns round, and what it counts."""

from __future__ import annotations

import anyio
import pytest

from benchmarks.prefix_cache import SMALL, Row, material_first, read, table, text, turned
from memreader.llm.base import Reply, Request, Usage
from memreader.prompts import PromptFiles
from memreader.strategy import make
from memreader.testing import WordCounter, a_model


class Caching:
    """A server that remembers the prompt before, word by word."""

    def __init__(self) -> None:
        self.before: list[str] = []

    async def complete(self, request: Request) -> Reply:
        """One token, and how much of the prompt was known."""
        now, count = request.text.split(" "), WordCounter().count
        same = next(
            (i for i, (a, b) in enumerate(zip(self.before, now, strict=False)) if a != b), 0
        )
        self.before = now
        return Reply("x", Usage(count(request.text), count(" ".join(now[:same])), 1))


@pytest.mark.parametrize("name", SMALL)
def test_shipped_prompts_share_more_of_their_beginning(name: str) -> None:
    """Whatever changes from call to call stands behind what does not."""
    shares = []
    for order in ("material first", "shipped"):
        model = a_model(Caching(), window=8192, concurrency=1)
        row = anyio.run(read, name, order, text(16), model)
        assert row.calls > 3
        shares.append(row.share)
    assert shares[1] > 2 * shares[0]


def test_turned_prompts_hold_the_same_paragraphs() -> None:
    """In another order, with nothing added and nothing lost."""
    strategy = make("mem_agent", {})
    before = PromptFiles.of(strategy).templates
    after = PromptFiles.of(turned(strategy)).templates
    assert after == material_first(before)
    assert {n: sorted(t.strip().split("\n\n")) for n, t in before.items()} == {
        n: sorted(t.split("\n\n")) for n, t in after.items()
    }
    assert after["update"].startswith("$memory\n\n$section")


def test_the_table_has_both_orders_in_a_line() -> None:
    """Shares of input tokens, in percent."""
    rows = [Row("chain", "material first", 4, 200, 10), Row("chain", "shipped", 4, 200, 90)]
    assert "| chain | 4 | 200 | 5.0% | 45.0% |" in table(rows)
