"""Choosing among texts: by number, by the confidence of answers, by similarity."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from memreader.answer import NOT_FOUND, Draft
from memreader.choosing import Choice, Wanted, numbers_in, sureness, way
from memreader.contract import NEEDLE, QUESTION, paged
from memreader.llm.base import Reply, Request
from memreader.reader import Reader
from memreader.run import Run
from memreader.testing import Scripted, WordEmbedder, a_model

TEXTS = ["It rained on day 10.", "Salt was sold.", NEEDLE, "The clerk of ward 3."]


@dataclass
class Chooser:
    """Chooses among four texts, the third of which is right."""

    wanted: Wanted
    prompts = {"none": ""}  # noqa: RUF012
    chosen: list[Choice] = field(default_factory=list)

    async def read(self, question: str, run: Run) -> Draft:
        self.chosen.append(await run.choose(TEXTS, run.way_to_choose(self.wanted)))
        return NOT_FOUND


def choose(wanted: Wanted, llm: Any, **known: Any) -> tuple[Choice, tuple[str, ...]]:
    """The choice, and what the trace says of it."""
    chooser = Chooser(wanted)
    model = replace(a_model(llm), **known)
    answer = Reader(model, chooser, probe=False).ask(paged(1), QUESTION)
    return chooser.chosen[0], answer.notes


def test_a_capable_model_names_numbers_the_best_first() -> None:
    """One call; what it does not name follows in order."""
    llm = Scripted(["Reasoning: The third speaks of it.\nNumbers: 3, then 2"])
    choice, notes = choose("auto", llm)
    assert Choice((2, 1, 0, 3), "letter") == choice
    assert "The model chooses by number." in notes
    assert f"text 3>>>\n{NEEDLE}" in llm.requests[0].text


def test_a_reply_without_a_number_leaves_it_to_similarity() -> None:
    """That is said."""
    choice, notes = choose("letter", Scripted(["Reasoning: Hm.\nNumbers: the ninth, 9"]))
    assert ("similarity", 2) == (choice.by, choice.order[0])
    assert any("names no text" in note for note in notes)


@pytest.mark.parametrize("wire", ["plain", "labelled"])
def test_confidence_asks_each_text_by_itself(wire: Any) -> None:
    """The surest answer wins, and one that says that nothing is there loses."""

    def sure(request: Request) -> Reply:
        assert request.logprobs
        if TEXTS[1] in request.text:
            return Reply("[NO INFORMATION]", logprobs=(-0.01,))
        there = NEEDLE in request.text
        return Reply("Marta" if there else "rain", logprobs=(-0.1, -0.3) if there else (-2.0,))

    script: list[Any] = [sure] * 4
    choice, _ = choose("confidence", Scripted(script), wire=wire, logprobs=True, concurrency=1)
    assert ((2, 0, 3, 1), (-2.0, -100.0, -0.2, -2.0)) == (choice.order, choice.scores)


def test_similarity_takes_no_call() -> None:
    """Words without an embedding model, and its vectors with one."""
    choice, _ = choose("similarity", Scripted([]))
    assert ("similarity", 2) == (choice.by, choice.order[0])
    chooser = Chooser("similarity")
    reader = Reader(a_model(Scripted([])), chooser, probe=False, embedder=WordEmbedder())
    reader.ask(paged(1), QUESTION)
    assert 2 == chooser.chosen[0].order[0]


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ({}, "letter"),
        ({"chooses": True, "wire": "plain"}, "letter"),
        ({"chooses": False}, "similarity"),
        ({"wire": "plain", "logprobs": True}, "similarity"),
    ],
)
def test_auto_goes_by_what_is_known_of_the_model(known: dict[str, Any], expected: str) -> None:
    """What the probe did not find out is assumed of capable models only."""
    assert expected == way("auto", replace(a_model(Scripted([])), **known))[0]


def test_numbers_are_read_from_what_a_model_says() -> None:
    """Signs count, decimals do not, and each number comes once."""
    assert [3, 1] == numbers_in("Summary 3, then 1 (3)")
    assert [-1] == numbers_in("-1")
    assert [] == numbers_in("4.5 and p3")


def test_a_reply_without_log_probabilities_has_no_sureness() -> None:
    """Nothing is made up for it."""
    with pytest.raises(ValueError, match="no log-probabilities"):
        sureness(Reply("x"))
