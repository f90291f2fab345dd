"""The second try for a reply: the wrong form is put right, what was cut is asked for anew."""

from __future__ import annotations

from memreader import Document, Reader
from memreader.answer import Answer
from memreader.llm.base import Reply, Usage, Wire
from memreader.testing import Scripted, WordCounter, a_model

TEXT = Document("The roof cost 18,400 pounds. The masons were paid in June.", "roof.txt")
QUESTION = "What did the roof cost?"
MAP = (
    "Extracted Information:\n- The roof cost 18,400 pounds.\nRationale: it says so\n"
    "Answer: 18,400 pounds\nConfidence Score: 5"
)
REDUCE = "Rationale: one record\nAnswer: 18,400 pounds"


def cut(text: str) -> Reply:
    """A reply that ran into its limit in the middle."""
    return Reply(text[: len(text) // 2], Usage(500, 0, 10), "length")


def read(
    script: Scripted, strategy: str = "map_reduce", window: int = 4096, wire: Wire = "labelled"
) -> Answer:
    """One reading of a document of one chunk."""
    model = a_model(script, window=window, wire=wire)
    return Reader(model, strategy, {"reply_tokens": 100}, probe=False).ask(TEXT, QUESTION)


def test_a_cut_reply_is_asked_for_again_with_more_room() -> None:
    """The passage is shown again: its beginning alone would become "no information"."""
    script = Scripted([cut(MAP), MAP, REDUCE])
    answer = read(script)
    first, second, _ = script.requests
    assert (first.messages, 2 * first.max_tokens) == (second.messages, second.max_tokens)
    assert (answer.text, answer.status, answer.usage.repairs) == ("18,400 pounds", "complete", 1)


def test_a_reply_cut_twice_is_a_failure_and_says_why() -> None:
    """The chunk counts as failed, with the reason, and not as one that holds nothing."""
    answer = read(Scripted([cut(MAP), cut(MAP)]))
    assert (answer.status, answer.coverage.failed, answer.coverage.read) == ("partial", 1, 0)
    assert "cut at its limit of 100 tokens" in answer.problems[0]


def test_without_room_a_cut_reply_is_not_paid_for_again() -> None:
    """The same question with the same limit would be cut at the same place."""
    script = Scripted([Reply("Evidence: - The roof", Usage(500, 0, 100), "length")])
    answer = read(script, "full_context", window=_tight())
    assert (len(script.requests), answer.status, answer.text) == (1, "partial", "")


def _tight() -> int:
    """A window that the prompt and one reply of 100 tokens fill."""
    script = Scripted(["Evidence: none\nAnswer: [NO INFORMATION]"])
    read(script, "full_context")
    return WordCounter().count(script.requests[0].text) + 8 + 100


def test_a_cut_final_answer_is_partial() -> None:
    """It can be read, but its end is missing: nobody may take it for whole."""
    long = Reply(REDUCE + " and then", Usage(500, 0, 10), "length")
    answer = read(Scripted([MAP, long]))
    assert (answer.text, answer.status) == ("18,400 pounds and then", "partial")
    assert any("was cut after 100 tokens" in note for note in answer.notes)


def test_a_reply_in_the_wrong_form_is_put_into_the_right_one() -> None:
    """The repair sees the reply alone, fenced."""
    script = Scripted(["It says 18,400 pounds, surely.", MAP, REDUCE])
    assert read(script).text == "18,400 pounds"
    assert "surely" in script.requests[1].text
    assert "masons" not in script.requests[1].text


def test_a_plain_reply_that_the_server_cuts_is_partial() -> None:
    """Far below its limit of 64 tokens: the server does this, not the model."""
    script = Scripted([Reply("18,400", Usage(100, 0, 2), "length")] * 2)
    answer = read(script, wire="plain")
    assert (answer.text, answer.status) == ("18,400", "partial")
