"""Trials about chunks: which are chosen, what is asked, and how they are counted."""

from __future__ import annotations

from dataclasses import replace

import anyio

from evals.tasks import Question
from evals.threshold import KINDS, Trial, chunks_for, table, trial
from memreader.document import Document
from memreader.testing import Scripted, a_model

SENTENCE = "The ferry that carries the mail to Ebbing Island is the Grey Wether."
OTHER = "The ferry to the mainland is the Tern."
PARTS = [f"The gauge at post {i} was read and was dry. " * 12 for i in range(6)]
TEXT = "\n\n".join([*PARTS[:3], SENTENCE, *PARTS[3:], OTHER])
QUESTION = Question.model_validate(
    {
        "id": "ferry",
        "documents": [{"name": "log", "text": TEXT}],
        "question": "Which ferry carries the mail to Ebbing Island?",
        "answers": ["Grey Wether"],
        "evidence": [{"doc": "log", "page": 1, "quote": SENTENCE}],
        "metric": "qa_f1",
    }
)


def test_the_chunks_of_a_trial() -> None:
    """The one with the quote, two most like the question without it, one of the rest."""
    model = replace(a_model(Scripted([])), passage=150)
    chosen = list(chunks_for(QUESTION, [Document(TEXT)], model, seed=1))
    assert [KINDS[0], KINDS[1], KINDS[1], KINDS[2]] == [kind for kind, _ in chosen]
    assert SENTENCE in chosen[0][1].text
    assert OTHER in chosen[1][1].text
    assert not any(SENTENCE in chunk.text for _, chunk in chosen[1:])


def test_a_trial_asks_in_plain_text_and_measures_the_support() -> None:
    """Both the answer and the question's words have to stand in the chunk."""
    llm = Scripted(["Grey Wether", "Kittiwake"])
    model = replace(a_model(llm, wire="plain"), passage=150)
    (kind, chunk), *_ = chunks_for(QUESTION, [Document(TEXT)], model, seed=1)

    async def asked() -> list[Trial]:
        return [await trial(QUESTION, kind, chunk, model) for _ in range(2)]

    right, wrong = anyio.run(asked)
    assert right.support > 0.9
    assert 0 == wrong.support
    assert "Answer with a short phrase" in llm.requests[0].text


def test_the_table_counts() -> None:
    """Kept at or above the threshold, refused below it."""
    trials = [
        Trial(KINDS[0], 0.4), Trial(KINDS[0], 0.2), Trial(KINDS[1], 0.39), Trial(KINDS[2], 0.9)
    ]  # fmt: skip
    row = next(line for line in table(trials).splitlines() if line.startswith("| 0.4"))
    assert "| 0.4 (used) | 1 of 2 | 1 of 1 | 0 of 1 | 50% |" == row
