"""A prompt cut in silence is found out, and nothing else is taken for one."""

from __future__ import annotations

from typing import Any

import pytest

from memreader.errors import SilentTruncation
from memreader.llm.base import Model, Reply, Usage
from memreader.llm.truncation import check_truncation
from memreader.tokens import ESTIMATE


class Words:
    """An exact counter."""

    exact, name = True, "words"

    def count(self, text: str) -> int:
        """Words."""
        return len(text.split())


def model(*, exact: bool, name: str = "openai-compatible:x#m") -> Model:
    """A model with an exact counter or an estimate."""
    return Model(name, None, Words() if exact else ESTIMATE, 4096)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("exact", "reported", "cut"),
    [
        (True, 1000, False),
        (True, 905, False),
        (True, 890, True),
        (True, 1300, False),
        (False, 1000, False),  # 5,000 characters: at least 624 tokens
        (False, 260, False),
        (False, 240, True),
    ],
)
def test_a_cut_is_told_by_the_servers_own_figure(
    exact: bool, reported: int, cut: bool, request_for: Any
) -> None:
    """Far below our count; with an estimate far below the lowest that can be."""
    request = request_for("word " * 1000)
    reply = Reply("x", Usage(reported, 0, 1))
    if not cut:
        check_truncation(request, reply, model(exact=exact))
        return
    with pytest.raises(SilentTruncation, match=f"{reported:,}.*`window`"):
        check_truncation(request, reply, model(exact=exact))


def test_short_prompts_and_silent_servers_are_left_alone(request_for: Any) -> None:
    """Templates drown the difference below 300 tokens, and without usage there is no figure."""
    check_truncation(request_for("word " * 250), Reply("x", Usage(10, 0, 1)), model(exact=True))
    unreported = Reply("x", Usage(10, 0, 1, reported=False))
    check_truncation(request_for("word " * 1000), unreported, model(exact=True))


def test_for_ollama_the_option_is_named(request_for: Any) -> None:
    """Its context size is an option of the call."""
    with pytest.raises(SilentTruncation, match="num_ctx"):
        check_truncation(
            request_for("word " * 1000),
            Reply("x", Usage(10, 0, 1)),
            model(exact=True, name="ollama:q"),
        )
